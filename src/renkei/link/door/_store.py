"""Key at rest and its way out: intake of blocks, allocation as a master, delivery as a slave.

Every step commits what it takes away before anybody is told anything; what a crash leaves between
two steps is burned, never used. Messages to the partner are sent by a function that the caller
gives, outside of any transaction.
"""

import fcntl
import itertools
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Sum
from django.utils import timezone

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link import engine
from renkei.link.door._link import (
    BODIES_ALARM,
    FIBRE_ALARM,
    SILENT_ALARM,
    at_rest,
    cache_folder,
    clear_alarm,
    may_be_used,
    raise_alarm,
    refuse_simulated,
)
from renkei.link.engine import BlockState, Counters, Extent, Position
from renkei.link.models import FIRST, SECOND, Block, Handed, Held, Leaf, Link, Piece, Sae

LEAF_BYTES = 4096
LOW_TAGS = 4  # below so many nothing is delivered: what is distilled fills the reserve first
WINDOW = timedelta(hours=1)
LARGEST_BLOCK_BYTES = 8 << 20
FEW_BLOCKS = 4  # most requests find room in the next few
RUNS_KEPT = 500
QBER_ALARM = "qber"
ROLLBACK_ALARM = "rolled-back"
DAMAGED_ALARM = "damaged-key"
CLEAR_THEMSELVES = (QBER_ALARM, SILENT_ALARM, FIBRE_ALARM, BODIES_ALARM)

Send = Callable[[dict[str, object]], dict[str, Any]]


class QuotaError(RenkeiError):
    """An application has drawn its hour's share."""

    code = "link.quota"
    status = 503


class DeliveryStoppedError(RenkeiError):
    """No key is delivered until somebody or something puts the link right."""

    code = "link.delivery_stopped"
    status = 503


class PartnerSilentError(RenkeiError):
    """The partner's key manager does not answer."""

    code = "link.partner_silent"
    status = 503


class UnknownSaeError(RenkeiError):
    """No such application is known at the node that it would belong to."""

    code = "link.unknown_sae"
    status = 400


class UnmetError(RenkeiError):
    """The link has no key from the kind of source that is asked for."""

    code = "link.unmet"
    status = 400


class KeyNotFoundError(RenkeiError):
    """A key identifier is not known here, or its key was drawn already."""

    code = "link.key_not_found"
    status = 400


class NotYoursError(RenkeiError):
    """A key is for another application."""

    code = "link.not_yours"
    status = 401


class BadBlockError(RenkeiError):
    """A block of key cannot be taken in."""

    code = "link.bad_block"


@dataclass(frozen=True)
class Key:
    """A key as it is handed out, once."""

    key_id: str
    key: bytes
    simulated: bool
    extension: dict[str, Any] | None = field(default=None, compare=False)  # what else is told of it


@dataclass
class Draw:
    """A master's request: new keys that it shares with slaves.

    Args:
        master: who asks.
        slaves: who else is to have them.
        size: bytes a key.
        number: how many.
        source: ``quantum`` or ``simulated`` when nothing else will do.
        serial: of the caller's certificate; ``None`` when no certificate was asked for.
    """

    master: str
    slaves: tuple[str, ...]
    size: int
    number: int
    source: str = ""
    serial: str | None = None
    result: "list[Key] | RenkeiError | None" = field(default=None, compare=False)

    @property
    def caller(self) -> str:
        """Return who asks."""
        return self.master


@dataclass
class Fetch:
    """A slave's request for keys that a master has drawn."""

    slave: str
    master: str
    key_ids: tuple[str, ...]
    serial: str | None = None
    result: "list[Key] | RenkeiError | None" = field(default=None, compare=False)

    @property
    def caller(self) -> str:
        """Return who asks."""
        return self.slave


def node_of(sae: str) -> str:
    """Return the node that an application belongs to: the first part of its name."""
    return sae.partition(".")[0]


# Intake


def take_in(link: Link, number: int, block: bytes, *, simulated: bool) -> str:
    """Store a distilled block as pending, durably, and return its fingerprint.

    Raises:
        BadBlockError: its number was used before, or its length is impossible.
        SimulatedRefusedError: it is simulated and the node is no demonstration.
    """
    if simulated:
        refuse_simulated()
    if simulated != link.simulated:
        raise BadBlockError(gettext_noop("the block's source is not the link's"))
    if not 64 <= len(block) <= LARGEST_BLOCK_BYTES:
        raise BadBlockError(
            gettext_noop("a block has {count} bytes, expected 64 to {most}"),
            count=len(block),
            most=LARGEST_BLOCK_BYTES,
        )
    fingerprint, key = engine.split_fingerprint(block)
    rest = at_rest()
    with transaction.atomic():
        link = Link.objects.select_for_update().get(pk=link.pk)
        if number < link.next_block - 1 or link.blocks.filter(number=number).exists():
            raise BadBlockError(gettext_noop("block {number} was there already"), number=number)
        half = len(key) // 2
        Block.objects.create(
            link=link,
            number=number,
            state=BlockState.PENDING,
            fingerprint=fingerprint,
            simulated=simulated,
            half_bytes=half,
            created_at=timezone.now(),
        )
        Link.objects.filter(pk=link.pk).update(next_block=number + 1)
        for share, piece in ((FIRST, key[:half]), (SECOND, key[half : 2 * half])):
            Leaf.objects.add(link, share, _pieces(rest, link, number, share, piece))
    return fingerprint


def begin_block(link: Link, at_least: int) -> int:
    """Return a block number that was never begun here, and never return it again."""
    with transaction.atomic():
        link = Link.objects.select_for_update().get(pk=link.pk)
        number = max(at_least, link.next_block)
        Link.objects.filter(pk=link.pk).update(next_block=number + 1)
    return number


def _pieces(
    rest: engine.AtRest, link: Link, number: int, share: int, key: bytes, *, offset: int = 0
) -> list[Piece]:
    return [
        Piece(
            number,
            offset + at,
            len(piece),
            rest.seal(piece, what=_what(link, number, share, offset + at)),
        )
        for at, piece in zip(itertools.count(0, LEAF_BYTES), engine.cut(key, LEAF_BYTES))
    ]


def _what(link: Link, number: int, share: int, offset: int) -> str:
    return f"{link.own}/{link.partner} block {number} share {share} offset {offset} unused"


def _held_what(held: Held) -> str:
    return f"{held.prefix} held {sorted(held.waiting.items())}"


def blocks_of(link: Link) -> dict[int, tuple[BlockState, str]]:
    """Return state and fingerprint of every block that is not used up or destroyed."""
    return {
        number: (BlockState(state), fingerprint)
        for number, state, fingerprint in link.blocks.values_list("number", "state", "fingerprint")
    }


def settling(link: Link) -> dict[str, Any]:
    """Return what the partner is told to settle: this end's blocks, and which number is free."""
    blocks = [[number, *said] for number, said in blocks_of(link).items()]
    return {"blocks": blocks, "next": Link.objects.values_list("next_block").get(pk=link.pk)[0]}


def hear_settling(link: Link, said: dict[str, Any]) -> dict[str, Any]:
    """Settle with the partner's list, and return this end's, as it was before.

    A list says nothing about blocks that were begun after it was written: an old one that somebody
    plays again destroys none of them.
    """
    mine = settling(link)
    settle(link, _listed(said), before=int(said["next"]))
    return mine


def settle_by(link: Link, said: dict[str, Any]) -> bool:
    """Settle with the partner's fresh answer; tell whether it has begun blocks beyond this end's.

    Then this end has been set back, and from now on goes on where the partner is.
    """
    settle(link, _listed(said))
    theirs = int(said["next"])
    return bool(Link.objects.filter(pk=link.pk, next_block__lt=theirs).update(next_block=theirs))


def _listed(said: dict[str, Any]) -> dict[int, tuple[BlockState, str]]:
    return {int(number): (BlockState(state), str(mark)) for number, state, mark in said["blocks"]}


def settle(
    link: Link, theirs: dict[int, tuple[BlockState, str]], *, before: int | None = None
) -> dict[int, BlockState | None]:
    """Confirm what both sides hold alike, and destroy the rest; return what was decided.

    Both sides call this with each other's list, while no block is on its way between them. Blocks
    from the number ``before`` on are left as they are.
    """
    with transaction.atomic():
        Link.objects.select_for_update().get(pk=link.pk)
        mine = blocks_of(link)
        decided = engine.settle(
            {number: one for number, one in mine.items() if before is None or number < before},
            theirs,
        )
        ready = [number for number, state in decided.items() if state is BlockState.READY]
        gone = [number for number, state in decided.items() if state is None]
        for some in _some(ready):
            link.blocks.filter(number__in=some).update(state=BlockState.READY)
        destroy(link, gone)
    return decided


def _some(items: list[int], most: int = 500) -> Iterable[list[int]]:
    for at in range(0, len(items), most):
        yield items[at : at + most]


def confirm(link: Link, number: int, fingerprint: str) -> bool:
    """Make a block ready if it is here with this fingerprint; else destroy it. Tell which."""
    with transaction.atomic():
        Link.objects.select_for_update().get(pk=link.pk)
        block = link.blocks.filter(number=number).first()
        if block is None:
            return False
        if block.fingerprint != fingerprint:
            destroy(link, [number])
            raise_alarm(link, "unequal", f"block {number}")
            return False
        if block.state != BlockState.READY:
            link.blocks.filter(number=number).update(state=BlockState.READY)
    return True


def destroy(link: Link, numbers: Sequence[int]) -> None:
    """Destroy blocks and what is left of their key."""
    for some in _some(list(numbers)):
        link.leaves.filter(number__in=some).delete()
        link.blocks.filter(number__in=some).delete()


def forget_old_runs(link: Link) -> None:
    """Delete what is known of how old blocks went."""
    old = link.runs.newest().values_list("pk", flat=True)[RUNS_KEPT:]
    link.runs.filter(pk__in=list(old)).delete()


# Taking key out


def _take(
    link: Link, share: int, until: Position, extents: Sequence[Extent]
) -> dict[Extent, bytes]:
    """Take everything before ``until`` out of a share, and return the bytes of ``extents``.

    What lies between the extents is burned. The caller holds the link's lock.
    """
    rows = Leaf.objects.pieces_before(link, share, until)
    if not rows:
        return {}
    rest = at_rest()
    wanted = {extent.block for extent in extents}
    material: dict[int, tuple[int, bytearray]] = {}
    left: list[Piece] = []
    for row in rows:
        straddles = row.number == until.block and row.offset + row.length > until.offset
        if row.number not in wanted and not straddles:
            continue
        key = rest.open(row.sealed, what=_what(link, row.number, share, row.offset))
        material.setdefault(row.number, (row.offset, bytearray()))[1].extend(key)
        if straddles:
            used = until.offset - row.offset
            left += _pieces(rest, link, row.number, share, key[used:], offset=until.offset)
    Leaf.objects.drop_before(link, share, until)
    Leaf.objects.add(link, share, left)
    found: dict[Extent, bytes] = {}
    for extent in extents:
        base, key_bytes = material.get(extent.block, (0, bytearray()))
        piece = key_bytes[extent.offset - base : extent.offset - base + extent.length]
        if extent.offset >= base and len(piece) == extent.length:
            found[extent] = bytes(piece)
    return found


def stored(link: Link, *, size: int) -> int:
    """Return how many keys of ``size`` bytes this node could draw as a master now."""
    if not may_be_used(simulated=link.simulated):
        return 0
    at = link.counters.allocated
    return engine.capacity(at, link.ready(at.block), size=size)


def levels(link: Link) -> dict[str, int]:
    """Return the bytes that are left: ``own`` and ``peer`` halves, and what is ``held`` for slaves."""
    sums = dict(link.leaves.order_by().values_list("share").annotate(total=Sum("length")))
    held = link.held.aggregate(total=Sum(F("size") * F("number")))["total"]
    return {
        "own": sums.get(link.own_share, 0),
        "peer": sums.get(link.peer_share, 0),
        "held": int(held or 0),
    }


def keep_reserve(link: Link, reserve: bytes, *, tags_left: int) -> None:
    """Keep what authenticates the link itself, durably: before any tag made of it is sent."""
    sealed = at_rest().seal(reserve, what=f"{link.own}/{link.partner} reserve")
    Link.objects.filter(pk=link.pk).update(reserve=sealed, tags_left=tags_left)


def reserve_of(link: Link) -> bytes:
    """Return what authenticates the link itself; empty when there is none yet."""
    sealed = bytes(Link.objects.values_list("reserve", flat=True).get(pk=link.pk))
    return at_rest().open(sealed, what=f"{link.own}/{link.partner} reserve") if sealed else b""


# As a master and as a slave: one group, one commit, one message


def serve(link: Link, asked: Sequence["Draw | Fetch"], send: Send) -> None:
    """Answer a group of requests: each one's ``result`` is its keys, or why there are none.

    Args:
        link: the link they go over.
        asked: draws and fetches, answered in one commit.
        send: tells the partner's ``hear`` a batch and returns what it says; it raises
            ``PartnerSilentError`` when nobody answers.
    """
    with turn(link):
        _serve(link, asked, send)


@contextmanager
def turn(link: Link) -> Iterator[None]:
    """Let one process of the node at a time commit and tell: the partner hears batches in order."""
    with (cache_folder() / f"link-{link.own}-{link.partner}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _serve(link: Link, asked: Sequence["Draw | Fetch"], send: Send) -> None:
    try:
        batch, taken = _commit(link, asked)
    except engine.DamagedKeyError as error:
        burn_damaged(link)
        raise_alarm(link, DAMAGED_ALARM, why=error)
        _fail(asked, error)
        return
    if batch.before == batch.after:
        return
    try:
        said = send({"link": engine.to_json(batch)})
    except RenkeiError as error:
        _fail(asked, error)  # burned: nobody knows whether the partner heard
        link.held.filter(prefix__in=[prefix for _one, prefix in taken]).delete()
        return
    if "remembered" in said:
        burn_to(link, engine.counters_from_json(said["remembered"]))
        _fail(
            asked,
            DeliveryStoppedError(
                gettext_noop(
                    "this node was behind its partner and has burned what it was behind by"
                )
            ),
        )
        return
    refused = said.get("refused", {})
    if refused:
        link.held.filter(prefix__in=list(refused)).delete()
    for one, prefix in taken:
        if prefix in refused:
            one.result = (
                UnknownSaeError(gettext_noop("an SAE is not known at the partner's node"))
                if refused[prefix] == "sae"
                else DeliveryStoppedError(
                    gettext_noop("the partner does not hold the same key: it was burned")
                )
            )


def _fail(asked: Sequence["Draw | Fetch"], error: RenkeiError) -> None:
    for one in asked:
        if not isinstance(one.result, RenkeiError):
            one.result = error


def _commit(
    link: Link, asked: Sequence["Draw | Fetch"]
) -> tuple[engine.Batch, list[tuple[Draw, str]]]:
    with transaction.atomic():
        link = Link.objects.select_for_update().get(pk=link.pk)
        before = link.counters
        delivered = before.delivered
        callers = {name for one in asked for name in (one.caller, *getattr(one, "slaves", ()))}
        saes = {sae.name: sae for sae in Sae.objects.filter(revoked_at=None, name__in=callers)}
        draws = []
        for one in asked:
            try:
                _refuse_stranger(saes.get(one.caller), one)
                if isinstance(one, Draw):
                    draws.append(one)
                    continue
                one.result = _fetch(link, one)
                delivered += len(one.key_ids)
            except (KeyNotFoundError, NotYoursError, DeliveryStoppedError) as error:
                one.result = error
        placed = _place(link, draws, saes)
        at = placed[-1][1].extents[-1].end if placed else before.allocated
        extents = [extent for _one, allocation in placed for extent in allocation.extents]
        pieces = _take(link, link.own_share, at, extents) if extents else {}
        for one, allocation in placed:
            if any(extent not in pieces for extent in allocation.extents):
                one.result = DeliveryStoppedError(
                    gettext_noop("some stored key is missing here: it was burned")
                )
                continue
            material = b"".join(pieces[extent] for extent in allocation.extents)
            names, keys = allocation.key_ids(), engine.cut(material, one.size)
            one.result = [
                Key(name, key, link.simulated) for name, key in zip(names, keys, strict=True)
            ]
            _hold(link, allocation, material, own=link.own)
        after = Counters(at, delivered)
        if after != before:
            Link.objects.filter(pk=link.pk).update(
                allocated_block=at.block, allocated_offset=at.offset, delivered=delivered
            )
        if at.block != before.allocated.block:
            _forget_used_blocks(link, at)
    allocations = tuple(allocation for _one, allocation in placed)
    batch = engine.Batch(before=before, after=after, allocations=allocations)
    return batch, [(one, allocation.prefix) for one, allocation in placed]


def _refuse_stranger(known: Sae | None, one: "Draw | Fetch") -> None:
    if known is None or one.serial not in {None, known.serial}:
        raise NotYoursError(gettext_noop("{sae} is not known here"), sae=one.caller)


def _place(
    link: Link, draws: Sequence[Draw], saes: dict[str, Sae]
) -> list[tuple[Draw, engine.Allocation]]:
    """Find room for each draw that may have keys; the others' ``result`` says why not."""
    if not draws:
        return []
    now = timezone.now()
    stopped = _why_stopped(link)
    at = link.counters.allocated
    blocks = link.ready(at.block, most=FEW_BLOCKS)
    placed = []
    for one in draws:
        try:
            if stopped:
                raise stopped
            if engine.capacity(at, blocks, size=one.size) < one.number:
                blocks = link.ready(at.block)
            allocation = _draw(link, one, at, blocks, saes=saes, now=now)
        except RenkeiError as error:
            one.result = error
            continue
        at = allocation.extents[-1].end
        placed.append((one, allocation))
    for master in [saes[name] for name in {one.master for one, _allocation in placed}]:
        Sae.objects.filter(pk=master.pk).update(
            window_started_at=master.window_started_at,
            window_bytes=master.window_bytes,
            drawn=master.drawn,
        )
    return placed


def _why_stopped(link: Link) -> DeliveryStoppedError | None:
    if not may_be_used(simulated=link.simulated):
        return _no_demonstration()  # it was one when the key was stored
    if link.has_alarm(QBER_ALARM):
        return DeliveryStoppedError(
            gettext_noop("the link is disturbed, perhaps by an eavesdropper: delivery has stopped")
        )
    if not link.routed and link.tags_left < LOW_TAGS:
        return DeliveryStoppedError(
            gettext_noop("the reserve for authentication is low: delivery waits")
        )
    return None


def _no_demonstration() -> DeliveryStoppedError:
    return DeliveryStoppedError(
        gettext_noop("simulated key is given to nobody: this node is no demonstration")
    )


def _draw(
    link: Link,
    one: Draw,
    at: Position,
    blocks: list[tuple[int, int]],
    *,
    saes: dict[str, Sae],
    now: datetime,
) -> engine.Allocation:
    master = saes[one.master]
    for slave in one.slaves:
        if node_of(slave) == link.partner:
            continue  # the partner says whether it knows it
        known = saes.get(slave)
        if known is None:
            raise UnknownSaeError(gettext_noop("{sae} is not known here"), sae=slave)
        if slave == one.master and not known.loopback:
            raise UnknownSaeError(
                gettext_noop("{sae} may not draw keys for itself: that is for tests (--loopback)"),
                sae=slave,
            )
    if one.source and (one.source == "simulated") != link.simulated:
        raise UnmetError(gettext_noop("there is no {source} key here"), source=one.source)
    refuse_beyond_quota(master, one, now)
    extents = engine.place(at, blocks, size=one.size, number=one.number)
    spend(master, one, now)
    return engine.Allocation(
        prefix=engine.new_prefix(secrets.token_bytes(14)),
        master=one.master,
        slaves=one.slaves,
        size=one.size,
        extents=extents,
    )


def refuse_beyond_quota(master: Sae, one: Draw, now: datetime) -> None:
    """Refuse more than an application may draw in an hour.

    Raises:
        QuotaError: it is more.
    """
    begun = master.window_started_at
    if begun is None or not begun <= now < begun + WINDOW:  # before it: the clock was set back
        master.window_started_at, master.window_bytes = now, 0
    if master.window_bytes + one.size * one.number > master.quota_bytes_per_hour:
        raise QuotaError(
            gettext_noop("{sae} has drawn its share of this hour: {most} bytes"),
            sae=one.master,
            most=master.quota_bytes_per_hour,
        )


def spend(master: Sae, one: Draw, now: datetime) -> None:
    """Count what an application draws; the caller stores it.

    Raises:
        QuotaError: it is more than it may draw in an hour.
    """
    refuse_beyond_quota(master, one, now)
    master.window_bytes += one.size * one.number
    master.drawn += one.number


def _hold(link: Link, allocation: engine.Allocation, material: bytes, *, own: str) -> None:
    """Keep the keys of an allocation for the slaves of this node, if it has any."""
    mine = [slave for slave in allocation.slaves if node_of(slave) == own]
    if not mine:
        return
    every = f"{(1 << allocation.number) - 1:x}"
    held = Held(
        link=link,
        prefix=allocation.prefix,
        master=allocation.master,
        slaves=mine,
        waiting=dict.fromkeys(mine, every),
        size=allocation.size,
        number=allocation.number,
        simulated=link.simulated,
        created_at=timezone.now(),
    )
    held.sealed = at_rest().seal(material, what=_held_what(held))
    held.save(force_insert=True)


def _fetch(link: Link, one: Fetch) -> list[Key]:
    """Take keys out for a slave: all that it names, or none."""
    places = [engine.parse_key_id(name) or ("", 0) for name in one.key_ids]
    wanted: dict[str, list[int]] = {}
    for prefix, index in places:
        wanted.setdefault(prefix, []).append(index)
    rows = {row.prefix: row for row in link.held.filter(prefix__in=list(wanted))}
    for prefix, indices in wanted.items():
        _refuse_fetch(rows.get(prefix), one, indices)
    if not all(may_be_used(simulated=row.simulated) for row in rows.values()):
        raise _no_demonstration()
    keys = {
        (prefix, index): key
        for prefix, indices in wanted.items()
        for index, key in _hand_out(rows[prefix], one.slave, indices)
    }
    return [
        Key(name, keys[place], rows[place[0]].simulated)
        for name, place in zip(one.key_ids, places, strict=True)
    ]


def _refuse_fetch(row: Held | None, one: Fetch, indices: Sequence[int]) -> None:
    if row is not None and (one.slave not in row.slaves or row.master != one.master):
        raise NotYoursError(gettext_noop("a key is for another application"))
    waiting = int(row.waiting[one.slave], 16) if row else 0
    is_twice = len(set(indices)) < len(indices)  # under two spellings of one identifier
    if is_twice or not all(waiting >> index & 1 for index in indices):
        raise KeyNotFoundError(gettext_noop("a key is not known here, or was drawn already"))


def _hand_out(row: Held, slave: str, indices: Sequence[int]) -> list[tuple[int, bytes]]:
    """Take a slave's keys out of an allocation; destroy those that nobody waits for any more."""
    rest = at_rest()
    material = bytearray(rest.open(bytes(row.sealed), what=_held_what(row)))
    found = [(index, bytes(material[index * row.size :][: row.size])) for index in indices]
    mask = sum(1 << index for index in indices)
    row.waiting[slave] = f"{int(row.waiting[slave], 16) & ~mask:x}"
    needed = 0
    for bits in row.waiting.values():
        needed |= int(bits, 16)
    if not needed:
        row.delete()
        return found
    for index in indices:
        if not needed >> index & 1:
            material[index * row.size : (index + 1) * row.size] = bytes(row.size)
    row.sealed = rest.seal(bytes(material), what=_held_what(row))
    row.save(update_fields=["waiting", "sealed"])
    return found


def _forget_used_blocks(link: Link, at: Position) -> None:
    """Delete the rows of blocks of which no key is left."""
    old = link.blocks.filter(number__lt=at.block).order_by("number").first()
    if old is None:
        return
    left = set(
        link.leaves.filter(number__lt=at.block)
        .order_by()
        .values_list("number", flat=True)
        .distinct()
    )
    link.blocks.filter(number__lt=at.block, state=BlockState.READY).exclude(
        number__in=left
    ).delete()


def hear(link: Link, said: object) -> dict[str, object]:
    """Take in the partner's batch: hold what is for our slaves, burn the rest, and remember.

    Returns:
        ``remembered`` alone when the partner is behind: nothing of the batch holds. Else ``heard``,
        and ``refused``: why, by prefix, an allocation is burned (``sae`` or ``key``).

    Raises:
        BadAllocationError: the batch says what no honest manager says.
    """
    batch = engine.from_json(said)
    with transaction.atomic():
        link = Link.objects.select_for_update().get(pk=link.pk)
        for allocation in batch.allocations:
            if node_of(allocation.master) != link.partner:
                raise engine.BadAllocationError(
                    gettext_noop("a master is no application of the node that allocates")
                )
        try:
            after = engine.accept(link.remembered, batch)
        except engine.RolledBackError as error:
            return {"remembered": engine.counters_to_json(error.remembered)}
        refused: dict[str, str] = {}
        if not batch.allocations and after.allocated == link.remembered.allocated:
            link.remembered = after
            link.heard_at = timezone.now()
            link.save(update_fields=["peer_delivered", "heard_at"])
            return {"heard": engine.counters_to_json(after), "refused": refused}
        names = {name for one in batch.allocations for name in one.slaves}
        known = set(
            Sae.objects.filter(revoked_at=None, name__in=names).values_list("name", flat=True)
        )
        extents = [extent for one in batch.allocations for extent in one.extents]
        pieces = _take(link, link.peer_share, after.allocated, extents)
        used = {part.block for part in extents} or {0}
        ready = {number for number, _size in link.ready(min(used), last=max(used))}
        taken = set(
            link.held.filter(prefix__in=[one.prefix for one in batch.allocations]).values_list(
                "prefix", flat=True
            )
        )
        for one in batch.allocations:
            if any(node_of(name) == link.own and name not in known for name in one.slaves):
                refused[one.prefix] = "sae"
            elif (
                any(part not in pieces or part.block not in ready for part in one.extents)
                or one.prefix in taken
                or not may_be_used(simulated=link.simulated)
            ):
                refused[one.prefix] = "key"
            else:
                _hold(link, one, b"".join(pieces[part] for part in one.extents), own=link.own)
                taken.add(one.prefix)
        link.remembered = after
        link.heard_at = timezone.now()
        link.save(update_fields=["peer_block", "peer_offset", "peer_delivered", "heard_at"])
    return {"heard": engine.counters_to_json(after), "refused": refused}


def burn_to(link: Link, remembered: Counters) -> None:
    """Burn what the partner remembers as used and this node does not: it was restored or set back."""
    with transaction.atomic():
        link = Link.objects.select_for_update().get(pk=link.pk)
        own = link.counters
        link.counters = engine.catch_up(own, remembered)
        _take(link, link.own_share, link.counters.allocated, [])
        if remembered.delivered > own.delivered:
            link.held.all().delete()  # some of it was delivered: nobody here knows which
        link.next_block = max(link.next_block, remembered.allocated.block + 1, *_numbers(link))
        link.save()
        if own != link.counters:
            Handed.objects.filter(is_ours=False, state=Handed.State.HELD).update(
                state=Handed.State.VOID,
                sealed=b"",  # some may have been given, as above
            )
            raise_alarm(link, ROLLBACK_ALARM, f"{own} -> {link.counters}")


def burn_damaged(link: Link) -> int:
    """Destroy stored key that does not open; return how many pieces."""
    rest = at_rest()
    burned = 0
    with transaction.atomic():
        Link.objects.select_for_update().get(pk=link.pk)
        for leaf in link.leaves.all():
            what = _what(link, leaf.number, leaf.share, leaf.offset)
            burned += _burn_unless_it_opens(rest, leaf, what)
        for held in link.held.all():
            burned += _burn_unless_it_opens(rest, held, _held_what(held))
    return burned


def _burn_unless_it_opens(rest: engine.AtRest, row: Leaf | Held, what: str) -> int:
    try:
        rest.open(bytes(row.sealed), what=what)
    except engine.DamagedKeyError:
        row.delete()
        return 1
    return 0


def _numbers(link: Link) -> list[int]:
    highest = link.blocks.aggregate(highest=Max("number"))["highest"]
    return [highest + 1] if highest is not None else []


def put_right(link: Link) -> int:
    """Clear the alarms that do not clear themselves: a person has looked. Return how many."""
    standing = link.alarms.filter(cleared_at=None).exclude(kind__in=CLEAR_THEMSELVES)
    return clear_alarm(link, *standing.values_list("kind", flat=True))
