"""What officers do to the record. Every verb has an author and a reason and is one transaction."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone
from django.utils.text import slugify

from renkei.base import storage
from renkei.base.models import User
from renkei.base.rows import ask, moment
from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop
from renkei.record import engine, tasks
from renkei.record.door._sums import add, count, summed
from renkei.record.models import (
    MOST_BOUND,
    NOUNS,
    Amount,
    Change,
    Claim,
    Commitment,
    Disbursement,
    Finding,
    FindingSide,
    Lineage,
    Milestone,
    Organisation,
    Outcome,
    Participation,
    Source,
    State,
    chosen_by,
    finding_text,
    forget,
    index,
    next_version,
    organisation_text,
    reindex_commitments,
    source_text,
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


def _fresh(row: Any, version: int | None) -> None:
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


def _both(name: str, en: str, ja: str, *, longest: int = LONGEST_TITLE) -> tuple[str, str]:
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


def _maybe_both(name: str, en: str, ja: str) -> tuple[str, str]:
    """Return an optional text in both languages or in none."""
    if not en.strip() and not ja.strip():
        return "", ""
    return _both(name, en, ja, longest=LONGEST_NOTE)


def _line(name: str, text: str, *, longest: int = LONGEST_TITLE) -> str:
    """Return an optional text of one language."""
    return engine.check_text(text, what=name, longest=longest) if text.strip() else ""


def _past(name: str, day: date) -> date:
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


def _code(vocabulary: str, code: str) -> str:
    known = engine.VOCABULARY[vocabulary]
    if code not in known:
        raise engine.BadClaimError(
            gettext_noop("{field}: {text!r} is none of {known}"),
            field=vocabulary,
            text=code,
            known=", ".join(known),
        )
    return code


def _new_slug(model: type[Any], prefix: str, slug: str) -> str:
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


def _save(row: Any) -> None:
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


# Commitments and their claims


def add_commitment(
    *,
    author: User | None,
    reason: str,
    title_en: str,
    title_ja: str,
    source: str,
    domain: str,
    kind: str,
    status: str,
    parties: str,
    funding_source: str = "unknown",
    passages: Passages = (),
    scope: str = "bilateral",
    record_class: str = "commitment",
    part_of: str = "",
    note_en: str = "",
    note_ja: str = "",
    slug: str = "",
    seen_on: date | None = None,
) -> Commitment:
    """Add a commitment; what it says of itself becomes published claims on ``source``."""
    title = _both("title", title_en, title_ja)
    note = _maybe_both("note", note_en, note_ja)
    seen = _past("seen_on", seen_on or timezone.localdate())
    stated = {
        "domain": domain,
        "kind": kind,
        "status": status,
        "parties": parties,
        "funding_source": funding_source,
    }
    checked = {field: engine.check_value(field, value) for field, value in stated.items()}
    with change(author=author, reason=reason) as edit:
        document: Source = find(Source, source)
        placed = engine.check_passages(passages, characters=document.characters)
        row = Commitment(
            slug=_new_slug(Commitment, "c", slug),
            record_class=_code("class", record_class),
            title_en=title[0],
            title_ja=title[1],
            note_en=note[0],
            note_ja=note[1],
            scope=_code("scope", scope),
            source=document,
            part_of=find(Commitment, part_of) if part_of else None,
            **checked,
        )
        _save(row)
        Claim.objects.bulk_create(
            Claim(
                commitment=row,
                field=field,
                value=value,
                source=document,
                passages=placed,
                seen_on=seen,
                is_published=True,
                author=author,
                reason=edit.reason,
            )
            for field, value in checked.items()
        )
        project(row)
        add(count([row.pk]))  # not summed(): before, there was no row to count
        reindex_commitments([row.pk])
        edit.log("add", "commitment", row.slug, after={"title_en": title[0], **checked})
    return row


EDITABLE = ("title_en", "title_ja", "note_en", "note_ja", "scope", "record_class")


def edit_commitment(
    *,
    author: User | None,
    reason: str,
    commitment: str,
    version: int | None,
    part_of: str | None = None,
    **texts: str,
) -> Commitment:
    """Change what is ours about a commitment: titles, note, scope, class, the whole it belongs to.

    Args:
        part_of: name of the whole; empty for none; ``None`` leaves it.
        **texts: any of ``EDITABLE``.
    """
    unknown = set(texts) - set(EDITABLE)
    if unknown:
        raise TypeError(f"{sorted(unknown)}: expected some of {EDITABLE}")
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        _fresh(row, version)
        with summed(row.pk):
            before = {name: getattr(row, name) for name in texts}
            for name, value in texts.items():
                setattr(row, name, value.strip())
            row.title_en, row.title_ja = _both("title", row.title_en, row.title_ja)
            row.note_en, row.note_ja = _maybe_both("note", row.note_en, row.note_ja)
            _code("scope", row.scope)
            _code("class", row.record_class)
            after = {name: getattr(row, name) for name in texts}
            if part_of is not None:
                before["part_of"] = row.part_of.slug if row.part_of else ""
                row.part_of = _whole(row, part_of)
                after["part_of"] = part_of
            row.version += 1
            _save(row)
            project(row)
        reindex_commitments([row.pk])
        edit.log("edit", "commitment", row.slug, before=before, after=after)
    return row


def _whole(row: Commitment, slug: str) -> Commitment | None:
    """Return the whole that ``row`` shall be part of; refuse a ring."""
    if not slug:
        return None
    whole: Commitment = find(Commitment, slug)
    above: Commitment | None = whole
    while above is not None:
        if above.pk == row.pk:
            raise ConflictError(
                gettext_noop("{slug} cannot be part of {whole}: that is a part of it already"),
                slug=row.slug,
                whole=whole.slug,
            )
        above = above.part_of
    return whole


def add_claim(
    *,
    author: User | None,
    reason: str,
    commitment: str,
    field: str,
    value: str,
    source: str,
    version: int | None = None,
    qualifier: str = "exact",
    passages: Passages = (),
    seen_on: date | None = None,
    money: Money | None = None,
    publish: bool = False,
) -> Claim:
    """Add what a source says about one field; the first claim of a field is published."""
    engine.check_field(field)
    if engine.is_money(field) != (money is not None):
        raise engine.BadClaimError(
            gettext_noop(
                "{field}: currency, side, nature and stage belong to an amount, and to it alone"
            ),
            field=field,
        )
    seen = _past("seen_on", seen_on or timezone.localdate())
    text = value.strip() if money else engine.check_value(field, value)
    parts = checked_money(text, money, field) if money else {}
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        _fresh(row, version)
        document: Source = find(Source, source)
        known_by = chosen_by(row)
        with summed(row.pk):
            claim = Claim(
                commitment=row,
                field=field,
                value=text,
                qualifier=_code("qualifier", qualifier),
                source=document,
                passages=engine.check_passages(passages, characters=document.characters),
                seen_on=seen,
                author=author,
                reason=edit.reason,
            )
            _save(claim)
            if money:
                _save(Amount(claim=claim, commitment=row, **parts))
            edit.log("claim", "commitment", row.slug, field=field, after=_said(claim))
            if publish or not row.claims.filter(field=field, is_published=True).exists():
                _publish(edit, claim)
            row.version += 1
            project(row)
        if field == "name" or chosen_by(row) != known_by:
            reindex_commitments([row.pk])
    return claim


def checked_money(value: str, money: Money, field: str) -> dict[str, Any]:
    """Return the columns of ``Amount`` for an amount claim, all of them checked."""
    side = engine.side(money.side)
    if field.startswith("amount:") and field != f"amount:{side}":
        raise engine.BadClaimError(
            gettext_noop("{field}: the side of this amount is {side}"), field=field, side=side
        )
    converted: dict[str, Any] = {}
    given = [money.converted, money.converted_currency, money.rate, money.rate_on]
    if any(given):
        if not all(given):
            raise engine.BadAmountError(
                gettext_noop("a conversion has an amount, a currency, a rate and a date")
            )
        engine.check_value("target:rate", money.rate)
        converted = {
            "converted_minor": engine.to_minor(money.converted, money.converted_currency),
            "converted_currency": money.converted_currency,
            "rate": money.rate,
            "rate_on": money.rate_on,
        }
    return {
        "minor": engine.to_minor(value, money.currency),
        "currency": money.currency,
        "side": side,
        "nature": _code("nature", money.nature),
        "stage": _code("stage", money.stage),
        "relation": _code("relation", money.relation),
        **converted,
    }


def _said(claim: Claim) -> dict[str, object]:
    """Return a claim as history shows it."""
    said: dict[str, object] = {
        "claim": claim.pk,
        "value": claim.value,
        "qualifier": claim.qualifier,
        "source": claim.source.slug,
    }
    amount = Amount.objects.filter(claim=claim).first() if claim.is_money else None
    if amount is not None:
        said |= {
            "currency": amount.currency,
            "side": amount.side,
            "nature": amount.nature,
            "stage": amount.stage,
            "relation": amount.relation,
        }
    return said


def _publish(edit: Edit, claim: Claim) -> None:
    rivals = Claim.objects.filter(commitment=claim.commitment_id, field=claim.field)
    old = rivals.filter(is_published=True).select_related("source").first()
    if old is not None:
        Claim.objects.filter(pk=old.pk).update(is_published=False)
    Claim.objects.filter(pk=claim.pk).update(is_published=True)
    claim.is_published = True
    edit.log(
        "publish",
        "commitment",
        claim.commitment.slug,
        field=claim.field,
        before=_said(old) if old else None,
        after=_said(claim),
    )


def publish_claim(
    *, author: User | None, reason: str, commitment: str, claim: int, version: int | None = None
) -> Claim:
    """Choose the claim that the record publishes; its rivals stay beside it.

    A claim of another record of the same cluster may be chosen: it is taken over with its source.
    """
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        _fresh(row, version)
        chosen = Claim.objects.select_related("commitment", "source").filter(pk=claim).first()
        if chosen is None or (
            chosen.commitment_id != row.pk
            and (row.cluster_id is None or chosen.commitment.cluster_id != row.cluster_id)
        ):
            raise UnknownSubjectError(
                gettext_noop("{slug} has no claim {claim}"), slug=row.slug, claim=claim
            )
        known_by = chosen_by(row)
        with summed(row.pk):
            if chosen.commitment_id != row.pk:
                chosen = _take_over(chosen, row, edit)
            _publish(edit, chosen)
            row.version += 1
            project(row)
        if chosen.field == "name" or chosen_by(row) != known_by:
            reindex_commitments([row.pk])
    return chosen


def _take_over(claim: Claim, row: Commitment, edit: Edit) -> Claim:
    amount = Amount.objects.filter(claim=claim).first()
    claim.pk = None
    claim._state.adding = True  # noqa: SLF001  Django's way to copy a row
    claim.commitment, claim.is_published = row, False
    claim.author, claim.reason = edit.author, edit.reason
    claim.save()
    if amount is not None:
        amount.claim, amount.commitment = claim, row
        amount.save(force_insert=True)
    return claim


def project(row: Commitment) -> None:
    """Set the columns of a commitment from its published claims, and save it."""
    published = {
        claim.field: claim
        for claim in row.claims.filter(is_published=True).select_related("amount")
    }
    for field in ("domain", "kind", "status", "funding_source", "parties", "period"):
        if field in published:
            setattr(row, field, published[field].value)
    dates = sorted(claim.value for field, claim in published.items() if field.startswith("date:"))
    row.dated = dates[0] if dates else ""
    total = published.get("amount")
    amount = total.amount if total is not None else None
    row.amount_minor = amount.minor if amount else None
    row.amount_currency = amount.currency if amount else ""
    row.amount_qualifier = total.qualifier if total else ""
    row.amount_nature = amount.nature if amount else ""
    row.amount_side = amount.side if amount else ""
    row.amount_relation = amount.relation if amount else ""
    row.is_counted = row.record_class == "commitment" and row.part_of_id is None and row.is_lead
    row.save()


# Organisations and sources


def add_organisation(
    *,
    author: User | None,
    reason: str,
    title_en: str,
    title_ja: str,
    kind: str,
    country: str = "",
    aliases: Sequence[str] = (),
    slug: str = "",
) -> Organisation:
    """Add an organisation."""
    title = _both("title", title_en, title_ja)
    codes = engine.parties(country.replace("/", ","))
    with change(author=author, reason=reason) as edit:
        row = Organisation(
            slug=_new_slug(Organisation, "o", slug),
            title_en=title[0],
            title_ja=title[1],
            kind=_code("organisation", kind),
            country=codes.replace(",", "/"),
            aliases=[engine.check_text(alias, what="alias") for alias in aliases],
        )
        _save(row)
        index("organisation", {row.pk: organisation_text(row)})
        edit.log("add", "organisation", row.slug, after={"title_en": title[0], "kind": kind})
    return row


def add_participation(
    *,
    author: User | None,
    reason: str,
    commitment: str,
    organisation: str,
    role: str,
    version: int | None = None,
) -> Participation:
    """Name an organisation's role in a commitment."""
    _code("role", role)
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        _fresh(row, version)
        body: Organisation = find(Organisation, organisation)
        if row.participations.filter(organisation=body, role=role).exists():
            raise _has_role(row, body)
        part = Participation(commitment=row, organisation=body, role=role)
        _save(part)
        _counted_up(row)
        reindex_commitments([row.pk])
        edit.log("participate", "commitment", row.slug, after=_taking_part(part))
    return part


def edit_organisation(
    *,
    author: User | None,
    reason: str,
    organisation: str,
    title_en: str,
    title_ja: str,
    kind: str,
    country: str = "",
    aliases: Sequence[str] = (),
    version: int | None = None,
) -> Organisation:
    """Change an organisation's names, kind and country; commitments are found by the new names."""
    title = _both("title", title_en, title_ja)
    codes = engine.parties(country.replace("/", ",")).replace(",", "/")
    others = [engine.check_text(alias, what="alias") for alias in aliases]
    with change(author=author, reason=reason) as edit:
        row: Organisation = find(Organisation, organisation)
        _fresh(row, version)
        before = _described(row)
        row.title_en, row.title_ja = title
        row.kind, row.country, row.aliases = _code("organisation", kind), codes, others
        row.version += 1
        _save(row)
        index("organisation", {row.pk: organisation_text(row)})
        if any(before[name] != getattr(row, name) for name in ("title_en", "title_ja", "aliases")):
            keys = tasks.taken_part_in(row.pk)
            if len(keys) <= MOST_BOUND:
                reindex_commitments(keys)
            else:
                tasks.find_anew_later(row.pk)
        edit.log("edit", "organisation", row.slug, before=before, after=_described(row))
    return row


def remove_organisation(
    *, author: User | None, reason: str, organisation: str, version: int | None = None
) -> None:
    """Remove an organisation that nothing names; its history stays, and its name is not used again."""
    with change(author=author, reason=reason) as edit:
        row: Organisation = find(Organisation, organisation)
        _fresh(row, version)
        roles, paid = row.participations.count(), row.received.count()
        if roles or paid:
            raise InUseError(
                gettext_noop(
                    "{slug} has {roles} roles in commitments and received {paid} disbursements: "
                    "only an organisation with none can be removed"
                ),
                slug=row.slug,
                roles=roles,
                paid=paid,
            )
        forget("organisation", row.pk)
        row.delete()
        edit.log("remove", "organisation", row.slug, before=_described(row))


def _described(row: Organisation) -> dict[str, object]:
    return {
        "title_en": row.title_en,
        "title_ja": row.title_ja,
        "kind": row.kind,
        "country": row.country,
        "aliases": row.aliases,
    }


def edit_participation(
    *,
    author: User | None,
    reason: str,
    commitment: str,
    participation: int,
    organisation: str,
    role: str,
    version: int | None = None,
) -> Participation:
    """Change who takes part, or as what; the passage that it rests on stays."""
    _code("role", role)
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        _fresh(row, version)
        mine = row.participations.select_related("organisation")
        part: Participation = _own(mine, row, participation)
        body: Organisation = find(Organisation, organisation)
        others = row.participations.exclude(pk=part.pk)
        if others.filter(organisation=body, role=role).exists():
            raise _has_role(row, body)
        before = _taking_part(part)
        part.organisation, part.role = body, role
        _save(part)
        _counted_up(row)
        reindex_commitments([row.pk])
        edit.log("edit role", "commitment", row.slug, before=before, after=_taking_part(part))
    return part


def remove_participation(
    *,
    author: User | None,
    reason: str,
    commitment: str,
    participation: int,
    version: int | None = None,
) -> None:
    """Take an organisation's role out of a commitment; the history keeps it."""
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        _fresh(row, version)
        mine = row.participations.select_related("organisation")
        part: Participation = _own(mine, row, participation)
        before = _taking_part(part)
        part.delete()
        _counted_up(row)
        reindex_commitments([row.pk])
        edit.log("remove role", "commitment", row.slug, before=before)


def _taking_part(part: Participation) -> dict[str, object]:
    return {"organisation": part.organisation.slug, "role": part.role}


def _has_role(row: Commitment, body: Organisation) -> TakenError:
    return TakenError(
        gettext_noop("{organisation} has this role in {slug} already"),
        organisation=body.slug,
        slug=row.slug,
    )


def _own(rows: QuerySet[Any], row: Commitment, number: int) -> Any:
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


def _counted_up(row: Commitment) -> None:
    """Give a commitment, whose own columns stay, its next version."""
    row.version += 1
    row.save(update_fields=["version", "updated_at"])


def add_source(
    *,
    author: User | None,
    reason: str,
    title_en: str,
    title_ja: str,
    content: bytes,
    reliability: str,
    reliability_reason_en: str,
    reliability_reason_ja: str,
    language: str = "en",
    publisher_en: str = "",
    publisher_ja: str = "",
    published: str = "",
    address: str = "",
    doi: str = "",
    same_evidence_as: str = "",
    slug: str = "",
) -> Source:
    """Add a source document and keep its text on this node.

    Args:
        content: the document, UTF-8 text.
        same_evidence_as: a source of the same line of evidence; empty for a line of its own.
    """
    title = _both("title", title_en, title_ja)
    publisher = _maybe_both("publisher", publisher_en, publisher_ja)
    why = _both(
        "reliability_reason", reliability_reason_en, reliability_reason_ja, longest=LONGEST_NOTE
    )
    tongue = engine.check_text(language, what="language", longest=LONGEST_LANGUAGE)
    text = engine.read(content)
    day = engine.partial_date(published.strip()).text if published.strip() else ""
    where = _line("address", address, longest=LONGEST_LINE)
    identifier = engine.check_identifier("publication", doi) if doi.strip() else ""
    with change(author=author, reason=reason) as edit:
        digest = engine.digest(content)
        known = Source.objects.filter(sha256=digest).first()
        if known is not None:
            raise TakenError(
                gettext_noop("this document is source {slug} already"), slug=known.slug
            )
        name = _new_slug(Source, "s", slug)
        if same_evidence_as:
            lineage = find(Source, same_evidence_as).lineage
        else:
            lineage = Lineage.objects.create(slug=f"l-{name}", title_en=title[0], title_ja=title[1])
        row = Source(
            slug=name,
            title_en=title[0],
            title_ja=title[1],
            publisher_en=publisher[0],
            publisher_ja=publisher[1],
            language=tongue,
            published=day,
            sha256=digest,
            size=len(content),
            characters=len(text),
            address=where,
            doi=identifier,
            reliability=_code("reliability", reliability),
            reliability_reason_en=why[0],
            reliability_reason_ja=why[1],
            lineage=lineage,
            attached_at=timezone.now(),
        )
        _save(row)
        storage.put(content)
        index("source", {row.pk: source_text(row)})
        edit.log("add", "source", row.slug, after={"title_en": title[0], "sha256": digest})
    return row


# Milestones, money paid, outcomes


def add_milestone(
    *,
    author: User | None,
    reason: str,
    commitment: str,
    title_en: str,
    title_ja: str,
    due: str,
    metric: str = "",
    target: str = "",
    source: str = "",
    passage: tuple[int, int] | None = None,
    version: int | None = None,
) -> Milestone:
    """Add what is due, and when; ``passage`` says where ``source`` says so."""
    title = _both("title", title_en, title_ja)
    day = engine.partial_date(due.strip())
    measure = _line("metric", metric, longest=60)
    aim = _line("target", target, longest=40)
    if passage is not None and not source:
        raise engine.BadClaimError(gettext_noop("a passage needs the source that it stands in"))
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        _fresh(row, version)
        document: Source | None = find(Source, source) if source else None
        start, end = None, None
        if passage is not None and document is not None:
            ((start, end),) = engine.check_passages([passage], characters=document.characters)
        milestone = Milestone(
            commitment=row,
            slug=_new_slug(Milestone, "m", ""),
            title_en=title[0],
            title_ja=title[1],
            due=day.text,
            due_last=day.last,
            metric=measure,
            target=aim,
            source=document,
            start=start,
            end=end,
        )
        with summed(row.pk):
            _save(milestone)
        row.version += 1
        row.save()
        edit.log(
            "add milestone",
            "commitment",
            row.slug,
            after={"milestone": milestone.slug, "title_en": title[0], "due": day.text},
        )
    return milestone


def assess_milestone(
    *,
    author: User | None,
    reason: str,
    milestone: str,
    state: str,
    evidence: str = "",
    evidence_address: str = "",
    assessor: str = "",
    assessed_on: date | None = None,
    version: int | None = None,
) -> Milestone:
    """Say whether a milestone was delivered, on what evidence, and who judged it."""
    shown = _line("evidence", evidence, longest=LONGEST_LINE)
    where = _line("evidence_address", evidence_address, longest=LONGEST_LINE)
    judge = _line("assessor", assessor, longest=200)
    judged_on = _past("assessed_on", assessed_on) if assessed_on else None
    with change(author=author, reason=reason) as edit:
        row: Milestone = find(Milestone, milestone)
        _fresh(row, version)
        before = {"state": row.state, "evidence": row.evidence, "assessor": row.assessor}
        row.state = _code("milestone", state)
        row.evidence, row.evidence_address = shown, where
        row.assessor, row.assessed_on = judge, judged_on
        row.version += 1
        with summed(row.commitment_id):
            _save(row)
        edit.log(
            "assess milestone",
            "commitment",
            row.commitment.slug,
            before=before,
            after={
                "milestone": row.slug,
                "state": state,
                "evidence": shown,
                "assessor": judge,
            },
        )
    return row


def add_disbursement(
    *,
    author: User | None,
    reason: str,
    commitment: str,
    value: str,
    currency: str,
    side: str,
    nature: str,
    paid_on: date,
    recipient: str = "",
    source: str = "",
    evidence: str = "",
    corrects: int | None = None,
    version: int | None = None,
) -> Disbursement:
    """Record money that was paid, or correct such a record: the old row stays, and counts no more."""
    minor = engine.to_minor(value.strip(), currency)
    payer = engine.side(side)
    shown = _line("evidence", evidence, longest=LONGEST_LINE)
    day = _past("paid_on", paid_on)
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        _fresh(row, version)
        paid_already = row.disbursements.filter(is_current=True).aggregate(sum=Sum("minor"))["sum"]
        if (paid_already or 0) + minor > LARGEST_SUM:
            raise engine.BadAmountError(
                gettext_noop("{text!r} is larger than any programme"), text=value
            )
        with summed(row.pk):
            old = None
            if corrects is not None:
                old = row.disbursements.filter(pk=corrects, is_current=True).first()
                if old is None:
                    raise UnknownSubjectError(
                        gettext_noop("{slug} has no current disbursement {number}"),
                        slug=row.slug,
                        number=corrects,
                    )
                Disbursement.objects.filter(pk=old.pk).update(is_current=False)
            paid = Disbursement(
                commitment=row,
                minor=minor,
                currency=currency,
                side=payer,
                nature=_code("nature", nature),
                paid_on=day,
                recipient=find(Organisation, recipient) if recipient else None,
                source=find(Source, source) if source else None,
                evidence=shown,
                corrects=old,
                author=author,
            )
            _save(paid)
            row.version += 1
            row.save()
        edit.log(
            "correct disbursement" if old else "add disbursement",
            "commitment",
            row.slug,
            before=_paid(old) if old else None,
            after=_paid(paid),
        )
    return paid


def _paid(row: Disbursement) -> dict[str, object]:
    return {
        "disbursement": row.pk,
        "value": str(row.value),
        "currency": row.currency,
        "side": row.side,
        "nature": row.nature,
        "paid_on": row.paid_on.isoformat(),
    }


def add_outcome(
    *,
    author: User | None,
    reason: str,
    commitment: str,
    kind: str,
    title_en: str,
    title_ja: str,
    identifier: str,
    address: str = "",
    published_on: str = "",
    version: int | None = None,
) -> Outcome:
    """Record what research gave; a publication is named by its DOI."""
    stated = _stated(
        kind=kind,
        title_en=title_en,
        title_ja=title_ja,
        identifier=identifier,
        address=address,
        published_on=published_on,
    )
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        _fresh(row, version)
        _refuse_twice(row, row.outcomes.all(), stated["identifier"])
        outcome = Outcome(commitment=row, **stated)
        _save(outcome)
        _counted_up(row)
        after = {name: stated[name] for name in ("kind", "identifier", "title_en")}
        edit.log("add outcome", "commitment", row.slug, after=after)
    return outcome


def edit_outcome(
    *,
    author: User | None,
    reason: str,
    commitment: str,
    outcome: int,
    kind: str,
    title_en: str,
    title_ja: str,
    identifier: str,
    address: str = "",
    published_on: str = "",
    version: int | None = None,
) -> Outcome:
    """Change what is said of a research outcome."""
    stated = _stated(
        kind=kind,
        title_en=title_en,
        title_ja=title_ja,
        identifier=identifier,
        address=address,
        published_on=published_on,
    )
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        _fresh(row, version)
        given: Outcome = _own(row.outcomes.all(), row, outcome)
        _refuse_twice(row, row.outcomes.exclude(pk=given.pk), stated["identifier"])
        before = {name: getattr(given, name) for name in stated}
        for name, value in stated.items():
            setattr(given, name, value)
        _save(given)
        _counted_up(row)
        edit.log("edit outcome", "commitment", row.slug, before=before, after=stated)
    return given


def remove_outcome(
    *,
    author: User | None,
    reason: str,
    commitment: str,
    outcome: int,
    version: int | None = None,
) -> None:
    """Take a research outcome out of a commitment; the history keeps it."""
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        _fresh(row, version)
        given: Outcome = _own(row.outcomes.all(), row, outcome)
        names = ("kind", "identifier", "title_en", "title_ja", "address", "published_on")
        before = {name: getattr(given, name) for name in names}
        given.delete()
        _counted_up(row)
        edit.log("remove outcome", "commitment", row.slug, before=before)


def _stated(
    *, kind: str, title_en: str, title_ja: str, identifier: str, address: str, published_on: str
) -> dict[str, str]:
    """Return the columns of an outcome, all of them checked."""
    title = _both("title", title_en, title_ja)
    day = published_on.strip()
    return {
        "kind": kind,
        "title_en": title[0],
        "title_ja": title[1],
        "identifier": engine.check_identifier(_code("outcome", kind), identifier),
        "address": _line("address", address, longest=LONGEST_LINE),
        "published_on": engine.partial_date(day).text if day else "",
    }


def _refuse_twice(row: Commitment, others: QuerySet[Outcome], identifier: str) -> None:
    """Refuse an outcome that a commitment has already."""
    if others.filter(identifier=identifier).exists():
        raise TakenError(
            gettext_noop("{slug} has the outcome {identifier} already"),
            slug=row.slug,
            identifier=identifier,
        )


# Findings


def add_finding(
    *,
    author: User | None,
    reason: str,
    kind: str,
    severity: str,
    detectable: str,
    title_en: str,
    title_ja: str,
    commitments: Iterable[str] = (),
    sides: Sequence[Side] = (),
    suggestion_en: str = "",
    suggestion_ja: str = "",
    slug: str = "",
) -> Finding:
    """Add a contradiction or gap that somebody saw, with the passages that show it."""
    title = _both("title", title_en, title_ja, longest=LONGEST_NOTE)
    suggestion = _maybe_both("suggestion", suggestion_en, suggestion_ja)
    said = [_both("says", side.says_en, side.says_ja) for side in sides]
    with change(author=author, reason=reason) as edit:
        row = Finding(
            slug=_new_slug(Finding, "x", slug),
            kind=_code("finding_type", kind),
            severity=_code("severity", severity),
            detectable=_code("detectable", detectable),
            title_en=title[0],
            title_ja=title[1],
            suggestion_en=suggestion[0],
            suggestion_ja=suggestion[1],
        )
        _save(row)
        about: list[Commitment] = [find(Commitment, name) for name in commitments]
        row.commitments.set(about)
        reindex_commitments(item.pk for item in about)
        for position, (side, says) in enumerate(zip(sides, said, strict=True)):
            document: Source = find(Source, side.source)
            engine.check_passages([(side.start, side.end)], characters=document.characters)
            FindingSide.objects.create(
                finding=row,
                position=position,
                source=document,
                start=side.start,
                end=side.end,
                title_en=says[0],
                title_ja=says[1],
            )
        index("finding", {row.pk: finding_text(row)})
        edit.log("add", "finding", row.slug, after={"title_en": title[0], "severity": severity})
    return row


def resolve_finding(
    *,
    author: User | None,
    reason: str,
    finding: str,
    decision_en: str,
    decision_ja: str,
    version: int | None = None,
    now: datetime | None = None,
) -> Finding:
    """Write down what was decided about a finding; the passages stay as they are."""
    decision = _both("decision", decision_en, decision_ja, longest=LONGEST_NOTE)
    with change(author=author, reason=reason) as edit:
        row: Finding = find(Finding, finding)
        _fresh(row, version)
        before = {"state": row.state, "decision_en": row.decision_en}
        row.state = "resolved"
        row.decision_en, row.decision_ja = decision
        row.decided_by, row.decided_at = author, now or timezone.now()
        row.version += 1
        _save(row)
        index("finding", {row.pk: finding_text(row)})
        edit.log(
            "resolve",
            "finding",
            row.slug,
            before=before,
            after={"state": "resolved", "decision_en": decision[0]},
        )
    return row


def reopen_finding(
    *, author: User | None, reason: str, finding: str, version: int | None = None
) -> Finding:
    """Take a decision back; it stays in the history."""
    with change(author=author, reason=reason) as edit:
        row: Finding = find(Finding, finding)
        _fresh(row, version)
        if row.state == "open":
            raise ConflictError(
                gettext_noop("{slug} is open: there is no decision to take back"), slug=row.slug
            )
        before = {"state": row.state, "decision_en": row.decision_en}
        row.state, row.decision_en, row.decision_ja = "open", "", ""
        row.decided_by = row.decided_at = None
        row.version += 1
        _save(row)
        index("finding", {row.pk: finding_text(row)})
        edit.log("reopen", "finding", row.slug, before=before, after={"state": "open"})
    return row
