"""Joint runs: a cascade through the firms of two nodes, by border vectors alone.

The side that opens a run asks, turn by turn, under its signatures; the side that answers keeps no
state but the messages. Before a message leaves, an agreement is asked and the ledger written, by
both sides alike: ``outgoing`` and ``messages`` name the same digests.
"""

import functools
import hashlib
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from renkei.base.jobs import JobCancelledError
from renkei.border import door as border
from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop
from renkei.materials import engine
from renkei.materials.models import JointMessage, JointRun, Link, Organisation, State, Trade
from renkei.materials.tasks._agreed import JOINT_RUNS, allowed

JOINT_PATH: Final = "/materials/v1/joint"
MOST_JOINT_BYTES: Final = 1 << 16
MOST_JOINT_RUNS_A_DAY: Final = 20
LONGEST_RUN: Final = timedelta(days=1)
WAITS: Final = (1.0, 2.0, 4.0)  # seconds before a partner that is away is asked again
MOST_HIT: Final = 50
Progress = Callable[[float], None]
Ask = Callable[..., dict[str, Any]]
_OVER = (JointRun.State.READY, JointRun.State.FAILED, JointRun.State.STOPPED)


class NoTradeError(RenkeiError):
    """This node knows of no trade over the border that may be told of."""

    code = "materials.no_trade"
    status = 409


class UnknownJointRunError(NotFoundError):
    """There is no such joint run."""

    code = "materials.unknown_joint_run"


class JointRunOverError(ConflictError):
    """The run is over: nothing more can be said in it."""

    code = "materials.joint_run_over"


class LinksChangedError(ConflictError):
    """The node's own links changed while the run was on its way."""

    code = "materials.links_changed"


@dataclass(frozen=True, slots=True, eq=False)
class OwnSide:
    """What a joint run takes of this node.

    Attributes:
        side: for the engine; never leaves the node.
        names: what scenarios call each firm.
        left_out: products by direction that too few firms sell or buy: not told of, and taken as
            trade with the rest of the world.
    """

    side: engine.Side
    names: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def _trade(party: str) -> tuple[dict[tuple[str, str], dict[int, float]], list[tuple[str, str]]]:
    """Return thousand dollars by direction, product and firm, and what too few firms stand behind."""
    found: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    rows = Trade.objects.current().filter(party=party).order_by("pk")
    for direction, material, firm, kusd in rows.values_list(
        "direction", "material__slug", "firm", "kusd"
    ):
        found[direction, material][firm] = kusd
    few = sorted(where for where, by in found.items() if engine.gate(by.values()))
    return found, few


def border_products(party: str) -> list[str]:
    """Return the products that cross the border to a party and may be told of.

    Raises:
        NoTradeError: there is none.
    """
    trade, few = _trade(party)
    found = sorted({product for where in trade if where not in few for product in where[1:]})
    if not found:
        raise NoTradeError(
            gettext_noop(
                "this node knows of no product that three firms or more trade with {party}, none of"
                " them so large that it could be worked out: load its trade (import trade)"
            ),
            party=party,
        )
    return found[: engine.MOST_PRODUCTS]


def own_side(party: str, products: Sequence[str]) -> OwnSide:
    """Return the node's own links and its trade over the border, as the engine takes them.

    A firm's sector is the material that it sells most of. Every material is taken as essential. What
    a firm is not seen to sell, it sells elsewhere: its output is at least what it buys.
    """
    links = list(
        Link.objects.current()
        .filter(kusd__gt=0)
        .order_by("pk")
        .values_list("supplier", "buyer", "material__slug", "kusd")
    )
    trade, few = _trade(party)
    at = {
        pk: number
        for number, pk in enumerate(
            dict.fromkeys(
                [firm for row in links for firm in row[:2]]
                + [firm for by in trade.values() for firm in by]
            )
        )
    }
    worth: dict[tuple[int, int], float] = defaultdict(float)
    sold: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    used, elsewhere = np.zeros(len(at)), np.zeros(len(at))
    for seller, buyer, material, kusd in links:
        worth[at[seller], at[buyer]] += kusd
        sold[at[seller]][material] += kusd
        used[at[buyer]] += kusd
    numbers = {product: number for number, product in enumerate(products)}
    ends: dict[str, list[tuple[int, int, float]]] = {"sells": [], "buys": []}
    for (direction, product), by in sorted(trade.items()):
        is_told = product in numbers and (direction, product) not in few
        for firm, kusd in by.items():
            if direction == "sells":
                sold[at[firm]][product] += kusd
                elsewhere[at[firm]] += 0.0 if is_told else kusd
            else:
                used[at[firm]] += kusd
            if is_told:
                ends[direction].append((at[firm], numbers[product], kusd))
    made = np.array([sum(sold[firm].values()) for firm in range(len(at))])
    sector, sectors = _sectors(sold, numbers, len(at))
    supplier, buyers, weight = _columns([(*where, kusd) for where, kusd in worth.items()])
    exporter, export_product, exported = _columns(ends["sells"])
    importer, import_product, imported = _columns(ends["buys"])
    side = engine.Side(
        products=len(products),
        supplier=supplier,
        buyer=buyers,
        weight=weight,
        sector=sector,
        outside=elsewhere + np.maximum(0.0, used - made),
        exporter=exporter,
        export_product=export_product,
        exported=exported,
        importer=importer,
        import_product=import_product,
        imported=imported,
        essential=np.ones((sectors, sectors), bool),
    )
    return OwnSide(side, _names(at), tuple(few))


def _names(at: Mapping[int, int]) -> tuple[str, ...]:
    """Return what scenarios call each firm: its LEI, else ``N`` and a number."""
    leis = dict(Organisation.objects.filter(pk__in=at).values_list("pk", "lei"))
    return tuple(leis[pk] or f"N{pk}" for pk in at)


def _sectors(
    sold: Mapping[int, Mapping[str, float]], numbers: Mapping[str, int], firms: int
) -> tuple[Any, int]:
    """Return each firm's sector, and how many there are: those that sell nothing have one too."""
    sectors = dict(numbers)
    for firm in range(firms):
        for product in sold[firm]:
            sectors.setdefault(product, len(sectors))
    sector = np.full(firms, len(sectors), np.int64)
    for firm in range(firms):
        if by_product := sold[firm]:
            sector[firm] = sectors[max(by_product, key=lambda one: (by_product[one], one))]
    return sector, len(sectors) + 1


def _columns(rows: Sequence[tuple[int, int, float]]) -> tuple[Any, Any, Any]:
    return (
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], float),
    )


@functools.lru_cache(maxsize=2)
def _kept_side(party: str, products: tuple[str, ...], _version: int) -> OwnSide:
    return own_side(party, products)


def _side_of(run: JointRun, party: str) -> OwnSide:
    """Return this node's side of a run, the same in all of its turns.

    Raises:
        LinksChangedError: it is another one by now.
    """
    state = State.objects.filter(pk=1).first()
    found = _kept_side(party, tuple(run.products), state.version if state else 0)
    digest = found.side.digest
    if not run.network:
        run.network = digest
    elif run.network != digest:
        raise LinksChangedError(
            gettext_noop("this node's own links changed while the run was on its way: open another")
        )
    return found


def _capacity(run: JointRun, own: OwnSide) -> Any:
    """Return what is left of each firm's capacity.

    Raises:
        BadDisruptionError: a firm that this node does not know.
    """
    left = np.ones(len(own.names))
    numbers = {name: number for number, name in enumerate(own.names)}
    for name in run.firms.split():
        if name not in numbers:
            raise engine.BadDisruptionError(
                gettext_noop("{firm!r} is no firm of this node's own network"), firm=name
            )
        left[numbers[name]] = 1 - run.severity
    return left


def _said(run: JointRun, *, is_sent: bool) -> dict[int, dict[str, Any]]:
    rows = run.messages.filter(is_sent=is_sent).order_by("step")
    return {row.step: json.loads(row.content) for row in rows}


def _vectors(said: Mapping[str, Any]) -> engine.BorderMessage:
    return engine.BorderMessage(tuple(said["deliveries"]), tuple(said["orders"]))


def _keep(run: JointRun, step: int, content: bytes, decision: Any) -> None:
    """Keep a message byte by byte: what was sent with the decision that let it go."""
    JointMessage.objects.get_or_create(
        run=run,
        step=step,
        is_sent=decision is not None,
        defaults={
            "content": content.decode(),
            "digest": hashlib.sha256(content).hexdigest(),
            "decision": None if decision is None else decision.pk,
        },
    )


def _release(decision: Any, content: bytes) -> None:
    border.release(
        decision=decision,
        digest=hashlib.sha256(content).hexdigest(),
        size=len(content),
        channel="border",
    )


# The side that opens a run


def run_joint(run: JointRun, step: Progress, *, wait: Callable[[float], None] = time.sleep) -> None:
    """Take a run to its end from wherever its messages stand, and keep what was found.

    Args:
        run: opened here, and not over.
        step: told how far it is, 0 to 1; may raise to stop.
        wait: sleeps for some seconds.

    Raises:
        UnreachableError: the partner is away; the run can be gone on with later.
        NotAgreedError, NoTradeError, BadBorderError, LinksChangedError, RefusedError,
        BadAnswerError: why it ended.
    """
    partner = border.partner(run.partner)
    ask: Ask = functools.partial(_ask, run, step, wait)
    if not run.products:
        mine = border_products(partner.party)
        answer = ask("open", 0, products=mine)
        if not set(mine) <= set(answer["products"]):
            raise engine.BadBorderError(
                gettext_noop("the partner answers with other products than it was asked about")
            )
        run.products = sorted(answer["products"])
    own = _side_of(run, partner.party)
    run.state = JointRun.State.RUNNING
    run.save(update_fields=["products", "network", "state"])
    sent, got = _said(run, is_sent=True), _said(run, is_sent=False)
    last = run.turns
    side = engine.BorderSide(
        own.side,
        _capacity(run, own),
        got=_vectors(got[last]) if last else None,
        sent=_vectors(sent[last]) if last else None,
    )
    message = _vectors(got[last]) if last else None
    for turn in range(last + 1, engine.MOST_TURNS + 1):
        said = side.step(message)
        # What was sent before the partner went away is said again, byte by byte.
        if sent.get(turn, {}).get("kind") == "turn":
            said = side.sent = _vectors(sent[turn])
        elif turn in sent or side.is_at_rest:
            if turn - 1 == last and last:  # a side that went on from messages may be a hair off
                side.sent = _vectors(sent[last])
            _end(run, side, own, turn, ask)
            return
        answer = ask("turn", turn, deliveries=said.deliveries, orders=said.orders)
        before, message = message, _vectors(answer)
        run.turns = turn
        run.save(update_fields=["turns"])
        step(_progress(before or engine.whole(len(run.products)), message, turn))
    raise engine.BadBorderError(
        gettext_noop("no rest after {rounds} rounds"), rounds=engine.MOST_TURNS
    )


def _progress(before: engine.BorderMessage, after: engine.BorderMessage, turn: int) -> float:
    """Return how far a run is, by how little its last turn moved: 1e-10 is the end.

    The answer has not been checked yet: its length may be another one.
    """
    moved = max(
        (
            one - other
            for name in ("deliveries", "orders")
            for one, other in zip(getattr(before, name), getattr(after, name), strict=False)
        ),
        default=0,
    )
    left = math.log10(max(1, moved)) / math.log10(engine.UNITS)
    return min(0.98, max(1 - left, turn / engine.MOST_TURNS))


def _end(run: JointRun, side: engine.BorderSide, own: OwnSide, turn: int, ask: Ask) -> None:
    theirs, mine = side.got, side.sent
    if mine is None:
        raise RuntimeError("a side at rest has spoken")
    rest = engine.rest_digest(run.products, mine, theirs, step=turn - 1)
    answer = ask("end", turn, lost=side.told_loss, rest=rest)
    if answer["rest"] != rest:
        raise engine.BadBorderError(gettext_noop("the partner came to rest elsewhere"))
    party = border.partner(run.partner).party
    told = (settings.NODE.party, mine, side.told_loss), (party, theirs, answer["lost"])
    _finish(run, side, own, told, turns=turn - 1, rest=rest)


def _finish(
    run: JointRun,
    side: engine.BorderSide,
    own: OwnSide,
    told: Sequence[tuple[str, engine.BorderMessage, int | None]],
    *,
    turns: int,
    rest: str,
) -> None:
    """Keep the answer: what both nodes know alike, and what stays here."""
    run.agreed = {
        "products": list(run.products),
        "sides": [
            {
                "party": party,
                "deliveries": list(said.deliveries),
                "orders": list(said.orders),
                "lost": lost,
            }
            for party, said, lost in told
        ],
        "turns": turns,
        "rest": rest,
    }
    lost, output = side.lost_by_firm, side.output
    total = float(output.sum())
    worst = np.argsort(-lost, kind="stable")[:MOST_HIT]
    run.own = {
        "firms": len(own.names),
        "links": len(own.side.supplier),
        "lost": side.lost / total if total > 0 else 0.0,
        "hit": [
            {
                "firm": own.names[int(at)],
                "lost": float(lost[at] / output[at]),
                "share": float(lost[at] / total),
            }
            for at in worst
            if lost[at] > 1e-9 * total
        ],
        "left_out": [list(where) for where in own.left_out],
    }
    run.turns, run.state, run.finished_at = turns, JointRun.State.READY, timezone.now()
    run.save(update_fields=["agreed", "own", "turns", "state", "finished_at"])


def _ask(
    run: JointRun,
    step: Progress,
    wait: Callable[[float], None],
    kind: str,
    number: int,
    **parts: Any,
) -> dict[str, Any]:
    """Say something to the partner and return its answer; again after a while if it is away.

    Each time bytes leave, an agreement is asked and the ledger written. What was said once in a step
    is said again in the same bytes.
    """
    partner = border.partner(run.partner)
    held = run.messages.filter(step=number, is_sent=True).first()
    content = (
        held.content.encode()
        if held
        else engine.write_joint(kind, run=run.uid, step=number, **parts)
    )
    for pause in (*WAITS, None):
        decision = allowed(JOINT_RUNS, action="compute", partner=partner, by=run.author)
        with transaction.atomic():
            _release(decision, content)
            _keep(run, number, content, decision)
        try:
            document = border.ask_partner(
                partner,
                JOINT_PATH,
                json.loads(content),
                now=timezone.now(),
                most=MOST_JOINT_BYTES,
            )
            break
        except border.UnreachableError:
            if pause is None:
                raise
            wait(pause)
            step(0.0)  # somebody may have asked for a stop
    received = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    said = engine.read_joint(received, kinds=[kind])
    _check_place(said, run, number)
    _keep(run, number, received, None)
    return said


def _check_place(said: Mapping[str, Any], run: JointRun, number: int) -> None:
    if said["run"] != run.uid or said["step"] != number:
        raise engine.BadBorderError(
            gettext_noop("out of turn: step {found} of run {run}, expected step {number}"),
            found=said["step"],
            run=said["run"],
            number=number,
        )


def take_to_end(
    run: JointRun, step: Progress, *, wait: Callable[[float], None] = time.sleep
) -> None:
    """Run to the end, and note how it ended; the partner is told of a stop and of a refusal.

    Raises:
        JobCancelledError: somebody asked for a stop.
        RenkeiError: why there is no answer; after an UnreachableError it can be gone on with.
    """
    best = 0.0

    def onward(part: float) -> None:
        nonlocal best
        best = max(best, part)
        step(best)

    try:
        run_joint(run, onward, wait=wait)
    except JobCancelledError:
        note_end(run, JointRun.State.STOPPED)
        say_stop(run)
        raise
    except border.UnreachableError as error:
        note_end(run, JointRun.State.PAUSED, str(error))
        raise
    except RenkeiError as error:
        note_end(run, JointRun.State.FAILED, str(error))
        say_stop(run)
        raise


def note_end(run: JointRun, state: JointRun.State, why: str = "") -> None:
    """Note that a run stands still, and why."""
    run.state, run.why = state, why[:500]
    run.finished_at = None if state == JointRun.State.PAUSED else timezone.now()
    run.save(update_fields=["state", "why", "finished_at"])


def say_stop(run: JointRun) -> None:
    """Tell the partner that a run opened here has ended, if it may be told and is there."""
    partner = border.partner(run.partner)
    content = engine.write_joint("stop", run=run.uid, step=engine.MOST_TURNS + 1)
    try:
        decision = allowed(JOINT_RUNS, action="compute", partner=partner, by=run.author)
        with transaction.atomic():
            _release(decision, content)
            _keep(run, engine.MOST_TURNS + 1, content, decision)
        border.ask_partner(
            partner, JOINT_PATH, json.loads(content), now=timezone.now(), most=MOST_JOINT_BYTES
        )
    except RenkeiError:
        return  # the partner lets a silent run lapse after a day


# The side that answers


def answer_joint(
    partner: Any, document: Mapping[str, Any], *, now: datetime | None = None
) -> bytes:
    """Answer one message of a partner's run; the answer's bytes stand in the ledger.

    Raises:
        BadBorderError: a message that cannot be, or out of turn.
        NotAgreedError, NoTradeError, QueryLimitError: why nothing is answered.
        UnknownJointRunError, JointRunOverError, LinksChangedError.
    """
    at = now or timezone.now()
    content = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    said = engine.read_joint(content)
    run = JointRun.objects.filter(uid=said["run"]).first()
    is_theirs = run is not None and not run.is_opened_here and run.partner == partner.name
    if not is_theirs and (run is not None or said["kind"] != "open"):
        raise UnknownJointRunError(
            gettext_noop("there is no joint run {run} of this partner"), run=said["run"]
        )
    decision = allowed(JOINT_RUNS, action="compute", partner=partner, by=None)
    again = run and run.messages.filter(step=said["step"], is_sent=False).first()
    if run and again:
        if again.content.encode() != content:
            raise engine.BadBorderError(
                gettext_noop("out of turn: step {number} was said before, otherwise"),
                number=said["step"],
            )
        answered = run.messages.get(step=said["step"], is_sent=True).content.encode()
        _release(decision, answered)
        return answered
    if run is None:
        return _open_here(partner, said, content, decision, now=at)
    if run.state in _OVER or at - run.opened_at > LONGEST_RUN:
        raise JointRunOverError(gettext_noop("the joint run {run} is over"), run=run.uid)
    return _ANSWERS[said["kind"]](run, partner, said, content, decision)


def _open_here(
    partner: Any, said: Mapping[str, Any], content: bytes, decision: Any, *, now: datetime
) -> bytes:
    if said["step"] != 0:
        raise engine.BadBorderError(
            gettext_noop("out of turn: step {found} of run {run}, expected step {number}"),
            found=said["step"],
            run=said["run"],
            number=0,
        )
    products = sorted({*said["products"], *border_products(partner.party)})
    answer = engine.write_joint("open", run=said["run"], step=0, products=products)
    with transaction.atomic():
        # One at a time: two of them together must not slip under the limit.
        State.objects.select_for_update().get_or_create(pk=1)
        runs = JointRun.objects.filter(partner=partner.name, is_opened_here=False)
        if runs.filter(opened_at__gt=now - timedelta(days=1)).count() >= MOST_JOINT_RUNS_A_DAY:
            raise engine.QueryLimitError(
                gettext_noop(
                    "{most} joint runs were opened today: the next can be opened tomorrow"
                ),
                most=MOST_JOINT_RUNS_A_DAY,
            )
        runs.filter(opened_at__lte=now - LONGEST_RUN).exclude(state__in=_OVER).update(
            state=JointRun.State.STOPPED, why="lapsed", finished_at=now
        )
        run = JointRun.objects.create(
            uid=said["run"],
            partner=partner.name,
            is_opened_here=False,
            products=products,
            state=JointRun.State.RUNNING,
            opened_at=now,
        )
        _send_back(run, 0, content, answer, decision)
    return answer


def _send_back(run: JointRun, step: int, content: bytes, answer: bytes, decision: Any) -> None:
    _release(decision, answer)
    _keep(run, step, content, None)
    _keep(run, step, answer, decision)


def _answerer(run: JointRun, party: str) -> tuple[engine.BorderSide, OwnSide]:
    """Return this node's side where the last turn left it."""
    own = _side_of(run, party)
    sent, got = _said(run, is_sent=True), _said(run, is_sent=False)
    last = run.turns
    side = engine.BorderSide(
        own.side,
        np.ones(len(own.names)),
        got=_vectors(got[last]) if last else None,
        sent=_vectors(sent[last]) if last else None,
    )
    return side, own


def _next_turn(
    run: JointRun, said: Mapping[str, Any], content: bytes, answer: bytes, decision: Any
) -> None:
    """Keep a turn, if nobody else took it meanwhile."""
    held = JointRun.objects.select_for_update().get(pk=run.pk)
    if held.state in _OVER:
        raise JointRunOverError(gettext_noop("the joint run {run} is over"), run=run.uid)
    _check_place(said, held, held.turns + 1)
    _send_back(held, said["step"], content, answer, decision)


def _turn(
    run: JointRun, partner: Any, said: Mapping[str, Any], content: bytes, decision: Any
) -> bytes:
    _check_place(said, run, run.turns + 1)
    side, _own = _answerer(run, partner.party)
    found = side.step(_vectors(said))
    answer = engine.write_joint(
        "turn", run=run.uid, step=said["step"], deliveries=found.deliveries, orders=found.orders
    )
    with transaction.atomic():
        _next_turn(run, said, content, answer, decision)
        JointRun.objects.filter(pk=run.pk).update(turns=said["step"], network=run.network)
    return answer


def _end_here(
    run: JointRun, partner: Any, said: Mapping[str, Any], content: bytes, decision: Any
) -> bytes:
    _check_place(said, run, run.turns + 1)
    side, own = _answerer(run, partner.party)
    mine = side.sent
    if mine is None:
        raise engine.BadBorderError(gettext_noop("out of turn: the run ends before it began"))
    rest = engine.rest_digest(run.products, side.got, mine, step=run.turns)
    if said["rest"] != rest:
        raise engine.BadBorderError(gettext_noop("the partner came to rest elsewhere"))
    lost = side.told_loss
    answer = engine.write_joint("end", run=run.uid, step=said["step"], lost=lost, rest=rest)
    told = (partner.party, side.got, said["lost"]), (settings.NODE.party, mine, lost)
    with transaction.atomic():
        _next_turn(run, said, content, answer, decision)
        _finish(run, side, own, told, turns=run.turns, rest=rest)
    return answer


def _stop_here(
    run: JointRun, partner: Any, said: Mapping[str, Any], content: bytes, decision: Any
) -> bytes:
    answer = engine.write_joint("stop", run=run.uid, step=said["step"])
    with transaction.atomic():
        _send_back(run, said["step"], content, answer, decision)
        JointRun.objects.filter(pk=run.pk).exclude(state__in=_OVER).update(
            state=JointRun.State.STOPPED, why=f"{partner.name}", finished_at=timezone.now()
        )
    return answer


def _open_again(
    run: JointRun, _partner: Any, said: Mapping[str, Any], _content: bytes, _decision: Any
) -> bytes:
    raise engine.BadBorderError(
        gettext_noop("out of turn: step {found} of run {run}, expected step {number}"),
        found=said["step"],
        run=run.uid,
        number=run.turns + 1,
    )


_ANSWERS: Final[Mapping[str, Callable[..., bytes]]] = {
    "open": _open_again,
    "turn": _turn,
    "end": _end_here,
    "stop": _stop_here,
}
