"""Findings: contradictions and gaps, and what was decided."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.utils import timezone

from renkei.base.models import User
from renkei.kit.errors import ConflictError, gettext_noop
from renkei.record import engine
from renkei.record.door._write._change import (
    LONGEST_NOTE,
    Side,
    change,
    check_fresh,
    find,
    in_both,
    known_code,
    maybe_in_both,
    new_slug,
    save,
)
from renkei.record.models import (
    Commitment,
    Finding,
    FindingSide,
    Source,
    finding_text,
    index,
    reindex_commitments,
)


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
    title = in_both("title", title_en, title_ja, longest=LONGEST_NOTE)
    suggestion = maybe_in_both("suggestion", suggestion_en, suggestion_ja)
    said = [in_both("says", side.says_en, side.says_ja) for side in sides]
    with change(author=author, reason=reason) as edit:
        row = Finding(
            slug=new_slug(Finding, "x", slug),
            kind=known_code("finding_type", kind),
            severity=known_code("severity", severity),
            detectable=known_code("detectable", detectable),
            title_en=title[0],
            title_ja=title[1],
            suggestion_en=suggestion[0],
            suggestion_ja=suggestion[1],
        )
        save(row)
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
    decision = in_both("decision", decision_en, decision_ja, longest=LONGEST_NOTE)
    with change(author=author, reason=reason) as edit:
        row: Finding = find(Finding, finding)
        check_fresh(row, version)
        before = {"state": row.state, "decision_en": row.decision_en}
        row.state = "resolved"
        row.decision_en, row.decision_ja = decision
        row.decided_by, row.decided_at = author, now or timezone.now()
        row.version += 1
        save(row)
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
        check_fresh(row, version)
        if row.state == "open":
            raise ConflictError(
                gettext_noop("{slug} is open: there is no decision to take back"), slug=row.slug
            )
        before = {"state": row.state, "decision_en": row.decision_en}
        row.state, row.decision_en, row.decision_ja = "open", "", ""
        row.decided_by = row.decided_at = None
        row.version += 1
        save(row)
        index("finding", {row.pk: finding_text(row)})
        edit.log("reopen", "finding", row.slug, before=before, after={"state": "open"})
    return row
