"""Whose statement an entry is: bytes are read, and their signatures checked, several at a time.

Signing and checking release the interpreter's lock, so every core works on a batch. No thread of
these touches the database.
"""

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from renkei.border import engine
from renkei.border.door._registry import types
from renkei.kit.errors import RenkeiError, gettext_noop

FEWEST = 32  # in a thread of its own: below, handing over costs more than it saves

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")
Judged = engine.Envelope | RenkeiError


def judge(
    rows: Iterable[tuple[int, bytes]],
    origin: str,
    history: engine.KeyHistory,
    *,
    signatures: bool = True,
) -> tuple[list[Judged], engine.KeyHistory]:
    """Read entries of one log, and check that its node signed each.

    Args:
        rows: index and bytes, in the log's order.
        origin: of the log.
        history: of its keys, up to the first of these entries.
        signatures: whether they are checked; changes of keys always are.

    Returns:
        For each entry its envelope, or why it is no statement of that node; and the history after
        them all.
    """
    found: list[Judged] = []
    run: list[tuple[int, engine.Envelope, tuple[engine.PublicPair, ...]]] = []

    def check() -> None:
        for (place, _envelope, _keys), refusal in zip(run, spread(_refusal, run), strict=True):
            if refusal is not None:
                found[place] = refusal
        run.clear()

    for index, data in rows:
        try:
            envelope = _read(data, origin)
        except RenkeiError as error:
            found.append(error)
            continue
        found.append(envelope)
        if signatures:
            run.append((len(found) - 1, envelope, history.keys_for("log", index)))
        if envelope.type in engine.KEY_TYPES:
            check()  # what holds after it depends on whether it holds
            if found[-1] is envelope:
                try:
                    history = history.after(index, envelope)
                except RenkeiError as error:
                    found[-1] = error
    check()
    return found, history


def _read(data: bytes, origin: str) -> engine.Envelope:
    envelope = engine.read_envelope(data)
    if envelope.issuer != origin:
        raise engine.BadActError(
            gettext_noop("the entry names {issuer} as its issuer, but stands in the log {origin}"),
            issuer=envelope.issuer[:100],
            origin=origin,
        )
    return envelope


def _refusal(
    item: tuple[int, engine.Envelope, tuple[engine.PublicPair, ...]],
) -> RenkeiError | None:
    _place, envelope, keys = item
    try:
        engine.verify_envelope(envelope, keys, algorithms(envelope.type))
    except RenkeiError as error:
        return error
    return None


def algorithms(name: str) -> tuple[str, ...]:
    """Return which algorithms a statement of that type must be signed with."""
    known = types().get(name)
    solemn = name in engine.KEY_TYPES or (known is not None and known.is_solemn)
    return engine.BOTH if solemn else engine.BOTH[:1]


def spread(work: Callable[[_Item], _Made], items: Sequence[_Item]) -> list[_Made]:
    """Return what ``work`` makes of each item, on every core where there are many."""
    threads = min(os.cpu_count() or 1, len(items) // FEWEST)
    if threads < 2:
        return [work(item) for item in items]
    size = -(-len(items) // threads)
    parts = [items[first : first + size] for first in range(0, len(items), size)]
    later = [_pool().submit(lambda part: [work(item) for item in part], part) for part in parts[1:]]
    made = [work(item) for item in parts[0]]
    for each in later:
        made += each.result()
    return made


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="border-sign")
