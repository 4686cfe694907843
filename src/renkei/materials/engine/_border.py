"""A joint cascade of two nodes that never pool their firms: border vectors alone are exchanged.

Trade between the nodes runs through one *border hub* for each product and direction. A node knows
its own firms, what they sell to the partner by product and what they buy from it by product.
What crosses is, by product: which share of the usual deliveries is left, and which share of the
usual orders, in whole units of 1e-10. Values only fall and are whole numbers, so the exchange must
come to rest; it rests where the run of the pooled network (hubs included) would.

A message is a few hundred bytes of JSON in one form (``JOINT_SCHEMA``): who holds the ledger of what
left a country can compare each digest with the message, and see that nothing else was in it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import jsonschema
import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._cascade import CascadeEngine
from renkei.materials.engine._confidentiality import gate
from renkei.materials.engine._network import BadNetworkError, Network, network

UNITS: Final = 10**10  # of one share: a message holds whole numbers, so it has no NaN and must end
MOST_PRODUCTS: Final = 200
MOST_TURNS: Final = 1000
JOINT_FORMAT: Final = "renkei-materials-joint/1"
_INNER = 1e-12  # change below which one side's own cascade is at rest
_SHARES = {
    "type": "array", "maxItems": MOST_PRODUCTS,
    "items": {"type": "integer", "minimum": 0, "maximum": UNITS},
}  # fmt: skip
_HEX = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_PARTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "open": {
        "products": {
            "type": "array", "minItems": 1, "maxItems": MOST_PRODUCTS, "uniqueItems": True,
            "items": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,39}$"},
        }
    },
    "turn": {"deliveries": _SHARES, "orders": _SHARES},
    "end": {
        "lost": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 10_000}, {"type": "null"}]},
        "rest": _DIGEST,
    },
    "stop": {},
}  # fmt: skip
JOINT_SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": JOINT_FORMAT,
    "oneOf": [
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["format", "kind", "run", "step", *parts],
            "properties": {
                "format": {"const": JOINT_FORMAT},
                "kind": {"const": kind},
                "run": _HEX,
                "step": {"type": "integer", "minimum": 0, "maximum": MOST_TURNS + 1},
                **parts,
            },
        }
        for kind, parts in _PARTS.items()
    ],
}
"""Everything that a joint run can say: no firm, no value, no link has a place in it."""
_VALIDATOR = jsonschema.Draft202012Validator(JOINT_SCHEMA)


class BadBorderError(RenkeiError):
    """A border message that cannot be: no such form, a wrong length, out of turn, or one that rose."""

    code = "materials.bad_border"


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What one node knows.

    Sectors 0 … products - 1 are the products that cross the border, numbered alike on both sides;
    sectors beyond are the node's own.

    Attributes:
        products: how many products cross.
        supplier, buyer, weight: links between its own firms.
        sector: of each of its firms.
        outside: what each firm sells neither to its own firms nor to the partner, 0 or more.
        exporter, export_product, exported: firms that sell to the partner, what, and how much.
        importer, import_product, imported: firms that buy from the partner, what, and how much.
        essential: which sectors are essential for which, shape (sectors, sectors).
    """

    products: int
    supplier: NDArray[np.int64]
    buyer: NDArray[np.int64]
    weight: NDArray[np.float64]
    sector: NDArray[np.int64]
    outside: NDArray[np.float64]
    exporter: NDArray[np.int64]
    export_product: NDArray[np.int64]
    exported: NDArray[np.float64]
    importer: NDArray[np.int64]
    import_product: NDArray[np.int64]
    imported: NDArray[np.float64]
    essential: NDArray[np.bool_]

    @property
    def digest(self) -> str:
        """Return the SHA-256 of everything in it: two runs on one network have one digest."""
        found = hashlib.sha256(str(self.products).encode())
        for name in self.__slots__[1:]:
            array = np.ascontiguousarray(getattr(self, name))
            found.update(f"{name}{array.dtype}{array.shape}".encode())
            found.update(array.tobytes())
        return found.hexdigest()


@dataclass(frozen=True, slots=True)
class BorderMessage:
    """What one node tells the other: by product, whole numbers from 0 to ``UNITS``.

    ``deliveries``: what is left of its usual exports; ``orders``: of its usual orders.
    """

    deliveries: tuple[int, ...]
    orders: tuple[int, ...]


def whole(products: int) -> BorderMessage:
    """Return what is said where nothing is lost."""
    return BorderMessage((UNITS,) * products, (UNITS,) * products)


def write_joint(kind: str, *, run: str, step: int, **parts: Any) -> bytes:
    """Return a message in its one form: JSON, sorted, without a space.

    Raises:
        BadBorderError: it has no such form.
    """
    lists = {name: list(one) if isinstance(one, tuple) else one for name, one in parts.items()}
    said = {"format": JOINT_FORMAT, "kind": kind, "run": run, "step": step, **lists}
    _checked(said)
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def read_joint(content: bytes, *, kinds: Sequence[str] = tuple(_PARTS)) -> dict[str, Any]:
    """Return what a message says.

    Raises:
        BadBorderError: no JSON of ``JOINT_SCHEMA``, or none of these kinds.
    """
    try:
        said = json.loads(content, parse_constant=_no_number, parse_float=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadBorderError(gettext_noop("the message is no JSON of whole numbers")) from error
    _checked(said)
    if said["kind"] not in kinds:
        raise BadBorderError(
            gettext_noop("out of turn: the message is {kind!r}, expected {kinds}"),
            kind=said["kind"],
            kinds=", ".join(kinds),
        )
    found: dict[str, Any] = said
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _checked(said: Any) -> None:
    error = jsonschema.exceptions.best_match(_VALIDATOR.iter_errors(said))
    if error is not None:
        raise BadBorderError(
            gettext_noop("the message does not fit the form {format}: {where}: {why}"),
            format=JOINT_FORMAT,
            where=error.json_path,
            why=error.message[:200],
        )


def rest_digest(
    products: Sequence[str], opener: BorderMessage, answerer: BorderMessage, *, step: int
) -> str:
    """Return the SHA-256 of where the exchange came to rest, the same on both sides."""
    said = {
        "products": list(products),
        "opener": [list(opener.deliveries), list(opener.orders)],
        "answerer": [list(answerer.deliveries), list(answerer.orders)],
        "step": step,
    }
    return hashlib.sha256(
        json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def check_messages(
    messages: Sequence[Mapping[str, Any]], ledger: Sequence[Mapping[str, Any]], *, target: str
) -> list[str]:
    """Return what is wrong with the messages of all joint runs beside a ledger of what left a country.

    Who holds both files needs nobody's word for it that border vectors alone crossed: every message
    fits ``JOINT_SCHEMA`` and hashes to its digest, every one that was sent stands in the ledger with
    its size, and the ledger has no other bytes for this target.

    Args:
        messages: with ``content``, ``sha256``, ``size`` and ``is_sent``.
        ledger: with ``digest``, ``size`` and ``target``.
        target: of the agreement that let them go, such as ``urn:us:materials:joint``.
    """
    wrong = []
    left = {(row["digest"], row["size"]) for row in ledger if row["target"] == target}
    sent = set()
    for number, row in enumerate(messages):
        content = str(row["content"]).encode()
        found = (hashlib.sha256(content).hexdigest(), len(content))
        try:
            read_joint(content)
        except BadBorderError as error:
            wrong.append(f"message {number}: {error}")
        if found != (row["sha256"], row["size"]):
            wrong.append(f"message {number}: its bytes have the digest {found[0]}")
        if row["is_sent"]:
            sent.add(found)
            if found not in left:
                wrong.append(f"message {number}: {found[0]} is not in the ledger")
    wrong += [
        f"ledger: {digest}, {size} bytes, is no message that is shown"
        for digest, size in sorted(left - sent)
    ]
    return wrong


class BorderSide:
    """One node's part of a joint cascade.

    ``step`` takes the partner's last message and returns its own. The side that opened the run has
    come to rest when its message is the one before (``is_at_rest``): the partner has answered it.

    Args:
        side: what the node knows.
        capacity: share of each firm's capacity that is left, 0 … 1.
        got, sent: the partner's and the own last message, to go on from; the values of the firms
            follow from them alone.
    """

    def __init__(
        self,
        side: Side,
        capacity: NDArray[np.float64],
        *,
        threads: int = 1,
        got: BorderMessage | None = None,
        sent: BorderMessage | None = None,
    ) -> None:
        self.side = side
        self._net = _with_hubs(side)
        self._engine = CascadeEngine(self._net, threads=threads)
        own = len(side.sector)
        self._own, self._capacity = own, np.ones(own + 2 * side.products)
        self._capacity[:own] = capacity
        self.got = got or whole(side.products)
        self.sent = sent
        self._state: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self.is_at_rest = False

    def step(self, partner: BorderMessage | None) -> BorderMessage:
        """Take the partner's message (None at the start) and return this side's.

        Raises:
            BadBorderError: a message that cannot be.
        """
        if partner is not None:
            self._check(partner)
            self.got = partner
        p, own = self.side.products, self._own
        self._settle()
        down, up = self._values()
        found = BorderMessage(_units(down[own + p :]), _units(up[own : own + p]))
        if self.sent is not None:
            # A run that goes on from messages alone may end a hair above: values only fall.
            found = BorderMessage(
                tuple(map(min, found.deliveries, self.sent.deliveries)),
                tuple(map(min, found.orders, self.sent.orders)),
            )
        self.is_at_rest = self.sent == found and partner is not None
        self.sent = found
        return found

    def _settle(self) -> None:
        p, own = self.side.products, self._own
        down, up = self._state or (self._capacity.copy(), self._capacity.copy())
        # The import hub delivers what the partner delivers; the export hub orders what it orders.
        down[own : own + p] = np.minimum(down[own : own + p], _shares(self.got.deliveries))
        up[own + p :] = np.minimum(up[own + p :], _shares(self.got.orders))
        done = self._engine.run(
            self._capacity, tolerance=_INNER, most_iterations=100_000, start=(down, up)
        )
        self._state = (done.downstream, done.upstream)

    @property
    def downstream(self) -> NDArray[np.float64]:
        """Return what is left of this node's firms for want of inputs."""
        return self._values()[0][: self._own]

    @property
    def upstream(self) -> NDArray[np.float64]:
        """Return what is left of this node's firms for want of orders."""
        return self._values()[1][: self._own]

    @property
    def output(self) -> NDArray[np.float64]:
        """Return the usual output of this node's firms, in the unit of the links."""
        return self._net.output[: self._own]

    @property
    def lost_by_firm(self) -> NDArray[np.float64]:
        """Return the lost output of each of this node's firms, in the unit of the links."""
        lost: NDArray[np.float64] = self.output * (1 - np.minimum(self.downstream, self.upstream))
        return lost

    @property
    def lost(self) -> float:
        """Return the lost output of this node's firms, in the unit of the links."""
        return float(self.lost_by_firm.sum())

    @property
    def told_loss(self) -> int | None:
        """Return the lost share of all output in ten-thousandths, or None where it may not be told.

        The gate of releases judges both sums that it is made of: of lost output and of output.
        """
        total = float(self.output.sum())
        lost = np.where(self.lost_by_firm > 1e-9 * total, self.lost_by_firm, 0.0)
        if total <= 0 or gate(lost.tolist()) or gate(self.output.tolist()):
            return None
        return round(10_000 * float(lost.sum()) / total)

    def _values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self._state is None:
            self._settle()
        return self._state or (self._capacity, self._capacity)

    def _check(self, message: BorderMessage) -> None:
        for name, found, before in (
            ("deliveries", message.deliveries, self.got.deliveries),
            ("orders", message.orders, self.got.orders),
        ):
            if len(found) != len(before) or not all(
                type(one) is int and 0 <= one <= UNITS for one in found
            ):
                raise BadBorderError(
                    gettext_noop("{name}: expected {count} whole numbers from 0 to {most}"),
                    name=name,
                    count=len(before),
                    most=UNITS,
                )
            rose = [at for at, one in enumerate(found) if one > before[at]]
            if rose:
                raise BadBorderError(
                    gettext_noop("{name} of product {product} rose: in one run they only fall"),
                    name=name,
                    product=rose[0],
                )


def run_jointly(one: BorderSide, other: BorderSide) -> int:
    """Let two sides in one process exchange messages until both rest; return the turns.

    Raises:
        BadBorderError: no rest after ``MOST_TURNS``.
    """
    message: BorderMessage | None = None
    for turn in range(1, MOST_TURNS + 1):
        said = one.step(message)
        if one.is_at_rest:
            return turn
        message = other.step(said)
    raise BadBorderError(gettext_noop("no rest after {rounds} rounds"), rounds=MOST_TURNS)


def pooled(one: Side, other: Side) -> Network:
    """Return the network that nobody has: both sides' firms and the hubs between them.

    For tests on made-up data: firms of ``one``, firms of ``other``, hubs to ``other`` by product,
    hubs to ``one`` by product.
    """
    p, first, second = one.products, len(one.sector), len(other.sector)
    to_other = first + second + np.arange(p)
    to_one = to_other + p
    supplier = np.concatenate(
        [
            one.supplier, other.supplier + first, one.exporter, to_other[other.import_product],
            other.exporter + first, to_one[one.import_product],
        ]
    )  # fmt: skip
    buyer = np.concatenate(
        [
            one.buyer, other.buyer + first, to_other[one.export_product],
            other.importer + first, to_one[other.export_product], one.importer,
        ]
    )  # fmt: skip
    weight = np.concatenate(
        [one.weight, other.weight, one.exported, other.imported, other.exported, one.imported]
    )
    s, t = len(one.essential), len(other.essential)
    hubs = s + t + np.arange(2 * p)
    sector = np.concatenate([one.sector, other.sector + s, hubs])
    essential = np.zeros((s + t + 2 * p,) * 2, bool)
    essential[:s, :s], essential[s : s + t, s : s + t] = one.essential, other.essential
    essential[hubs[:p], s : s + t] = other.essential[:p]
    essential[hubs[p:], :s] = one.essential[:p]
    outside = np.concatenate([one.outside, other.outside, np.zeros(2 * p)])
    return network(
        supplier=supplier, buyer=buyer, weight=weight, sector=sector, essential=essential,
        outside=outside, is_synthetic=True,
    )  # fmt: skip


def _with_hubs(side: Side) -> Network:
    """Return one node's firms, its import hubs and its export hubs.

    What an export hub buys is one sum: exporters of one product stand in for each other's shares.
    """
    p, own, s = side.products, len(side.sector), len(side.essential)
    if not 1 <= p <= min(s, MOST_PRODUCTS):
        raise BadNetworkError(
            gettext_noop("{count} products cross the border: expected 1 to {most}"),
            count=p,
            most=min(s, MOST_PRODUCTS),
        )
    hub_in, hub_out = own + np.arange(p), own + p + np.arange(p)
    supplier = np.concatenate([side.supplier, hub_in[side.import_product], side.exporter])
    buyer = np.concatenate([side.buyer, side.importer, hub_out[side.export_product]])
    weight = np.concatenate([side.weight, side.imported, side.exported])
    sector = np.concatenate([side.sector, s + np.arange(2 * p)])
    essential = np.zeros((s + 2 * p,) * 2, bool)
    essential[:s, :s] = side.essential
    essential[s : s + p, :s] = side.essential[:p]
    outside = np.concatenate([side.outside, np.zeros(2 * p)])
    return network(
        supplier=supplier, buyer=buyer, weight=weight, sector=sector, essential=essential,
        outside=outside,
    )  # fmt: skip


def _units(shares: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(int(one) for one in np.rint(np.clip(shares, 0, 1) * UNITS))


def _shares(units: Sequence[int]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.array(units, float) / UNITS
    return found
