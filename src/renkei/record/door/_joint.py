"""What both parties decide about the record: kinds of joint acts, and what a sealed one changes.

The sealed text is itself the source of what it says: its bytes are the same on every node.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import rfc8785
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from renkei.border.door import JointField, JointKind
from renkei.kit.errors import gettext_noop
from renkei.record import engine
from renkei.record.door import _write
from renkei.record.models import (
    LABELS,
    Agreement,
    Commitment,
    Finding,
    Joint,
    Source,
)

Content = Mapping[str, Any]

_TITLE = {"type": "string", "minLength": 1, "maxLength": 300}
_TEXT = {"type": "string", "maxLength": 4000}
_SLUG = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,79}$"}
_DAY = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}


def _one_of(vocabulary: str) -> dict[str, Any]:
    return {"enum": list(engine.VOCABULARY[vocabulary])}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": sorted(required),
        "properties": {**required, **(optional or {})},
    }


def _source_of(content: Content, act: str, reason: str) -> Source:
    """Return the sealed text as a source document of the record; the same one for the same act."""
    text = rfc8785.dumps(dict(content))
    known = Source.objects.filter(sha256=engine.digest(text)).first()
    if known is not None:
        return known
    return _write.add_source(
        author=None,
        reason=reason,
        title_en=f"Joint act {act}",
        title_ja=f"共同行為 {act}",
        content=text,
        reliability="primary",
        reliability_reason_en="Approved by every party and sealed; the border's log holds the approvals.",
        reliability_reason_ja="全当事者が承認し封印した文書。承認は境界のログに記録されている。",
        slug=f"act-{engine.digest(text)[:16]}",
    )


def _joined(
    act: str,
    kind: str,
    *,
    commitment: Commitment | None = None,
    finding: Finding | None = None,
    agreement: Agreement | None = None,
) -> None:
    Joint.objects.create(
        act=act, kind=kind, commitment=commitment, finding=finding, agreement=agreement
    )


def _witnessed(_content: Content, act: str) -> None:
    """Show on the record's pages that the act is witnessed by all."""
    if Joint.objects.filter(act=act, is_witnessed=False).exists():
        with _write.change(author=None, reason=f"joint act {act} is witnessed"):
            Joint.objects.filter(act=act).update(is_witnessed=True)


def _apply_commitment(content: Content, act: str, reason: str) -> None:
    source = _source_of(content, act, reason)
    row = _write.add_commitment(
        author=None,
        reason=reason,
        slug=content["slug"],
        title_en=content["title_en"],
        title_ja=content["title_ja"],
        domain=content["domain"],
        kind=content["kind"],
        status=content["status"],
        parties=content["parties"],
        funding_source=content.get("funding_source", "unknown"),
        note_en=content.get("note_en", ""),
        note_ja=content.get("note_ja", ""),
        source=source.slug,
        passages=[(0, source.characters)],
    )
    _joined(act, "commitment", commitment=row)


def _check_commitment(content: Content) -> None:
    if Commitment.objects.filter(slug=content["slug"]).exists():
        raise _write.TakenError(
            gettext_noop("there is a commitment {slug} already"), slug=content["slug"]
        )
    for field in ("domain", "kind", "status", "parties"):
        engine.check_value(field, content[field])


def _apply_milestone(content: Content, act: str, reason: str) -> None:
    source = _source_of(content, act, reason)
    row = _write.add_milestone(
        author=None,
        reason=reason,
        commitment=content["commitment"],
        title_en=content["title_en"],
        title_ja=content["title_ja"],
        due=content["due"],
        metric=content.get("metric", ""),
        target=content.get("target", ""),
        source=source.slug,
        passage=(0, source.characters),
    )
    _joined(act, "milestone", commitment=row.commitment)


def _check_milestone(content: Content) -> None:
    _write.find(Commitment, content["commitment"])
    engine.partial_date(content["due"])


def _apply_disbursement(content: Content, act: str, reason: str) -> None:
    source = _source_of(content, act, reason)
    row = _write.add_disbursement(
        author=None,
        reason=reason,
        commitment=content["commitment"],
        value=content["value"],
        currency=content["currency"],
        side=content["side"],
        nature=content["nature"],
        paid_on=date.fromisoformat(content["paid_on"]),
        recipient=content.get("recipient", ""),
        source=source.slug,
        evidence=content.get("evidence", ""),
    )
    _joined(act, "disbursement", commitment=row.commitment)


def _check_disbursement(content: Content) -> None:
    _write.find(Commitment, content["commitment"])
    engine.to_minor(content["value"], content["currency"])
    engine.side(content["side"])
    try:
        date.fromisoformat(content["paid_on"])
    except ValueError as error:
        raise engine.BadDateError(
            gettext_noop("{text!r} is no day: expected one such as 2026-11-22"),
            text=content["paid_on"],
        ) from error


def _apply_agreement(content: Content, act: str, reason: str) -> None:
    with _write.change(author=None, reason=reason) as edit:
        row = Agreement(
            slug=content["slug"],
            title_en=content["title_en"],
            title_ja=content["title_ja"],
            kind=content["kind"],
            parties=content["parties"],
            signed=content["signed"],
            binding=content["binding"],
            note_en=content.get("note_en", ""),
            note_ja=content.get("note_ja", ""),
        )
        row.full_clean()
        row.save()
        edit.log("add", "agreement", row.slug, after={"title_en": row.title_en})
        _joined(act, "agreement", agreement=row)


def _check_agreement(content: Content) -> None:
    if Agreement.objects.filter(slug=content["slug"]).exists():
        raise _write.TakenError(
            gettext_noop("there is an agreement {slug} already"), slug=content["slug"]
        )
    engine.partial_date(content["signed"])
    engine.check_value("parties", content["parties"])


def _apply_decision(content: Content, act: str, reason: str) -> None:
    row = _write.resolve_finding(
        author=None,
        reason=reason,
        finding=content["finding"],
        decision_en=content["decision_en"],
        decision_ja=content["decision_ja"],
    )
    _joined(act, "decision", finding=row)


def _check_decision(content: Content) -> None:
    _write.find(Finding, content["finding"])


def _text(name: str, said: object, *, is_long: bool = False) -> JointField:
    return JointField(name=name, label=said, is_long=is_long)


def _code(name: str, said: object, vocabulary: str) -> JointField:
    choices = tuple((code, LABELS[vocabulary][code]) for code in engine.VOCABULARY[vocabulary])
    return JointField(name=name, label=said, choices=choices)


_TITLES = (_text("title_en", _("Title (English)")), _text("title_ja", _("Title (Japanese)")))
_NOTES = (
    _text("note_en", _("Note (English)"), is_long=True),
    _text("note_ja", _("Note (Japanese)"), is_long=True),
)


def _commitment_url(content: Content) -> str:
    slug = content.get("commitment") or content.get("slug", "")
    return reverse("record:commitment", args=[slug])


JOINT = (
    JointKind(
        name="record.commitment",
        label=_("Commitment"),
        schema=_object(
            {
                "slug": _SLUG,
                "title_en": _TITLE,
                "title_ja": _TITLE,
                "domain": _one_of("domain"),
                "kind": _one_of("kind"),
                "status": _one_of("status"),
                "parties": {"type": "string", "minLength": 2, "maxLength": 120},
            },
            {"funding_source": _one_of("funding_source"), "note_en": _TEXT, "note_ja": _TEXT},
        ),
        apply=_apply_commitment,
        check=_check_commitment,
        witnessed=_witnessed,
        fields=(
            _text("slug", _("Short name in addresses")),
            *_TITLES,
            _code("domain", _("Domain"), "domain"),
            _code("kind", _("Kind"), "kind"),
            _code("status", _("Status"), "status"),
            _text("parties", _("Parties")),
            _code("funding_source", _("Funding source"), "funding_source"),
            *_NOTES,
        ),
        url=_commitment_url,
    ),
    JointKind(
        name="record.milestone",
        label=_("Milestone"),
        schema=_object(
            {
                "commitment": _SLUG,
                "title_en": _TITLE,
                "title_ja": _TITLE,
                "due": {"type": "string", "pattern": "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"},
            },
            {
                "metric": {"type": "string", "maxLength": 60},
                "target": {"type": "string", "maxLength": 40},
            },
        ),
        apply=_apply_milestone,
        check=_check_milestone,
        witnessed=_witnessed,
        fields=(
            _text("commitment", _("Commitment")),
            *_TITLES,
            _text("due", _("Due")),
            _text("metric", _("Metric")),
            _text("target", _("Target")),
        ),
        url=_commitment_url,
    ),
    JointKind(
        name="record.disbursement",
        label=_("Disbursement"),
        schema=_object(
            {
                "commitment": _SLUG,
                "value": {"type": "string", "pattern": "^[0-9][0-9,.]{0,30}$"},
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
                "side": {"type": "string", "minLength": 2, "maxLength": 10},
                "nature": _one_of("nature"),
                "paid_on": _DAY,
            },
            {"recipient": _SLUG, "evidence": {"type": "string", "maxLength": 500}},
        ),
        apply=_apply_disbursement,
        check=_check_disbursement,
        witnessed=_witnessed,
        is_applied_witnessed=True,  # money is released only when every witness has cosigned
        fields=(
            _text("commitment", _("Commitment")),
            _text("value", _("Amount")),
            _text("currency", _("Currency")),
            _text("side", _("Side")),
            _code("nature", _("Nature"), "nature"),
            _text("paid_on", _("Paid on")),
            _text("recipient", _("Recipient")),
            _text("evidence", _("Evidence")),
        ),
        url=_commitment_url,
    ),
    JointKind(
        name="record.agreement",
        label=_("Agreement"),
        schema=_object(
            {
                "slug": _SLUG,
                "title_en": _TITLE,
                "title_ja": _TITLE,
                "kind": _one_of("agreement"),
                "parties": {"type": "string", "minLength": 2, "maxLength": 120},
                "signed": {"type": "string", "pattern": "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"},
                "binding": _one_of("binding"),
            },
            {"note_en": _TEXT, "note_ja": _TEXT},
        ),
        apply=_apply_agreement,
        check=_check_agreement,
        witnessed=_witnessed,
        fields=(
            _text("slug", _("Short name in addresses")),
            *_TITLES,
            _code("kind", _("Kind"), "agreement"),
            _text("parties", _("Parties")),
            _text("signed", _("Signed")),
            _code("binding", _("Binding"), "binding"),
            *_NOTES,
        ),
        url=lambda content: reverse("record:agreement", args=[content["slug"]]),
    ),
    JointKind(
        name="record.decision",
        label=_("Decision on a finding"),
        schema=_object(
            {
                "finding": _SLUG,
                "decision_en": {"type": "string", "minLength": 1, "maxLength": 4000},
                "decision_ja": {"type": "string", "minLength": 1, "maxLength": 4000},
            }
        ),
        apply=_apply_decision,
        check=_check_decision,
        witnessed=_witnessed,
        fields=(
            _text("finding", _("Finding")),
            _text("decision_en", _("Decision (English)"), is_long=True),
            _text("decision_ja", _("Decision (Japanese)"), is_long=True),
        ),
        url=lambda content: reverse("record:finding", args=[content["finding"]]),
    ),
)
