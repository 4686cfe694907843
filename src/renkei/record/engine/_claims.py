"""What a claim may say, field by field, and how well a value is supported."""

import re
from collections.abc import Iterable, Sequence

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.record.engine._dates import partial_date, period
from renkei.record.engine._places import BLOCS, COUNTRIES
from renkei.record.engine._vocabulary import VOCABULARY

CHOSEN_FIELDS = ("domain", "kind", "status", "scope", "funding_source")
PLAIN_FIELDS = ("name", *CHOSEN_FIELDS, "parties", "period")
_FIELD = re.compile(
    rf"(?:{'|'.join(PLAIN_FIELDS)}|amount(?::(?:[A-Z]{{2}}|joint|other))?"
    r"|date:[a-z][a-z_]{0,30}|target:[A-Za-z][A-Za-z0-9_]{0,40})"
)
LONGEST_VALUE = 400
LONGEST_PARTIES = 120  # some forty countries


class UnknownFieldError(RenkeiError):
    """The record has no such field."""

    code = "record.unknown_field"


class BadClaimError(RenkeiError):
    """The value is none that this field can have."""

    code = "record.bad_claim"


class UnknownPartyError(RenkeiError):
    """A party is neither a country nor a bloc that the record knows."""

    code = "record.unknown_party"


def is_money(field: str) -> bool:
    """Tell whether a field holds an amount: ``amount`` or ``amount:<side>``."""
    return field == "amount" or field.startswith("amount:")


def check_field(field: str) -> str:
    """Return ``field`` if the record has it.

    Raises:
        UnknownFieldError: it has not.
    """
    if not _FIELD.fullmatch(field):
        raise UnknownFieldError(
            gettext_noop(
                "{field!r} is not a field: expected {plain}, amount, amount:<side>, date:<role> or "
                "target:<metric>"
            ),
            field=field,
            plain=", ".join(PLAIN_FIELDS),
        )
    return field


def check_text(text: str, *, what: str, longest: int = LONGEST_VALUE) -> str:
    """Return a text that can be stored and shown: trimmed, not empty, no control characters.

    Raises:
        BadClaimError: empty, too long, or with characters that no text has (NUL, lone surrogates).
    """
    trimmed = text.strip()
    if not trimmed:
        raise BadClaimError(gettext_noop("{what} is empty: a text is required"), what=what)
    if len(trimmed) > longest:
        raise BadClaimError(
            gettext_noop("{what} has {length} characters: at most {longest}"),
            what=what,
            length=len(trimmed),
            longest=longest,
        )
    bad = next((char for char in trimmed if _is_unprintable(char)), None)
    if bad is not None:
        raise BadClaimError(
            gettext_noop("{what} holds the character U+{point}, which no text has"),
            what=what,
            point=f"{ord(bad):04X}",
        )
    return trimmed


def _is_unprintable(char: str) -> bool:
    point = ord(char)
    return (
        (point < 0x20 and char not in "\n\t") or point == 0x7F or 0xD800 <= point <= 0xDFFF
    )  # controls, DEL, surrogates


def parties(text: str) -> str:
    """Return party codes in alphabetical order, once each: ``JP,US``.

    Raises:
        UnknownPartyError: a code that is neither a country nor a bloc.
        BadClaimError: more than a commitment can name.
    """
    codes = sorted({code.strip() for code in text.split(",") if code.strip()})
    if len(",".join(codes)) > LONGEST_PARTIES:
        raise BadClaimError(
            gettext_noop("{count} parties are too many to list: name a bloc, or the leading ones"),
            count=len(codes),
        )
    for code in codes:
        if code not in COUNTRIES and code not in BLOCS:
            raise UnknownPartyError(
                gettext_noop(
                    "{code!r} is not a party: expected a country code such as US or JP, or one of "
                    "{blocs}"
                ),
                code=code,
                blocs=", ".join(sorted(BLOCS)),
            )
    return ",".join(codes)


def check_value(field: str, value: str) -> str:
    """Return the value in the one form that the record keeps for this field; not for money.

    Raises:
        UnknownFieldError, BadClaimError, BadDateError, UnknownPartyError: by the field.
    """
    check_field(field)
    if field == "parties":
        return parties(value)  # may be empty: a fact of the context has none
    text = check_text(value, what=field)
    if field in CHOSEN_FIELDS:
        if text not in VOCABULARY[field]:
            raise BadClaimError(
                gettext_noop("{field}: {text!r} is none of {known}"),
                field=field,
                text=text,
                known=", ".join(VOCABULARY[field]),
            )
        return text
    if field.startswith("date:"):
        return partial_date(text).text
    if field == "period":
        return period(text)
    if field.startswith("target:") and not re.fullmatch(r"\d{1,15}(\.\d{1,6})?", text, re.ASCII):
        raise BadClaimError(
            gettext_noop("{field}: {text!r} is not a number such as 64 or 0.5"),
            field=field,
            text=text,
        )
    return text


def check_passages(
    passages: Sequence[tuple[int, int]], *, characters: int
) -> list[tuple[int, int]]:
    """Return passages inside a document of ``characters`` code points.

    Raises:
        BadClaimError: one that is empty, reversed or reaches outside.
    """
    for start, end in passages:
        if not 0 <= start < end <= characters:
            raise BadClaimError(
                gettext_noop(
                    "passage {start} to {end} lies outside the document: it has {characters} characters"
                ),
                start=start,
                end=end,
                characters=characters,
            )
    return [(int(start), int(end)) for start, end in passages]


def corroboration(lineages: Iterable[str]) -> int:
    """Return how many independent lines of evidence support a value: lineages, not documents."""
    return len(set(lineages))


_DOI = re.compile(r"10\.\d{4,9}/\S{1,180}", re.ASCII)
_DOI_ADDRESS = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)", re.IGNORECASE)


def check_identifier(kind: str, identifier: str) -> str:
    """Return the identifier of a research outcome in the form that the record keeps.

    A publication has a DOI, kept without its resolver's address; other outcomes any identifier.

    Raises:
        BadClaimError: a publication without a DOI, or no identifier.

    Source: ISO 26324; DOI Handbook, 2.2 (prefix ``10.`` and registrant code, suffix).
    """
    text = check_text(identifier, what="identifier", longest=200)
    bare = _DOI_ADDRESS.sub("", text)
    if _DOI.fullmatch(bare):
        return bare.lower()  # DOI names are not case sensitive
    if kind == "publication":
        raise BadClaimError(
            gettext_noop("{text!r} is not a DOI: expected a form such as 10.1000/182"), text=text
        )
    return text
