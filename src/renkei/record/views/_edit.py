"""What officers do on pages: each view shows a form, and on POST hands it to one verb of the door.

Nothing that was typed is lost: a refusal shows the same form again with what was wrong. Where
somebody else was faster, the page also shows what the record says now, and the form can be sent
again on top of that.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from renkei.base.access import access
from renkei.base.forms import refusals_on
from renkei.base.models import Role, User
from renkei.kit.errors import NotFoundError, RenkeiError, gettext_noop
from renkei.record import door
from renkei.record.forms import (
    FIELDS,
    AssessmentForm,
    AttachForm,
    ChangeForm,
    ClaimForm,
    CommitmentEditForm,
    CommitmentForm,
    DecisionForm,
    DisbursementForm,
    FindingForm,
    MilestoneForm,
    OrganisationEditForm,
    OrganisationForm,
    OutcomeForm,
    ParticipationForm,
    PublishForm,
    RemovalForm,
    ReopenForm,
    SourceForm,
    claim_said,
    initial_correction,
)
from renkei.record.models import (
    Claim,
    Commitment,
    Disbursement,
    Finding,
    Milestone,
    Organisation,
    Outcome,
    Participation,
    Source,
    label,
)

OK, REFUSED = 200, 422
Facts = list[tuple[object, object]]
form_page = require_http_methods(["GET", "HEAD", "POST"])
MOST_CLAIMS = 500


@dataclass(kw_only=True)
class _Page:
    """One editing page.

    Attributes:
        title: what is done here.
        form: the form's class.
        act: the verb; it is given the form's arguments and the author.
        done: where to go afterwards, from what the verb returned.
        about: what it is done to: its title and address.
        initial: what the form shows first.
        fresh: reads version and present facts again after a conflict.
        template: what draws it.
    """

    title: object
    form: type[ChangeForm]
    act: Callable[..., Any]
    done: Callable[[Any], str]
    about: tuple[str, str] | None = None
    initial: Mapping[str, Any] = field(default_factory=dict)
    fresh: Callable[[], tuple[int, Facts]] | None = None
    facts: Facts = field(default_factory=list)
    button: object = gettext_lazy("Save")
    template: str = "record/edit.html"
    more: Mapping[str, Any] = field(default_factory=dict)

    def answer(self, request: HttpRequest) -> HttpResponseBase:
        """Show the form, or act on it."""
        if request.method != "POST":
            return self._show(request, self.form(initial=dict(self.initial)), status=OK)
        form = self.form(request.POST, request.FILES)
        if not form.is_valid():
            return self._show(request, form, status=REFUSED)
        with refusals_on(form) as refused:
            result = self.act(**form.arguments(), author=cast(User, request.user))
        if refused:
            return self._refused(request, form, refused[0])
        messages.success(request, _("Saved. The history shows what you changed."))
        return redirect(self.done(result))

    def _refused(
        self, request: HttpRequest, form: ChangeForm, refusal: RenkeiError
    ) -> HttpResponse:
        if not isinstance(refusal, door.StaleError) or self.fresh is None:
            return self._show(request, form, status=refusal.status)
        version, facts = self.fresh()
        # The officer now sees what the other one wrote: sending again is meant on top of that.
        form.data = {**form.data.dict(), "version": str(version)}  # type: ignore[attr-defined]  # a QueryDict
        return self._show(request, form, status=refusal.status, now=facts)

    def _show(
        self, request: HttpRequest, form: forms.Form, *, status: int, now: Facts | None = None
    ) -> HttpResponse:
        context = {
            "title": self.title,
            "form": form,
            "about": self.about,
            "facts": self.facts,
            "now": now,
            "button": self.button,
            **self.more,
        }
        return TemplateResponse(
            request, self.template, context, status=status, headers={"Cache-Control": "no-store"}
        )


def _hub(slug: str) -> str:
    """Return the address from which everything about a commitment is edited."""
    return reverse("record:commitment_edit", args=[slug])


def _about(row: Any, address: str) -> tuple[str, str]:
    return f"{row.slug}: {row.title}", address


def _facts(row: Commitment) -> tuple[int, Facts]:
    """Return what the record says now of a commitment."""
    row = Commitment.objects.select_related("part_of").get(pk=row.pk)
    facts: Facts = [
        (_("Title in English"), row.title_en),
        (_("Title in Japanese"), row.title_ja),
        (_("Class"), label("class", row.record_class)),
        (_("Scope"), label("scope", row.scope)),
        (_("Part of"), row.part_of.slug if row.part_of else "–"),
        (_("Note in English"), row.note_en or "–"),
        (_("Note in Japanese"), row.note_ja or "–"),
    ]
    facts += [
        (field_label(claim.field), claim_said(claim))
        for claim in _claims([row.pk]).filter(is_published=True)
    ]
    facts += [(_("Milestone"), f"{item.slug}: {item.title}") for item in row.milestones.all()]
    facts += [
        (_("Disbursement"), str(item)) for item in row.disbursements.filter(is_current=True)[:50]
    ]
    facts += [(_("Outcome"), f"{item.title} ({item.identifier})") for item in row.outcomes.all()]
    return row.version, facts


def _claims(commitments: Iterable[int]) -> Any:
    return (
        Claim.objects.filter(commitment__in=list(commitments))
        .select_related("source", "amount", "commitment")
        .order_by("field", "-is_published", "pk")
    )


def field_label(name: str) -> str:
    """Return what people read for the field of a claim, with its detail."""
    about, _colon, detail = name.partition(":")
    known = FIELDS.get("amount_side" if about == "amount" and detail else about, about)
    return f"{known} ({detail})" if detail else str(known)


def _on_commitment(slug: str, **parts: Any) -> _Page:
    """Return a page that changes something of a commitment."""
    row: Commitment = door.find(Commitment, slug)
    parts["initial"] = {"version": row.version, **parts.get("initial", {})}
    return _Page(
        about=_about(row, _hub(row.slug)),
        done=lambda _result: _hub(row.slug),
        fresh=partial(_facts, row),
        **parts,
    )


# Commitments and their claims


@access(Role.OFFICER)
@form_page
def commitment_add(request: HttpRequest) -> HttpResponseBase:
    """Add a commitment."""
    return _Page(
        title=_("Add a commitment"),
        form=CommitmentForm,
        act=door.add_commitment,
        done=lambda row: _hub(row.slug),
        initial={"source": request.GET.get("source", "")},
    ).answer(request)


@access(Role.OFFICER)
@form_page
def commitment_edit(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Show everything that can be done to a commitment; on POST change what is ours about it."""
    row: Commitment = door.find(Commitment, slug)
    names = ("title_en", "title_ja", "record_class", "scope", "note_en", "note_ja")
    return _on_commitment(
        slug,
        title=_("Edit a commitment"),
        form=CommitmentEditForm,
        act=partial(door.edit_commitment, commitment=row.slug),
        initial={
            **{name: getattr(row, name) for name in names},
            "part_of": row.part_of.slug if row.part_of else "",
        },
        template="record/commitment_edit.html",
        more=_everything(row),
    ).answer(request)


def _everything(row: Commitment) -> dict[str, Any]:
    """Return what the page that gathers all actions shows."""
    mates = [row.pk]
    if row.cluster_id is not None:
        mates += Commitment.objects.filter(cluster=row.cluster_id).values_list("pk", flat=True)
    by_field: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for claim in _claims(mates)[:MOST_CLAIMS]:
        is_own = claim.commitment_id == row.pk
        by_field[claim.field].append(
            {
                "claim": claim,
                "said": claim_said(claim),
                "is_own": is_own,
                "is_published": is_own and claim.is_published,
            }
        )
    own = {
        claim["claim"].field for items in by_field.values() for claim in items if claim["is_own"]
    }
    return {
        "row": row,
        "claims": [
            (field_label(name), items) for name, items in sorted(by_field.items()) if name in own
        ],
        "milestones": row.milestones.order_by("due_last", "pk"),
        "disbursements": row.disbursements.select_related("recipient").order_by("-paid_on", "-pk")[
            :100
        ],
        "outcomes": row.outcomes.order_by("pk"),
        "participations": row.participations.select_related("organisation").order_by("pk"),
        "findings": row.findings.order_by("pk"),
    }


@access(Role.OFFICER)
@form_page
def claim_add(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Add what a source says about one field."""
    row: Commitment = door.find(Commitment, slug)
    return _on_commitment(
        slug,
        title=_("Add a claim"),
        form=ClaimForm,
        act=partial(door.add_claim, commitment=slug),
        initial={"source": row.source.slug if row.source else ""},
    ).answer(request)


@access(Role.OFFICER)
@form_page
def claim_publish(request: HttpRequest, slug: str, claim: int) -> HttpResponseBase:
    """Choose the claim that the record publishes."""
    row: Commitment = door.find(Commitment, slug)
    chosen = _claims([row.pk]).filter(pk=claim).first()
    if chosen is None and row.cluster_id is not None:
        chosen = (
            Claim.objects.select_related("source", "amount", "commitment")
            .filter(pk=claim, commitment__cluster=row.cluster_id)
            .first()
        )
    if chosen is None:
        raise NotFoundError(gettext_noop("{slug} has no claim {claim}"), slug=slug, claim=claim)
    published = _claims([row.pk]).filter(field=chosen.field, is_published=True).first()
    facts: Facts = [
        (_("Field"), field_label(chosen.field)),
        (_("Published now"), claim_said(published) if published else "–"),
        (_("Published then"), claim_said(chosen)),
    ]
    return _on_commitment(
        slug,
        title=_("Publish a claim"),
        form=PublishForm,
        act=partial(door.publish_claim, commitment=slug, claim=claim),
        facts=facts,
        button=_("Publish this claim"),
    ).answer(request)


@access(Role.OFFICER)
@form_page
def participation_add(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Name an organisation's role."""
    return _on_commitment(
        slug,
        title=_("Add an organisation's role"),
        form=ParticipationForm,
        act=partial(door.add_participation, commitment=slug),
    ).answer(request)


def _participation(slug: str, number: int) -> Participation:
    rows = Participation.objects.filter(commitment__slug=slug, pk=number)
    part: Participation = _there(rows.select_related("organisation"), slug, number)
    return part


def _there(rows: QuerySet[Any], slug: str, number: int) -> Any:
    """Return the only row.

    Raises:
        NotFoundError: it is gone, or never was.
    """
    row = rows.first()
    if row is None:
        raise NotFoundError(
            gettext_noop("{slug} has no entry {number}: somebody may have removed it"),
            slug=slug,
            number=number,
        )
    return row


@access(Role.OFFICER)
@form_page
def participation_edit(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """Change who takes part, or as what."""
    part = _participation(slug, number)
    return _on_commitment(
        slug,
        title=_("Edit an organisation's role"),
        form=ParticipationForm,
        act=partial(door.edit_participation, commitment=slug, participation=number),
        initial={"organisation": part.organisation.slug, "role": part.role},
    ).answer(request)


@access(Role.OFFICER)
@form_page
def participation_remove(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """Take a role out of a commitment."""
    part = _participation(slug, number)
    return _on_commitment(
        slug,
        title=_("Remove an organisation's role"),
        form=RemovalForm,
        act=partial(door.remove_participation, commitment=slug, participation=number),
        facts=[
            (_("Organisation"), part.organisation.title),
            (_("Role"), label("role", part.role)),
        ],
        button=_("Remove"),
    ).answer(request)


# Milestones, money paid, outcomes


@access(Role.OFFICER)
@form_page
def milestone_add(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Add what is due, and when."""
    return _on_commitment(
        slug,
        title=_("Add a milestone"),
        form=MilestoneForm,
        act=partial(door.add_milestone, commitment=slug),
    ).answer(request)


@access(Role.OFFICER)
@form_page
def milestone_assess(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Say whether a milestone was delivered."""
    row: Milestone = door.find(Milestone, slug)
    names = ("version", "state", "evidence", "evidence_address", "assessor", "assessed_on")
    address = _hub(row.commitment.slug)

    def fresh() -> tuple[int, Facts]:
        now: Milestone = door.find(Milestone, slug)
        return now.version, [
            (_("Judgement"), label("milestone", now.state)),
            (_("Evidence"), now.evidence or "–"),
            (_("Address of the evidence"), now.evidence_address or "–"),
            (_("Assessor"), now.assessor or "–"),
            (_("Assessed on"), now.assessed_on or "–"),
        ]

    return _Page(
        title=_("Assess a milestone"),
        form=AssessmentForm,
        act=partial(door.assess_milestone, milestone=slug),
        done=lambda _result: address,
        about=_about(row, address),
        initial={name: getattr(row, name) for name in names},
        facts=[(_("Due"), row.due), (_("Value to reach"), f"{row.metric} {row.target}".strip())],
        fresh=fresh,
    ).answer(request)


@access(Role.OFFICER)
@form_page
def disbursement_add(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Record money that was paid."""
    return _on_commitment(
        slug,
        title=_("Record a disbursement"),
        form=DisbursementForm,
        act=partial(door.add_disbursement, commitment=slug),
    ).answer(request)


@access(Role.OFFICER)
@form_page
def disbursement_correct(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """Correct a disbursement; the old row stays readable."""
    old = (
        Disbursement.objects.filter(commitment__slug=slug, pk=number, is_current=True)
        .select_related("recipient", "source")
        .first()
    )
    if old is None and request.method != "POST":
        raise NotFoundError(
            gettext_noop("{slug} has no current disbursement {number}"), slug=slug, number=number
        )
    return _on_commitment(
        slug,
        title=_("Correct a disbursement"),
        form=DisbursementForm,
        act=partial(door.add_disbursement, commitment=slug, corrects=number),
        initial=initial_correction(old) if old else {},
    ).answer(request)


@access(Role.OFFICER)
@form_page
def outcome_add(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Record what research gave."""
    return _on_commitment(
        slug,
        title=_("Add a research outcome"),
        form=OutcomeForm,
        act=partial(door.add_outcome, commitment=slug),
    ).answer(request)


def _outcome(slug: str, number: int) -> Outcome:
    row: Outcome = _there(Outcome.objects.filter(commitment__slug=slug, pk=number), slug, number)
    return row


@access(Role.OFFICER)
@form_page
def outcome_edit(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """Change what is said of a research outcome."""
    row = _outcome(slug, number)
    names = ("kind", "title_en", "title_ja", "identifier", "address", "published_on")
    return _on_commitment(
        slug,
        title=_("Edit a research outcome"),
        form=OutcomeForm,
        act=partial(door.edit_outcome, commitment=slug, outcome=number),
        initial={name: getattr(row, name) for name in names},
    ).answer(request)


@access(Role.OFFICER)
@form_page
def outcome_remove(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """Take a research outcome out of a commitment."""
    row = _outcome(slug, number)
    return _on_commitment(
        slug,
        title=_("Remove a research outcome"),
        form=RemovalForm,
        act=partial(door.remove_outcome, commitment=slug, outcome=number),
        facts=[(label("outcome", row.kind), row.title), (_("Identifier"), row.identifier)],
        button=_("Remove"),
    ).answer(request)


# Organisations and sources


def _on_organisation(slug: str, **parts: Any) -> _Page:
    row: Organisation = door.find(Organisation, slug)

    def fresh() -> tuple[int, Facts]:
        now: Organisation = door.find(Organisation, slug)
        return now.version, [
            (_("Name in English"), now.title_en),
            (_("Name in Japanese"), now.title_ja),
            (_("Kind"), label("organisation", now.kind)),
            (_("Country"), now.country or "–"),
            (_("Other names"), ", ".join(now.aliases) or "–"),
        ]

    return _Page(
        about=_about(row, reverse("record:organisation", args=[slug])),
        fresh=fresh,
        initial={
            "version": row.version,
            **{name: getattr(row, name) for name in ("title_en", "title_ja", "kind", "country")},
            "aliases": "\n".join(row.aliases),
        },
        **parts,
    )


@access(Role.OFFICER)
@form_page
def organisation_edit(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Change what is said of an organisation."""
    return _on_organisation(
        slug,
        title=_("Edit an organisation"),
        form=OrganisationEditForm,
        act=partial(door.edit_organisation, organisation=slug),
        done=lambda row: reverse("record:organisation", args=[row.slug]),
    ).answer(request)


@access(Role.OFFICER)
@form_page
def organisation_remove(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Take an organisation that nothing names out of the record."""
    return _on_organisation(
        slug,
        title=_("Remove an organisation"),
        form=RemovalForm,
        act=partial(door.remove_organisation, organisation=slug),
        done=lambda _none: reverse("record:organisations"),
        button=_("Remove"),
    ).answer(request)


@access(Role.OFFICER)
@form_page
def organisation_add(request: HttpRequest) -> HttpResponseBase:
    """Add an organisation."""
    return _Page(
        title=_("Add an organisation"),
        form=OrganisationForm,
        act=door.add_organisation,
        done=lambda row: reverse("record:organisation", args=[row.slug]),
    ).answer(request)


@access(Role.OFFICER)
@form_page
def source_add(request: HttpRequest) -> HttpResponseBase:
    """Add a source with its document."""
    return _Page(
        title=_("Add a source"),
        form=SourceForm,
        act=door.add_source,
        done=lambda row: reverse("record:source", args=[row.slug]),
    ).answer(request)


@access(Role.OFFICER)
@form_page
def source_attach(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Keep a source's document on this node."""
    row: Source = door.find(Source, slug)
    address = reverse("record:source", args=[row.slug])
    return _Page(
        title=_("Attach a document"),
        form=AttachForm,
        act=partial(door.attach, source=slug),
        done=lambda _row: address,
        about=_about(row, address),
        facts=[("SHA-256", row.sha256), (_("Size in bytes"), row.size)],
        button=_("Attach"),
    ).answer(request)


# Findings


@access(Role.OFFICER)
@form_page
def finding_add(request: HttpRequest) -> HttpResponseBase:
    """Add a contradiction or gap."""
    return _Page(
        title=_("Add a finding"),
        form=FindingForm,
        act=door.add_finding,
        done=lambda row: reverse("record:finding", args=[row.slug]),
        initial={"commitments": request.GET.get("commitment", "")},
    ).answer(request)


def _on_finding(slug: str, **parts: Any) -> _Page:
    row: Finding = door.find(Finding, slug)
    address = reverse("record:finding", args=[row.slug])

    def fresh() -> tuple[int, Facts]:
        now: Finding = door.find(Finding, slug)
        return now.version, [
            (_("State"), label("finding", now.state)),
            (_("Decision in English"), now.decision_en or "–"),
            (_("Decision in Japanese"), now.decision_ja or "–"),
        ]

    return _Page(
        about=_about(row, address),
        done=lambda _result: address,
        fresh=fresh,
        initial={
            "version": row.version,
            "decision_en": row.decision_en,
            "decision_ja": row.decision_ja,
        },
        **parts,
    )


@access(Role.OFFICER)
@form_page
def finding_resolve(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Write down what was decided."""
    return _on_finding(
        slug,
        title=_("Decide a finding"),
        form=DecisionForm,
        act=partial(door.resolve_finding, finding=slug),
    ).answer(request)


@access(Role.OFFICER)
@form_page
def finding_reopen(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Take a decision back."""
    return _on_finding(
        slug,
        title=_("Reopen a finding"),
        form=ReopenForm,
        act=partial(door.reopen_finding, finding=slug),
        button=_("Reopen"),
    ).answer(request)
