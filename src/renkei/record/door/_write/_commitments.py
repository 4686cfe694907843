"""Commitments and their claims."""

from datetime import date
from typing import Any

from django.utils import timezone

from renkei.base.models import User
from renkei.kit.errors import ConflictError, gettext_noop
from renkei.record import engine
from renkei.record.door._sums import add, count, summed
from renkei.record.door._write._change import (
    Edit,
    Money,
    Passages,
    UnknownSubjectError,
    change,
    check_fresh,
    find,
    in_both,
    known_code,
    maybe_in_both,
    new_slug,
    past_day,
    save,
)
from renkei.record.models import (
    Amount,
    Claim,
    Commitment,
    Source,
    chosen_by,
    reindex_commitments,
)


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
    title = in_both("title", title_en, title_ja)
    note = maybe_in_both("note", note_en, note_ja)
    seen = past_day("seen_on", seen_on or timezone.localdate())
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
            slug=new_slug(Commitment, "c", slug),
            record_class=known_code("class", record_class),
            title_en=title[0],
            title_ja=title[1],
            note_en=note[0],
            note_ja=note[1],
            scope=known_code("scope", scope),
            source=document,
            part_of=find(Commitment, part_of) if part_of else None,
            **checked,
        )
        save(row)
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
        check_fresh(row, version)
        with summed(row.pk):
            before = {name: getattr(row, name) for name in texts}
            for name, value in texts.items():
                setattr(row, name, value.strip())
            row.title_en, row.title_ja = in_both("title", row.title_en, row.title_ja)
            row.note_en, row.note_ja = maybe_in_both("note", row.note_en, row.note_ja)
            known_code("scope", row.scope)
            known_code("class", row.record_class)
            after = {name: getattr(row, name) for name in texts}
            if part_of is not None:
                before["part_of"] = row.part_of.slug if row.part_of else ""
                row.part_of = _whole(row, part_of)
                after["part_of"] = part_of
            row.version += 1
            save(row)
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
    seen = past_day("seen_on", seen_on or timezone.localdate())
    text = value.strip() if money else engine.check_value(field, value)
    parts = checked_money(text, money, field) if money else {}
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        check_fresh(row, version)
        document: Source = find(Source, source)
        known_by = chosen_by(row)
        with summed(row.pk):
            claim = Claim(
                commitment=row,
                field=field,
                value=text,
                qualifier=known_code("qualifier", qualifier),
                source=document,
                passages=engine.check_passages(passages, characters=document.characters),
                seen_on=seen,
                author=author,
                reason=edit.reason,
            )
            save(claim)
            if money:
                save(Amount(claim=claim, commitment=row, **parts))
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
        "nature": known_code("nature", money.nature),
        "stage": known_code("stage", money.stage),
        "relation": known_code("relation", money.relation),
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
        check_fresh(row, version)
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
