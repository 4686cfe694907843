"""What officers' programs do to the record: one operation a verb of the door.

A body's ``version`` is the one that was read: if somebody changed the thing since, the answer is
409 with the code ``record.stale`` and nothing is changed.
"""

from typing import Annotated, Any, cast

from django.http import HttpRequest
from ninja import File, Form, Path, Query, Status
from ninja.files import UploadedFile

from renkei.base.access import allow
from renkei.base.models import Role, User
from renkei.record import door, engine
from renkei.record.endpoints._base import only, router
from renkei.record.models import Claim, Finding
from renkei.record.schemas import (
    AssessmentIn,
    AttachIn,
    ChangeIn,
    ClaimIn,
    ClaimOut,
    CommitmentEdit,
    CommitmentIn,
    CommitmentOut,
    DecisionIn,
    DisbursementIn,
    DisbursementOut,
    FindingIn,
    FindingOut,
    MilestoneIn,
    MilestoneOut,
    OrganisationEdit,
    OrganisationIn,
    OrganisationOut,
    OutcomeIn,
    OutcomeOut,
    ParticipationIn,
    ParticipationOut,
    RemovalQuery,
    SourceIn,
    SourceOut,
    claim_out,
    commitment_out,
    disbursement_out,
    finding_out,
    milestone_out,
    organisation_out,
    outcome_out,
    participation_out,
    source_out,
)

officer = allow(Role.OFFICER)
Item = dict[str, Any]
Key = Annotated[int, Path(ge=1, le=2**63 - 1)]


def author(request: HttpRequest) -> User:
    """Return who calls; ``allow`` has let nobody else in."""
    return cast(User, request.user)


def document(file: UploadedFile) -> bytes:
    """Read a document, if it is not too large."""
    engine.check_size(file.size or 0)
    content: bytes = file.read()
    return content


@router.post(
    "/commitments",
    auth=officer,
    response={201: CommitmentOut},
    by_alias=True,
    operation_id="record_commitment_add",
)
def commitment_add(request: HttpRequest, body: CommitmentIn) -> Status[Item]:
    """Add a commitment; what it says of itself becomes published claims on its source."""
    row = door.add_commitment(author=author(request), **body.arguments())
    return Status(201, commitment_out(row))


@router.patch(
    "/commitments/{slug}",
    auth=officer,
    response=CommitmentOut,
    by_alias=True,
    operation_id="record_commitment_edit",
)
def commitment_edit(request: HttpRequest, slug: str, body: CommitmentEdit) -> Item:
    """Change titles, note, scope, class or whole; what is left out stays."""
    row = door.edit_commitment(author=author(request), commitment=slug, **body.arguments())
    return commitment_out(row)


@router.post(
    "/commitments/{slug}/claims",
    auth=officer,
    response={201: ClaimOut},
    operation_id="record_claim_add",
)
def claim_add(request: HttpRequest, slug: str, body: ClaimIn) -> Status[Item]:
    """Add what a source says about one field; the first claim of a field is published."""
    given = body.dict(exclude={"money", "passages"})
    claim = door.add_claim(
        author=author(request),
        commitment=slug,
        money=_money(body),
        passages=[(item.start, item.end) for item in body.passages],
        **given,
    )
    return Status(201, _claim(claim))


def _money(body: ClaimIn) -> door.Money | None:
    if body.money is None:
        return None
    given = body.money.dict(exclude={"conversion"})
    if body.money.conversion is not None:
        conversion = body.money.conversion
        given |= {
            "converted": conversion.value,
            "converted_currency": conversion.currency,
            "rate": conversion.rate,
            "rate_on": conversion.rate_on,
        }
    return door.Money(**given)


def _claim(claim: Claim) -> Item:
    return claim_out(Claim.objects.select_related("source__lineage", "amount").get(pk=claim.pk))


@router.post(
    "/commitments/{slug}/claims/{claim}/publish",
    auth=officer,
    response=ClaimOut,
    operation_id="record_claim_publish",
)
def claim_publish(request: HttpRequest, slug: str, body: ChangeIn, claim: Key) -> Item:
    """Publish a claim; a claim of another record of the same cluster is taken over."""
    chosen = door.publish_claim(author=author(request), commitment=slug, claim=claim, **body.dict())
    return _claim(chosen)


@router.post(
    "/commitments/{slug}/milestones",
    auth=officer,
    response={201: MilestoneOut},
    operation_id="record_milestone_add",
)
def milestone_add(request: HttpRequest, slug: str, body: MilestoneIn) -> Status[Item]:
    """Add what is due, and when."""
    row = door.add_milestone(author=author(request), commitment=slug, **body.arguments())
    return Status(201, milestone_out(row))


@router.post(
    "/milestones/{slug}/assessment",
    auth=officer,
    response=MilestoneOut,
    operation_id="record_milestone_assess",
)
def milestone_assess(request: HttpRequest, slug: str, body: AssessmentIn) -> Item:
    """Say whether a milestone was delivered, on what evidence, and who judged it."""
    row = door.assess_milestone(author=author(request), milestone=slug, **body.dict())
    return milestone_out(row)


@router.post(
    "/commitments/{slug}/disbursements",
    auth=officer,
    response={201: DisbursementOut},
    operation_id="record_disbursement_add",
)
def disbursement_add(request: HttpRequest, slug: str, body: DisbursementIn) -> Status[Item]:
    """Record money that was paid, or correct such a record."""
    row = door.add_disbursement(author=author(request), commitment=slug, **body.dict())
    return Status(201, disbursement_out(row))


@router.post(
    "/commitments/{slug}/outcomes",
    auth=officer,
    response={201: OutcomeOut},
    operation_id="record_outcome_add",
)
def outcome_add(request: HttpRequest, slug: str, body: OutcomeIn) -> Status[Item]:
    """Record what research gave."""
    row = door.add_outcome(author=author(request), commitment=slug, **body.dict())
    return Status(201, outcome_out(row))


@router.put(
    "/commitments/{slug}/outcomes/{outcome}",
    auth=officer,
    response=OutcomeOut,
    operation_id="record_outcome_edit",
)
def outcome_edit(request: HttpRequest, slug: str, body: OutcomeIn, outcome: Key) -> Item:
    """Change what is said of a research outcome; what is left out becomes empty."""
    row = door.edit_outcome(author=author(request), commitment=slug, outcome=outcome, **body.dict())
    return outcome_out(row)


@router.delete(
    "/commitments/{slug}/outcomes/{outcome}",
    auth=officer,
    response={204: None},
    operation_id="record_outcome_remove",
)
def outcome_remove(
    request: HttpRequest, slug: str, asked: Query[RemovalQuery], outcome: Key
) -> Status[None]:
    """Take a research outcome out of a commitment; it stays in the history."""
    door.remove_outcome(
        author=author(request), commitment=slug, outcome=outcome, **_why(request, asked)
    )
    return Status(204, None)


def _why(request: HttpRequest, asked: RemovalQuery) -> dict[str, Any]:
    """Return why something is removed, and which version was read."""
    only(request.GET, RemovalQuery)
    return {"reason": asked.reason, "version": asked.version}


@router.post(
    "/commitments/{slug}/participations",
    auth=officer,
    response={201: ParticipationOut},
    operation_id="record_participation_add",
)
def participation_add(request: HttpRequest, slug: str, body: ParticipationIn) -> Status[Item]:
    """Name an organisation's role in a commitment."""
    row = door.add_participation(author=author(request), commitment=slug, **body.dict())
    return Status(201, participation_out(row))


@router.put(
    "/commitments/{slug}/participations/{participation}",
    auth=officer,
    response=ParticipationOut,
    operation_id="record_participation_edit",
)
def participation_edit(
    request: HttpRequest, slug: str, body: ParticipationIn, participation: Key
) -> Item:
    """Change who takes part, or as what."""
    row = door.edit_participation(
        author=author(request), commitment=slug, participation=participation, **body.dict()
    )
    return participation_out(row)


@router.delete(
    "/commitments/{slug}/participations/{participation}",
    auth=officer,
    response={204: None},
    operation_id="record_participation_remove",
)
def participation_remove(
    request: HttpRequest, slug: str, asked: Query[RemovalQuery], participation: Key
) -> Status[None]:
    """Take an organisation's role out of a commitment; it stays in the history."""
    door.remove_participation(
        author=author(request), commitment=slug, participation=participation, **_why(request, asked)
    )
    return Status(204, None)


@router.post(
    "/organisations",
    auth=officer,
    response={201: OrganisationOut},
    operation_id="record_organisation_add",
)
def organisation_add(request: HttpRequest, body: OrganisationIn) -> Status[Item]:
    """Add an organisation."""
    return Status(
        201, organisation_out(door.add_organisation(author=author(request), **body.dict()))
    )


@router.put(
    "/organisations/{slug}",
    auth=officer,
    response=OrganisationOut,
    operation_id="record_organisation_edit",
)
def organisation_edit(request: HttpRequest, slug: str, body: OrganisationEdit) -> Item:
    """Change an organisation's names, kind and country."""
    row = door.edit_organisation(author=author(request), organisation=slug, **body.dict())
    return organisation_out(row)


@router.delete(
    "/organisations/{slug}",
    auth=officer,
    response={204: None},
    operation_id="record_organisation_remove",
)
def organisation_remove(
    request: HttpRequest, slug: str, asked: Query[RemovalQuery]
) -> Status[None]:
    """Remove an organisation that has no role and received nothing; its history stays."""
    door.remove_organisation(author=author(request), organisation=slug, **_why(request, asked))
    return Status(204, None)


@router.post("/sources", auth=officer, response={201: SourceOut}, operation_id="record_source_add")
def source_add(
    request: HttpRequest, body: Form[SourceIn], content: File[UploadedFile]
) -> Status[Item]:
    """Add a source with its document (multipart: `content` and the fields)."""
    only(request.POST, SourceIn)
    row = door.add_source(author=author(request), content=document(content), **body.dict())
    return Status(201, source_out(row))


@router.post(
    "/sources/attachments", auth=officer, response=SourceOut, operation_id="record_source_attach"
)
def source_attach(request: HttpRequest, body: Form[AttachIn], content: File[UploadedFile]) -> Item:
    """Keep the document of a known source on this node; its SHA-256 must be the source's."""
    only(request.POST, AttachIn)
    return source_out(door.attach(document(content), author=author(request), **body.dict()))


@router.post(
    "/findings", auth=officer, response={201: FindingOut}, operation_id="record_finding_add"
)
def finding_add(request: HttpRequest, body: FindingIn) -> Status[Item]:
    """Add a contradiction or gap, with the passages that show it."""
    given = body.dict(exclude={"sides"})
    sides = [door.Side(**side.dict()) for side in body.sides]
    row = door.add_finding(author=author(request), sides=sides, **given)
    return Status(201, finding_out(row))


@router.post(
    "/findings/{slug}/decision",
    auth=officer,
    response=FindingOut,
    operation_id="record_finding_resolve",
)
def finding_resolve(request: HttpRequest, slug: str, body: DecisionIn) -> Item:
    """Write down what was decided."""
    return finding_out(door.resolve_finding(author=author(request), finding=slug, **body.dict()))


@router.delete(
    "/findings/{slug}/decision",
    auth=officer,
    response=FindingOut,
    operation_id="record_finding_reopen",
)
def finding_reopen(request: HttpRequest, slug: str, asked: Query[RemovalQuery]) -> Item:
    """Take a decision back; it stays in the history."""
    row: Finding = door.reopen_finding(author=author(request), finding=slug, **_why(request, asked))
    return finding_out(row)
