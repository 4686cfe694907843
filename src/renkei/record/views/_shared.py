"""What the record's public pages share: when they are stale, pages of a list, passages in context."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from renkei.base.storage import DamagedBytesError
from renkei.record import door, engine

ROWS = 25
LONG_ROWS = 50


def version() -> str:
    """Return what changes whenever a page may: the facts, and the day that makes them overdue."""
    return f"{door.state().version}.{timezone.localdate().isoformat()}"


@dataclass(frozen=True, kw_only=True)
class Paginator:
    """How many pages there are; ``None`` when nobody has counted."""

    num_pages: int | None


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of a list, as ``base/_pagination.html`` reads it."""

    rows: Sequence[Any]
    number: int
    last: int
    hits: int
    is_more: bool = False

    @property
    def has_previous(self) -> bool:
        """Tell whether there is a page before."""
        return self.number > 1

    @property
    def has_next(self) -> bool:
        """Tell whether there is a page after."""
        return self.number < self.last

    @property
    def paginator(self) -> Paginator:
        """Return how many pages there are."""
        return Paginator(num_pages=None if self.is_more else self.last)


def page_of(request: HttpRequest, rows: QuerySet[Any], *, size: int = LONG_ROWS) -> Page:
    """Return the page of a list that the address asks for.

    Raises:
        BadSelectionError, NotFoundError: as ``door.page_number``.
    """
    hits = rows.order_by()[: door.MOST_COUNTED + 1].count()
    last = door.pages(hits, size)
    number = door.page_number(request.GET.get("page", "1"), last=last)
    first = (number - 1) * size
    return Page(
        rows=list(rows[first : first + size]),
        number=number,
        last=last,
        hits=min(hits, door.MOST_COUNTED),
        is_more=hits > door.MOST_COUNTED,
    )


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A place in a source, with its words where this node has the document."""

    source: Any
    start: int
    end: int
    excerpt: engine.Excerpt | None
    is_damaged: bool = False

    @property
    def digest(self) -> str:
        """Return enough of the document's SHA-256 to know it by."""
        return str(self.source.sha256)[:12]


@dataclass
class Documents:
    """The texts that one page needs, each read once."""

    _texts: dict[int, str | None] = field(default_factory=dict)
    _damaged: set[int] = field(default_factory=set)

    def passage(self, source: Any, start: int, end: int) -> Passage:
        """Return a passage in its context, or where it stands.

        Args:
            source: a row with its key, hash, language and when it was attached.
        """
        text = self._text(source)
        is_inside = text is not None and end <= len(text)
        excerpt = engine.excerpt(text, start, end) if text is not None and is_inside else None
        return Passage(
            source=source,
            start=start,
            end=end,
            excerpt=excerpt,
            is_damaged=source.id in self._damaged,
        )

    def passages(self, source: Any, places: Iterable[Sequence[int]]) -> list[Passage]:
        """Return several passages of one source."""
        return [self.passage(source, start, end) for start, end in places]

    def _text(self, source: Any) -> str | None:
        if source.id not in self._texts:
            try:
                self._texts[source.id] = door.text_of(source)
            except DamagedBytesError:  # the rest of the page stands without the document
                self._texts[source.id] = None
                self._damaged.add(source.id)
        return self._texts[source.id]
