"""What every change of the record shares: author and reason, one transaction, checked values."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.text import slugify

from renkei.base.models import User
from renkei.base.rows import ask, moment
from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop
from renkei.record import engine, tasks
from renkei.record.models import (
    NOUNS,
    Change,
    Commitment,
    State,
    next_version,
)

Passages = Sequence[tuple[int, int]]
LONGEST_REASON = 500
LONGEST_TITLE = 300
LONGEST_NOTE = 4_000
LONGEST_LINE = 500
LONGEST_LANGUAGE = 8
LONGEST_NUMBER = 12  # digits of a name that this node gives
LARGEST_SUM = 10**18  # of what one commitment paid; far below what a database can add


class UnknownSubjectError(NotFoundError):
    """The record holds nothing under this name."""

    code = "record.unknown"


class StaleError(ConflictError):
    """Somebody changed it after the caller read it."""

    code = "record.stale"


class TakenError(ConflictError):
    """The name is taken."""

    code = "record.taken"


class InUseError(ConflictError):
    """Something else of the record names it, so that it cannot go."""

    code = "record.in_use"


class MissingTranslationError(RenkeiError):
    """A text that people read is given in one language alone."""

    code = "record.missing_translation"


@dataclass(frozen=True, kw_only=True)
class Money:
    """What an amount claim says besides its value."""

    currency: str
    side: str
    nature: str
    stage: str
    relation: str = "total"
    converted: str = ""
    converted_currency: str = ""
    rate: str = ""
    rate_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Side:
    """One passage of a finding and what it says, in our words."""

    source: str
    start: int
    end: int
    says_en: str
    says_ja: str


@dataclass
class Edit:
    """One change under way: its author, reason and the version it makes."""

    author: User | None
    reason: str
    version: int

    def log(
        self,
        verb: str,
        subject: str,
        slug: str,
        *,
        field: str = "",
        before: object = None,
        after: object = None,
    ) -> None:
        """Write a line of history."""
        Change.objects.create(
            author=self.author,
            reason=self.reason,
            verb=verb,
            subject=subject,
            slug=slug,
            field=field,
            before=before,
            after=after,
            version=self.version,
        )


@contextmanager
def change(*, author: User | None, reason: str) -> Iterator[Edit]:
    """Hold the record's lock, count up its version, and draw the charts anew afterwards.

    One writer at a time: the summary tables and the version that pages are cached by then never
    disagree with the facts, on SQLite and PostgreSQL alike.
    """
    said = engine.check_text(reason, what=gettext_noop("reason"), longest=LONGEST_REASON)
    with transaction.atomic():
        yield Edit(author, said, next_version().version)
        tasks.draw_later()


def state() -> State:
    """Return the version of the facts and when it came about."""
    for row in ask("SELECT version, changed_at FROM record_state WHERE id = 1"):
        at = moment(row.changed_at) if row.changed_at else None
        return State(pk=1, version=row.version, changed_at=at)
    return State(pk=1, version=0)


def find(model: type[Any], slug: str, *, rows: QuerySet[Any] | None = None) -> Any:
    """Return the row of that name.

    Args:
        rows: where to look: all of the model, unless the caller wants more or less of each row.

    Raises:
        UnknownSubjectError: there is none.
    """
    # No name has other characters, and a database would fail on some of them.
    is_name = slug.isascii() and slug.isprintable()
    known = model.objects.all() if rows is None else rows
    row = next(iter(known.filter(slug=slug)), None) if is_name else None  # first() would sort
    if row is None:
        raise UnknownSubjectError(
            gettext_noop("the record has no {kind} {slug!r}"),
            kind=NOUNS[model._meta.model_name],  # noqa: SLF001  Django's public name for it
            slug=slug,
        )
    return row


def check_fresh(row: Any, version: int | None) -> None:
    """Refuse to change what somebody else changed since the caller read it."""
    if version is not None and version != row.version:
        raise StaleError(
            gettext_noop(
                "somebody changed {slug} while you edited it (version {there}, yours was {yours}): "
                "load it again; nothing of yours was applied"
            ),
            slug=row.slug,
            there=row.version,
            yours=version,
        )


def in_both(name: str, en: str, ja: str, *, longest: int = LONGEST_TITLE) -> tuple[str, str]:
    """Return a required text in both languages."""
    for language, text in (("en", en), ("ja", ja)):
        if not text.strip():
            raise MissingTranslationError(
                gettext_noop("{field} is missing: every text is given in English and in Japanese"),
                field=f"{name}_{language}",
            )
    return (
        engine.check_text(en, what=f"{name}_en", longest=longest),
        engine.check_text(ja, what=f"{name}_ja", longest=longest),
    )


def maybe_in_both(name: str, en: str, ja: str) -> tuple[str, str]:
    """Return an optional text in both languages or in none."""
    if not en.strip() and not ja.strip():
        return "", ""
    return in_both(name, en, ja, longest=LONGEST_NOTE)


def one_line(name: str, text: str, *, longest: int = LONGEST_TITLE) -> str:
    """Return an optional text of one language."""
    return engine.check_text(text, what=name, longest=longest) if text.strip() else ""


def past_day(name: str, day: date) -> date:
    """Return a day on which something happened; what happened does not lie in the future.

    Raises:
        BadDateError: it does, or in a year that is a slip of the pen.
    """
    engine.partial_date(day.isoformat())
    if day > timezone.localdate():
        raise engine.BadDateError(
            gettext_noop("{field}: {day} lies in the future"), field=name, day=day.isoformat()
        )
    return day


def known_code(vocabulary: str, code: str) -> str:
    known = engine.VOCABULARY[vocabulary]
    if code not in known:
        raise engine.BadClaimError(
            gettext_noop("{field}: {text!r} is none of {known}"),
            field=vocabulary,
            text=code,
            known=", ".join(known),
        )
    return code


def new_slug(model: type[Any], prefix: str, slug: str) -> str:
    """Return a free name: the one asked for, or the next of this node's own."""
    if slug:
        if slugify(slug) != slug or len(slug) > 80:
            raise engine.BadClaimError(
                gettext_noop("{slug!r} is not a name: lower-case letters, digits and hyphens"),
                slug=slug,
            )
        if model.objects.filter(slug=slug).exists():
            raise TakenError(gettext_noop("the name {slug!r} is taken"), slug=slug)
        return slug
    stem = f"{settings.NODE.name}-{prefix}"
    named = model.objects.filter(slug__startswith=stem)
    last = named.order_by("-pk").values_list("slug", flat=True).first() or ""
    # The next after the newest, which is found without counting; else, after one named by hand.
    tail = last.removeprefix(stem)
    is_numbered = tail.isdecimal() and len(tail) <= LONGEST_NUMBER
    number = 1 + (int(tail) if is_numbered else named.count())
    subject = model._meta.model_name  # noqa: SLF001  Django's public name for it
    while (
        model.objects.filter(slug=f"{stem}{number}").exists()
        or Change.objects.filter(subject=subject, slug=f"{stem}{number}").exists()  # one removed
    ):
        number += 1
    return f"{stem}{number}"


def save(row: Any) -> None:
    """Check the columns and save; the database keeps the constraints.

    Asking it about each of them first would cost more than the change itself: only when it refuses
    is it asked which one, for the sentence that people read.
    """
    relations = {field.name for field in row._meta.concrete_fields if field.is_relation}  # noqa: SLF001
    row.clean_fields(exclude=relations)  # rows that were just read
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        row.validate_constraints()
        raise


def own_row(rows: QuerySet[Any], row: Commitment, number: int) -> Any:
    """Return the one of a commitment's rows that has this number.

    Raises:
        UnknownSubjectError: it has none such.
    """
    found = rows.filter(pk=number).first()
    if found is None:
        raise UnknownSubjectError(
            gettext_noop("{slug} has no {kind} {number}"),
            slug=row.slug,
            kind=NOUNS[rows.model._meta.model_name],  # noqa: SLF001  Django's public name for it
            number=number,
        )
    return found


def count_up(row: Commitment) -> None:
    """Give a commitment, whose own columns stay, its next version."""
    row.version += 1
    row.save(update_fields=["version", "updated_at"])
