"""A source document: is it the one the record means, and what stands at an offset."""

import hashlib
import re
from dataclasses import dataclass

from renkei.kit.errors import RenkeiError, gettext_noop

LARGEST_DOCUMENT_BYTES = 32 << 20
CONTEXT_CHARACTERS = 160
MOST_PLACES = 5  # of a quotation that a message names


class BadDocumentError(RenkeiError):
    """The bytes are not a text document that passages can be shown from."""

    code = "record.bad_document"


@dataclass(frozen=True)
class Excerpt:
    """A passage in its context, all parts in reading order."""

    before: str
    passage: str
    after: str
    cut_before: bool
    cut_after: bool


def digest(content: bytes) -> str:
    """Return the SHA-256 of a document in lower-case hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def check_size(size: int) -> None:
    """Refuse a document by its size, before anybody reads it.

    Raises:
        BadDocumentError: more than ``LARGEST_DOCUMENT_BYTES``.
    """
    if size > LARGEST_DOCUMENT_BYTES:
        raise BadDocumentError(
            gettext_noop("the document has {size} bytes: at most {largest}"),
            size=size,
            largest=LARGEST_DOCUMENT_BYTES,
        )


def read(content: bytes) -> str:
    """Return a document's text; offsets count its Unicode code points.

    Raises:
        BadDocumentError: too large, empty, not UTF-8, or with NUL.
    """
    check_size(len(content))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadDocumentError(
            gettext_noop("the document is not UTF-8 text: byte {at} cannot be read"), at=error.start
        ) from error
    if not text:
        raise BadDocumentError(gettext_noop("the document is empty"))
    if "\x00" in text:
        raise BadDocumentError(
            gettext_noop("the document holds a NUL character at {at}: it is not a text"),
            at=text.index("\x00"),
        )
    return text


def excerpt(text: str, start: int, end: int, *, context: int = CONTEXT_CHARACTERS) -> Excerpt:
    """Return a passage with some text around it, cut at white space where there is any.

    Raises:
        BadDocumentError: the passage lies outside the text.
    """
    if not 0 <= start < end <= len(text):
        raise BadDocumentError(
            gettext_noop("passage {start} to {end} lies outside a text of {length} characters"),
            start=start,
            end=end,
            length=len(text),
        )
    left, right = max(0, start - context), min(len(text), end + context)
    before, after = text[left:start], text[end:right]
    if left > 0 and " " in before:
        before = before[before.index(" ") + 1 :]
    if right < len(text) and " " in after:
        after = after[: after.rindex(" ")]
    return Excerpt(before, text[start:end], after, left > 0, right < len(text))


def locate(text: str, quotation: str) -> tuple[int, int]:
    """Return the offsets of the only place where ``quotation`` stands; white space may differ.

    Raises:
        BadDocumentError: it stands nowhere, or in several places (which the message names).
    """
    words = quotation.split()
    if not words:
        raise BadDocumentError(gettext_noop("the quotation is empty"))
    pattern = r"\s+".join(re.escape(word) for word in words)
    places = [(match.start(), match.end()) for match in re.finditer(pattern, text)]
    if not places:
        raise BadDocumentError(
            gettext_noop("the quotation does not stand in the document: copy it exactly from there")
        )
    if len(places) > 1:
        raise BadDocumentError(
            gettext_noop(
                "the quotation stands at {count} places ({places}): quote more, or give the offsets"
            ),
            count=len(places),
            places=", ".join(f"{start}-{end}" for start, end in places[:MOST_PLACES]),
        )
    return places[0]
