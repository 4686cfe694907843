"""JSON with exactly one spelling: what is signed, hashed or compared is these bytes.

The spelling is JCS (RFC 8785) over the values that a statement may hold: objects, arrays, texts,
true, false, null and whole numbers that every reader holds exactly. A number with a fraction or an
exponent is refused, for two programs rarely agree on it: amounts are texts.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import rfc8785

from renkei.kit.errors import RenkeiError, gettext_noop

LONGEST_ENTRY = 65_535  # bytes: C2SP tlog-tiles gives an entry's length in a uint16
DEEPEST = 32  # objects and arrays inside one another
LARGEST_NUMBER = 2**53 - 1  # RFC 8785, 3.2.2.3: exact in an IEEE 754 double

# Code point order and UTF-16 order (RFC 8785, 3.2.3) differ only where such a character occurs.
_BEYOND_UTF16_UNIT = re.compile("[\U00010000-\U0010ffff]")
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)


class NotCanonicalError(RenkeiError):
    """The bytes are not the one spelling of a value that a statement may hold."""

    code = "border.not_canonical"
    status = 400


def canonical(value: Any, *, deepest: int = DEEPEST) -> bytes:
    """Return the JCS bytes of a value.

    Args:
        value: dicts with text keys, lists or tuples, str, int, bool, None.
        deepest: how many objects and arrays may lie inside one another.

    Raises:
        NotCanonicalError: a float, a number beyond 2^53 - 1, a key that is no text, a lone
            surrogate, another type, or too deep.

    Source: RFC 8785. The standard library's encoder writes the same bytes for these values except
    where a character beyond U+FFFF may change the order of keys; there ``rfc8785`` writes.
    """
    _check(value, deepest)
    return spell(value)


def read_canonical(data: bytes, *, longest: int = LONGEST_ENTRY, deepest: int = DEEPEST) -> Any:
    """Return the value that ``data`` is the canonical spelling of.

    Args:
        data: UTF-8; anything a stranger may send.
        longest: bytes; longer input is refused before it is read.
        deepest: how many objects and arrays may lie inside one another.

    Raises:
        NotCanonicalError: too long, not JSON, a duplicate key, a float, NaN, too deep, or any
            other spelling than the canonical one.
    """
    if len(data) > longest:
        raise NotCanonicalError(
            gettext_noop("{length} bytes are too many: at most {longest}"),
            length=len(data),
            longest=longest,
        )
    value = read_json(data)
    # A text with this few brackets cannot be too deep, and needs no second walk.
    if data.count(b"{") + data.count(b"[") > deepest:
        _check(value, deepest)
    if spell(value) != data:
        json.loads(data, object_pairs_hook=_refuse_duplicates)
        raise NotCanonicalError(
            gettext_noop(
                "the JSON is not in canonical form (RFC 8785): expected sorted keys, "
                "no spaces and the shortest escapes"
            ),
        )
    return value


def read_json(data: bytes) -> Any:
    """Return the value of JSON without floats, however it is spelled.

    Raises:
        NotCanonicalError: not UTF-8, not JSON, a float, NaN, or nested beyond what can be read.
    """
    try:
        return _DECODER.decode(data.decode())
    except RecursionError:
        raise NotCanonicalError(
            gettext_noop("the value is nested too deeply: at most {deepest} levels"),
            deepest=DEEPEST,
        ) from None
    except UnicodeDecodeError as error:
        raise NotCanonicalError(
            gettext_noop("not UTF-8: byte {position} cannot be read"),
            position=error.start,
        ) from None
    except json.JSONDecodeError as error:
        raise NotCanonicalError(
            gettext_noop("not JSON: {reason} at character {position}"),
            reason=error.msg,
            position=error.pos,
        ) from None


def spell(value: Any) -> bytes:
    """Return the canonical bytes of a value that was checked before."""
    text = _ENCODER.encode(value)
    try:
        if text.isascii() or not _BEYOND_UTF16_UNIT.search(text):
            return text.encode()
    except UnicodeEncodeError:
        raise NotCanonicalError(
            gettext_noop("a text holds half of a surrogate pair: expected whole characters")
        ) from None
    return rfc8785.dumps(value)


def _check(value: Any, depth: int) -> None:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return
    if isinstance(value, int):
        _check_range(int(value))
    elif isinstance(value, Mapping):
        _check_room(depth)
        for key, item in value.items():
            if not isinstance(key, str):
                raise NotCanonicalError(gettext_noop("{key!r} is a key: expected a text"), key=key)
            _check(item, depth - 1)
    elif isinstance(value, list | tuple):
        _check_room(depth)
        for item in value:
            _check(item, depth - 1)
    elif isinstance(value, float):
        _refuse_number(repr(value))
    elif not isinstance(value, str):
        raise NotCanonicalError(
            gettext_noop(
                "a {kind} cannot be said in a statement: expected an object, an array, a text, "
                "a whole number, true, false or null"
            ),
            kind=kind.__name__,
        )


def _check_room(depth: int) -> None:
    if depth <= 0:
        raise NotCanonicalError(
            gettext_noop("the value is nested too deeply: at most {deepest} levels"),
            deepest=DEEPEST,
        )


def _check_range(number: int) -> None:
    if abs(number) > LARGEST_NUMBER:
        raise NotCanonicalError(
            gettext_noop("a number lies beyond 2^53 - 1: write it as a text"),
        )


def _whole_number(digits: str) -> int:
    # The length first: Python reads long numbers in quadratic time.
    number = int(digits) if len(digits) <= 17 else LARGEST_NUMBER + 1
    _check_range(number)
    return number


def _refuse_number(digits: str) -> Any:
    raise NotCanonicalError(
        gettext_noop('{digits} is not a whole number: amounts are texts, such as "12.50"'),
        digits=digits[:40],
    )


_DECODER = json.JSONDecoder(
    parse_float=_refuse_number, parse_constant=_refuse_number, parse_int=_whole_number
)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise NotCanonicalError(
                gettext_noop("the key {key!r} stands twice in one object: expected once"),
                key=key[:100],
            )
        found[key] = value
    return found
