"""What commitments lead to: milestones, money paid, research outcomes."""

from datetime import date

from django.db.models import QuerySet, Sum

from renkei.base.models import User
from renkei.kit.errors import gettext_noop
from renkei.record import engine
from renkei.record.door._sums import summed
from renkei.record.door._write._change import (
    LARGEST_SUM,
    LONGEST_LINE,
    TakenError,
    UnknownSubjectError,
    change,
    check_fresh,
    count_up,
    find,
    in_both,
    known_code,
    new_slug,
    one_line,
    own_row,
    past_day,
    save,
)
from renkei.record.models import (
    Commitment,
    Disbursement,
    Milestone,
    Organisation,
    Outcome,
    Source,
)


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
    title = in_both("title", title_en, title_ja)
    day = engine.partial_date(due.strip())
    measure = one_line("metric", metric, longest=60)
    aim = one_line("target", target, longest=40)
    if passage is not None and not source:
        raise engine.BadClaimError(gettext_noop("a passage needs the source that it stands in"))
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        check_fresh(row, version)
        document: Source | None = find(Source, source) if source else None
        start, end = None, None
        if passage is not None and document is not None:
            ((start, end),) = engine.check_passages([passage], characters=document.characters)
        milestone = Milestone(
            commitment=row,
            slug=new_slug(Milestone, "m", ""),
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
            save(milestone)
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
    shown = one_line("evidence", evidence, longest=LONGEST_LINE)
    where = one_line("evidence_address", evidence_address, longest=LONGEST_LINE)
    judge = one_line("assessor", assessor, longest=200)
    judged_on = past_day("assessed_on", assessed_on) if assessed_on else None
    with change(author=author, reason=reason) as edit:
        row: Milestone = find(Milestone, milestone)
        check_fresh(row, version)
        before = {"state": row.state, "evidence": row.evidence, "assessor": row.assessor}
        row.state = known_code("milestone", state)
        row.evidence, row.evidence_address = shown, where
        row.assessor, row.assessed_on = judge, judged_on
        row.version += 1
        with summed(row.commitment_id):
            save(row)
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
    shown = one_line("evidence", evidence, longest=LONGEST_LINE)
    day = past_day("paid_on", paid_on)
    with change(author=author, reason=reason) as edit:
        row: Commitment = find(Commitment, commitment)
        check_fresh(row, version)
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
                nature=known_code("nature", nature),
                paid_on=day,
                recipient=find(Organisation, recipient) if recipient else None,
                source=find(Source, source) if source else None,
                evidence=shown,
                corrects=old,
                author=author,
            )
            save(paid)
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
        check_fresh(row, version)
        _refuse_twice(row, row.outcomes.all(), stated["identifier"])
        outcome = Outcome(commitment=row, **stated)
        save(outcome)
        count_up(row)
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
        check_fresh(row, version)
        given: Outcome = own_row(row.outcomes.all(), row, outcome)
        _refuse_twice(row, row.outcomes.exclude(pk=given.pk), stated["identifier"])
        before = {name: getattr(given, name) for name in stated}
        for name, value in stated.items():
            setattr(given, name, value)
        save(given)
        count_up(row)
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
        check_fresh(row, version)
        given: Outcome = own_row(row.outcomes.all(), row, outcome)
        names = ("kind", "identifier", "title_en", "title_ja", "address", "published_on")
        before = {name: getattr(given, name) for name in names}
        given.delete()
        count_up(row)
        edit.log("remove outcome", "commitment", row.slug, before=before)


def _stated(
    *, kind: str, title_en: str, title_ja: str, identifier: str, address: str, published_on: str
) -> dict[str, str]:
    """Return the columns of an outcome, all of them checked."""
    title = in_both("title", title_en, title_ja)
    day = published_on.strip()
    return {
        "kind": kind,
        "title_en": title[0],
        "title_ja": title[1],
        "identifier": engine.check_identifier(known_code("outcome", kind), identifier),
        "address": one_line("address", address, longest=LONGEST_LINE),
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
