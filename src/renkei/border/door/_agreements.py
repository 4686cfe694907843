"""Agreements: drafted here, adopted from joint acts, asked for decisions; and what left the country.

A decision is written down in the transaction that counts it. Bytes that leave are written down
under the decision that allowed them, and under no other.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, QuerySet, When
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from renkei.base.models import User
from renkei.border import engine
from renkei.border.door._joint import propose
from renkei.border.door._registry import JointKind
from renkei.border.models import (
    Act,
    Agreement,
    AgreementVersion,
    Clause,
    ClauseUse,
    Decision,
    Obligation,
    OutgoingBytes,
    in_language,
)
from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop

KIND = "border.agreement"
HOLDS_FOR = timedelta(hours=1)  # how long a decision may be acted on
MOST_REPLAYED = 50_000
LONGEST_EVIDENCE = 2_000
LONGEST_NAME = 200
ADDRESSES = frozenset({"ask", "draft"})  # names that pages beside the agreements' have
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHANNEL = re.compile(r"[\x20-\x7e]{1,80}")


class UnknownAgreementError(NotFoundError):
    """No agreement, version, decision or obligation of this name is here."""

    code = "border.unknown_agreement"


class OldVersionError(ConflictError):
    """The version is not newer than the one in force."""

    code = "border.old_version"


class NotADraftError(ConflictError):
    """The version is sealed or proposed; only drafts change."""

    code = "border.not_a_draft"


class NotAllowedError(RenkeiError):
    """No decision allows these bytes to leave."""

    code = "border.not_allowed"
    status = 403


class FulfilledError(ConflictError):
    """The obligation is fulfilled already."""

    code = "border.fulfilled"


class NoEvidenceError(RenkeiError):
    """How an obligation was fulfilled is not said."""

    code = "border.no_evidence"


def find_agreement(slug: str) -> Agreement:
    """Return an agreement by the name in its address.

    Raises:
        UnknownAgreementError: there is none.
    """
    found = Agreement.objects.filter(slug=slug).first()
    if found is None:
        raise UnknownAgreementError(gettext_noop("there is no agreement {slug!r} here"), slug=slug)
    return found


def visible_versions(*, with_drafts: bool) -> QuerySet[AgreementVersion]:
    """Return the versions that somebody may see: what was ever sealed, or drafts as well."""
    rows = AgreementVersion.objects.select_related("agreement")
    states = AgreementVersion.State
    return rows if with_drafts else rows.filter(state__in=[states.IN_FORCE, states.REPLACED])


def find_version(
    slug: str, number: int | None = None, *, with_drafts: bool = True
) -> AgreementVersion:
    """Return one version of an agreement: the one in force, else the newest, if none is asked for.

    Raises:
        UnknownAgreementError: there is none, or none that may be seen.
    """
    rows = visible_versions(with_drafts=with_drafts).filter(agreement=find_agreement(slug))
    if number is not None:
        rows = rows.filter(number=number)
    in_force = Case(When(state=AgreementVersion.State.IN_FORCE, then=0), default=1)
    found = rows.order_by(in_force, "-number", "-pk").first()
    if found is None:
        raise UnknownAgreementError(
            gettext_noop("agreement {slug!r} has no version {number}"),
            slug=slug,
            number=number or "",
        )
    return found


def read_agreement(version: AgreementVersion) -> engine.Agreement:
    """Return what a version says; what this node does not know in it permits nothing."""
    return _read(version.digest)


@lru_cache(maxsize=256)
def _read(digest: str) -> engine.Agreement:
    # By content: whichever row has this digest has this document.
    row = AgreementVersion.objects.filter(digest=digest).only("document")[0]
    return engine.parse_agreement(row.document, strict=False)


@lru_cache(maxsize=8)
def _together(digests: tuple[str, ...]) -> engine.Policies:
    return engine.Policies(_read(digest) for digest in digests)


def policies() -> engine.Policies:
    """Return all agreements in force, ready to decide."""
    rows = AgreementVersion.objects.in_force().order_by("pk")
    return _together(tuple(rows.values_list("digest", flat=True)))


def draft_agreement(
    document: object, *, author: User | None, now: datetime | None = None
) -> AgreementVersion:
    """Keep a draft on this node; a former draft of the same agreement is replaced.

    Args:
        document: parsed JSON; hashes of texts that it lacks are filled in.

    Raises:
        BadAgreementError: as ``engine.parse_agreement``.
        OldVersionError: its version is not above the one in force.
    """
    read = engine.parse_agreement(engine.complete(document))
    with transaction.atomic():
        agreement = _agreement(read)
        _check_newer(agreement, read)
        agreement.versions.filter(state=AgreementVersion.State.DRAFT).delete()
        return _write(agreement, read, now=now or timezone.now(), author=author)


def discard_draft(version: AgreementVersion) -> None:
    """Throw a draft away.

    Raises:
        NotADraftError: it is none.
    """
    _check_draft(version)
    with transaction.atomic():
        agreement = version.agreement
        version.delete()
        if not agreement.versions.exists():
            agreement.delete()


def propose_agreement(
    version: AgreementVersion, *, by: User, reason: str, now: datetime | None = None
) -> Act:
    """Propose a draft to the parties; from then on it does not change.

    Raises:
        NotADraftError: it is no draft.
        BadStatementError, FrozenError, BadActError: as ``propose``.
    """
    _check_draft(version)
    with transaction.atomic():
        version.state = AgreementVersion.State.PROPOSED
        version.save(update_fields=["state"])
        return propose(
            KIND,
            version.agreement.slug,
            version.document,
            by=by,
            reason=reason,
            home=version.agreement.home,
            now=now,
        )


def adopt_agreement(
    document: Mapping[str, Any], *, act: str, now: datetime | None = None
) -> AgreementVersion:
    """Bring into force what a joint act sealed; doing it again changes nothing.

    What this node's profile does not know in the document permits nothing and says so; a clause
    without both texts, or with a text that is not the hashed one, is refused.

    Args:
        act: identifier of the joint act.

    Raises:
        BadAgreementError: as ``engine.parse_agreement`` with ``strict=False``.
        OldVersionError: a version as new or newer is in force.
    """
    read = engine.parse_agreement(document, strict=False)
    at = now or timezone.now()
    states = AgreementVersion.State
    with transaction.atomic():
        agreement = _agreement(read)
        same = agreement.versions.filter(digest=read.hash)
        adopted = same.filter(state__in=[states.IN_FORCE, states.REPLACED]).first()
        if adopted is not None:
            return adopted
        _check_newer(agreement, read)
        former = agreement.current
        if former is not None:
            former.state, former.replaced_at = states.REPLACED, at
            former.save(update_fields=["state", "replaced_at"])
        version = same.first() or _write(agreement, read, now=at, author=None)
        _note_home(agreement, act)
        version.state, version.act, version.adopted_at = states.IN_FORCE, act, at
        version.save(update_fields=["state", "act", "adopted_at"])
        agreement.versions.filter(state=states.PROPOSED, number__lte=read.version).delete()
        _begin(version, read, former)
    return version


def _agreement(read: engine.Agreement) -> Agreement:
    found, _made = Agreement.objects.select_for_update().get_or_create(
        uid=read.uid, defaults={"slug": _slug(read.uid)}
    )
    return found


def _note_home(agreement: Agreement, act: str) -> None:
    """Keep which node seals an agreement: its next version is proposed to the same one."""
    record = Act.objects.filter(uid=act).values_list("record", flat=True).first()
    if record is not None:
        agreement.home = engine.parse_record(record).home
        agreement.save(update_fields=["home"])


def _slug(uid: str) -> str:
    """Return a name for addresses: the end of the identifier, and its hash where that is not all."""
    tail = slugify(uid.rsplit(":", 1)[-1])[:40]
    plain = f"urn:renkei:agreement:{tail}"
    is_plain = bool(tail) and uid == plain and tail not in ADDRESSES
    return tail if is_plain else f"{tail or 'agreement'}-{engine.text_hash(uid)[:12]}"


def _check_newer(agreement: Agreement, read: engine.Agreement) -> None:
    current = agreement.current
    if current is not None and read.version <= current.number:
        raise OldVersionError(
            gettext_noop(
                "version {number} of {uid} is in force: a new one needs a higher number than {given}"
            ),
            number=current.number,
            uid=read.uid,
            given=read.version,
        )


def _check_draft(version: AgreementVersion) -> None:
    if not version.is_draft:
        raise NotADraftError(
            gettext_noop("version {number} is not a draft: it cannot be changed here"),
            number=version.number,
        )


def _write(
    agreement: Agreement, read: engine.Agreement, *, now: datetime, author: User | None
) -> AgreementVersion:
    version = AgreementVersion.objects.create(
        agreement=agreement,
        number=read.version,
        document=read.document,
        digest=read.hash,
        title_en=read.title["en"],
        title_ja=read.title["ja"],
        assigner=read.assigner,
        assignees=list(read.assignees),
        targets=list(read.targets),
        concluded_at=read.concluded_at,
        drafted_by=author,
        drafted_at=now,
    )
    Clause.objects.bulk_create(
        Clause(
            version=version,
            position=at,
            name=clause.id,
            kind=clause.kind,
            action=clause.action,
            text_en=clause.text["en"],
            text_ja=clause.text["ja"],
            hash_en=clause.text_hash["en"],
            hash_ja=clause.text_hash["ja"],
        )
        for at, clause in enumerate(read.clauses)
    )
    return version


def _begin(
    version: AgreementVersion, read: engine.Agreement, former: AgreementVersion | None
) -> None:
    """Open the counters and the agreement's own obligations of a version that comes into force."""
    for clause in read.clauses:
        if "count" in clause.operands:
            before = Decision.objects.filter(
                allow=True, version__agreement=version.agreement, clause=clause.id
            )
            ClauseUse.objects.get_or_create(
                agreement=version.agreement,
                clause=clause.id,
                defaults={"times": before.count() if clause.kind == "permission" else 0},
            )
    for clause in read.of("obligation"):
        for duty in clause.duties:
            for party in read.assignees:
                due_at = duty.due(read.concluded_at)
                same = Obligation.objects.filter(
                    version=former,
                    decision=None,
                    clause=clause.id,
                    action=duty.action,
                    party=party,
                    due_at=due_at,
                )
                # What the former version asked for in the same words is the same obligation.
                if former is not None and same.update(version=version, name=duty.id):
                    continue
                Obligation.objects.create(
                    version=version,
                    clause=clause.id,
                    name=duty.id,
                    action=duty.action,
                    debtor=party,
                    party=party,
                    due_at=due_at,
                )


def _checked(request: engine.Request) -> engine.Request:
    for name in engine.Request.__slots__:
        value = getattr(request, name)
        if len(value) > LONGEST_NAME or not value.isprintable():
            raise engine.BadQuestionError(
                gettext_noop("{name} must be a text of 1 to 200 characters"), name=name
            )
    return request


def explain(request: engine.Request, *, now: datetime | None = None) -> engine.Decision:
    """Tell how a request would be decided now; nothing is written down or counted.

    Raises:
        BadQuestionError: a fact is no text that could be kept.
    """
    found = policies()
    uses = {
        (uid, clause): times
        for uid, clause, times in ClauseUse.objects.values_list("agreement__uid", "clause", "times")
    }
    return engine.decide(found, _checked(request), now=now or timezone.now(), uses=uses)


def decide_request(
    request: engine.Request, *, asked_by: User | None = None, now: datetime | None = None
) -> Decision:
    """Decide a request, write the decision down, count it and open its obligations.

    Returns:
        The row of the log: ``allow``, ``reason``, ``clause``, ``agreement_hash``,
        ``policy_version``, ``steps``, and ``obligations`` as a relation.

    Raises:
        BadQuestionError: a fact is no text that could be kept.
    """
    _checked(request)
    with transaction.atomic():
        at = now or timezone.now()
        found = policies()
        uses = _locked_uses(found, request)
        decision = engine.decide(
            found,
            request,
            now=at,
            uses={(row.agreement.uid, row.clause): row.times for row in uses},
        )
        version = None
        if decision.agreement_hash:
            version = AgreementVersion.objects.in_force().get(digest=decision.agreement_hash)
        row = Decision.objects.create(
            at=at,
            asked_by=asked_by,
            **{name: getattr(request, name) for name in engine.Request.__slots__},
            allow=decision.allow,
            version=version,
            clause=decision.clause,
            agreement_hash=decision.agreement_hash,
            policy_version=decision.policy_version,
            why=decision.why.to_json(),
            trace=[step.to_json() for step in decision.trace],
        )
        counted = [use.pk for use in uses if (use.agreement.uid, use.clause) in decision.counted]
        if counted:
            ClauseUse.objects.filter(pk__in=counted).update(times=F("times") + 1)
        Obligation.objects.bulk_create(
            Obligation(
                version=version,
                decision=row,
                clause=due.clause,
                name=due.id,
                action=due.action,
                target=request.target,
                debtor=request.recipient or request.recipient_party,
                party=request.recipient_party,
                due_at=due.due_at,
            )
            for due in decision.duties
        )
    return row


def _locked_uses(found: engine.Policies, request: engine.Request) -> list[ClauseUse]:
    """Lock the counters that this request may move: two askers never take the last use both."""
    rules = found.rules(request.target, request.action) or ((), ())
    uids = {one.uid for side in rules for one, clause in side if "count" in clause.operands}
    if not uids:
        return []
    rows = ClauseUse.objects.select_for_update(of=("self",)).select_related("agreement")
    return list(rows.filter(agreement__uid__in=uids).order_by("pk"))


def decide(
    *,
    subject: str,
    action: str,
    target: str,
    purpose: str = "",
    party: str = "",
    spatial: str = "",
    classification: str = "",
    output_type: str = "",
    asked_by: User | None = None,
    now: datetime | None = None,
) -> Decision:
    """Ask whether ``subject`` of ``party`` may do ``action`` with ``target``; see ``decide_request``."""
    request = engine.Request(
        action=action,
        target=target,
        recipient=subject,
        recipient_party=party,
        purpose=purpose,
        spatial=spatial,
        classification=classification,
        output_type=output_type,
    )
    return decide_request(request, asked_by=asked_by, now=now)


def obligations_due(*, until: datetime | None = None, party: str = "") -> QuerySet[Obligation]:
    """Return open obligations, the most urgent first.

    Args:
        until: those due by then; all by default.
        party: those of one party.
    """
    rows = Obligation.objects.open().select_related("version__agreement").order_by("due_at", "pk")
    if until is not None:
        rows = rows.filter(due_at__lte=until)
    return rows.filter(party=party) if party else rows


def fulfil_obligation(
    number: int, *, author: User | None, evidence: str, now: datetime | None = None
) -> Obligation:
    """Note that an obligation was fulfilled, and how one can see it.

    Raises:
        UnknownAgreementError: there is no such obligation.
        FulfilledError: somebody noted it before.
        NoEvidenceError: ``evidence`` is empty or too long.
    """
    said = evidence.strip()
    if not said or len(said) > LONGEST_EVIDENCE or "\x00" in said:
        raise NoEvidenceError(
            gettext_noop("say in 1 to {longest} characters how it was fulfilled"),
            longest=LONGEST_EVIDENCE,
        )
    with transaction.atomic():
        row = Obligation.objects.select_for_update().filter(pk=number).first()
        if row is None:
            raise UnknownAgreementError(
                gettext_noop("there is no obligation {number} here"), number=number
            )
        if row.fulfilled_at is not None:
            raise FulfilledError(
                gettext_noop("obligation {number} was fulfilled on {day}"),
                number=number,
                day=row.fulfilled_at.date().isoformat(),
            )
        row.fulfilled_at, row.fulfilled_by = now or timezone.now(), author
        row.evidence = said
        row.save(update_fields=["fulfilled_at", "fulfilled_by", "evidence"])
    return row


def release(
    *,
    decision: Decision | int,
    digest: str,
    size: int,
    channel: str,
    now: datetime | None = None,
) -> OutgoingBytes:
    """Write down that bytes leave the country; without this row nothing may be sent.

    One decision lets one stream go, within an hour, while the agreement that allowed it is in
    force; a second stream needs a second decision.

    Args:
        digest: SHA-256 of the bytes, hexadecimal.
        size: bytes.
        channel: how they travel, such as ``hub`` or ``border``.

    Raises:
        UnknownAgreementError: there is no such decision.
        NotAllowedError: the decision does not allow it (any more), or the digest is none.
    """
    at = now or timezone.now()
    number = decision if isinstance(decision, int) else decision.pk
    if not _DIGEST.fullmatch(digest) or size < 0 or not _CHANNEL.fullmatch(channel):
        raise NotAllowedError(
            gettext_noop("expected a SHA-256 in hexadecimal, a size and a channel of plain letters")
        )
    with transaction.atomic():
        rows = Decision.objects.select_for_update(of=("self",)).select_related("version")
        row = rows.filter(pk=number).first()
        if row is None:
            raise UnknownAgreementError(
                gettext_noop("there is no decision {number} here"), number=number
            )
        refusal = _unreleasable(row, at)
        if refusal or row.version is None:
            raise NotAllowedError(refusal, number=number)
        return OutgoingBytes.objects.create(
            at=at,
            decision=row,
            version=row.version,
            clause=row.clause,
            digest=digest,
            size=size,
            target=row.target,
            recipient=row.recipient,
            recipient_party=row.recipient_party,
            channel=channel,
        )


def _unreleasable(row: Decision, at: datetime) -> str:
    """Return why a decision lets nothing leave, or nothing."""
    if not row.allow or row.version is None:
        return gettext_noop("decision {number} denied it: nothing may leave")
    if not row.recipient:
        return gettext_noop("decision {number} names no recipient: nothing may leave")
    if row.recipient_party == settings.NODE.party:
        return gettext_noop("decision {number} is about a recipient in this country")
    if not row.at <= at <= row.at + HOLDS_FOR:
        return gettext_noop("decision {number} is older than an hour: ask again")
    if row.version.state != AgreementVersion.State.IN_FORCE:
        return gettext_noop("the agreement of decision {number} was replaced: ask again")
    if OutgoingBytes.objects.filter(decision=row).exists():
        return gettext_noop("decision {number} let one stream go already: ask again")
    return ""


def _past(since: datetime | None, until: datetime | None, limit: int) -> Iterator[engine.Past]:
    rows = Decision.objects.order_by("-pk")
    if since is not None:
        rows = rows.filter(at__gte=since)
    if until is not None:
        rows = rows.filter(at__lt=until)
    first = rows.values_list("pk", flat=True)[limit - 1 : limit].first()  # of the newest ``limit``
    chosen = rows.order_by("pk").filter(pk__gte=first or 0).defer("why", "trace")
    for row in chosen.iterator(chunk_size=2_000):
        yield engine.Past(row.request, row.at)


def simulate_amendment(
    draft: object,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = MOST_REPLAYED,
) -> engine.Simulation:
    """Replay past requests against a draft: who would have gained access, who lost it.

    Args:
        draft: an ``AgreementVersion``, or a document as parsed JSON.
        limit: at most so many, the newest.

    Raises:
        BadAgreementError: the document is no agreement.
    """
    if isinstance(draft, AgreementVersion):
        read = read_agreement(draft)
    else:
        read = engine.parse_agreement(engine.complete(draft))
    current = policies()
    return engine.simulate(_past(since, until, limit), current, current.with_draft(read))


def _apply(content: Mapping[str, Any], act: str, _reason: str) -> None:
    adopt_agreement(content, act=act)


def _check(content: Mapping[str, Any]) -> None:
    engine.parse_agreement(content)


def _lines(content: Mapping[str, Any]) -> list[tuple[object, str]]:
    """Return a proposed agreement for people: its head, then each clause in their language."""
    read = engine.parse_agreement(content, strict=False)
    head: list[tuple[object, str]] = [
        (_("Title"), in_language(read.title)),
        (_("Version"), str(read.version)),
        (_("Given by"), read.assigner),
        (_("Given to"), ", ".join(read.assignees)),
        (_("About"), ", ".join(read.targets)),
    ]
    return head + [(clause.id, in_language(clause.text)) for clause in read.clauses]


def _url(content: Mapping[str, Any]) -> str:
    slug = _slug(str(content["@id"]))
    return reverse("border:agreement", args=[slug]) if Agreement.objects.filter(slug=slug) else ""


AGREEMENT = JointKind(
    name=KIND,
    label=_("Agreement"),
    schema=engine.agreement_schema(),
    apply=_apply,
    check=_check,
    lines=_lines,
    url=_url,
)
"""Agreements as joint records: proposed, approved by every party, sealed, and then in force."""
