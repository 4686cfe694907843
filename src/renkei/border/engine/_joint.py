"""Joint acts: what makes a proposal, an approval and a seal count; the same on every node.

A record has one home node, named in the record itself: ``<kind>/<home>/<key>``. Its home alone
seals, so that its versions are one line. Nothing here reads a clock: expiry is compared with the
times that the signatures cover, and order is that of references, never that of time.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from renkei.kit.errors import RenkeiError, gettext_noop

PROPOSED = "joint.proposed"
ANSWERED = "joint.answered"
SEALED = "joint.sealed"
RECORD = re.compile(
    r"([a-z][a-z0-9_.]{0,60})/([a-z][a-z0-9-]{0,30})/([A-Za-z0-9][A-Za-z0-9._-]{0,80})"
)
MOMENT = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ", re.ASCII
)
HASH = re.compile(r"[0-9a-f]{64}")
PARTY = re.compile(r"[A-Z]{2}")
MOST_PARTIES = 32
LONGEST_REASON = 500


class BadActError(RenkeiError):
    """A statement about a joint act does not count, and why."""

    code = "border.bad_act"


class ExpiredError(BadActError):
    """The proposal's time was over."""

    code = "border.expired"
    status = 409


class OtherContentError(BadActError):
    """What was approved or sealed is not what was proposed."""

    code = "border.other_content"


class AnsweredTwiceError(BadActError):
    """A party answers a proposal once."""

    code = "border.answered_twice"
    status = 409


class NotApprovedError(BadActError):
    """A seal without every party's approval."""

    code = "border.not_approved"
    status = 409


@dataclass(frozen=True, kw_only=True)
class RecordName:
    """A record's name in its three parts."""

    kind: str
    home: str
    key: str

    def __str__(self) -> str:
        """Return it as statements carry it."""
        return f"{self.kind}/{self.home}/{self.key}"


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A proposal that was read and may count.

    Args:
        act: identifier of the proposing entry, and of the act.
        issuer: origin of the proposing node.
        issued: RFC 3339 in UTC, to the second.
        record: what it changes.
        parent: version that it changes: the leaf hash of the last seal, or empty for a first one.
        content: what the record becomes.
        content_hash: SHA-256 over the content's canonical JSON, in hex.
        parties: whose approval it needs, in alphabetical order.
        expires: after this moment nobody approves or seals.
        reason: why, in the proposer's words.
    """

    act: str
    issuer: str
    issued: str
    record: RecordName
    parent: str
    content: Mapping[str, Any]
    content_hash: str
    parties: tuple[str, ...]
    expires: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One party's yes or no to exactly one content."""

    act: str
    party: str
    issued: str
    approves: bool
    officer: str


def content_hash(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the content's canonical JSON (RFC 8785), in hex."""
    return hashlib.sha256(rfc8785.dumps(dict(content))).hexdigest()


def parse_record(name: str) -> RecordName:
    """Read ``<kind>/<home>/<key>``.

    Raises:
        BadActError: it is not of that form.
    """
    match = RECORD.fullmatch(name)
    if not match:
        raise BadActError(
            gettext_noop(
                "record {name!r}: expected kind/home/key, such as record.milestone/us/m-1"
            ),
            name=name[:100],
        )
    return RecordName(kind=match[1], home=match[2], key=match[3])


def proposal_body(
    *, content: Mapping[str, Any], parties: Iterable[str], expires: str, reason: str, officer: str
) -> dict[str, Any]:
    """Return the body of a proposal."""
    return {
        "content": dict(content),
        "content_hash": content_hash(content),
        "parties": sorted(set(parties)),
        "expires": expires,
        "reason": reason,
        "officer": officer,
    }


def answer_body(proposal: Proposal, *, approves: bool, officer: str) -> dict[str, Any]:
    """Return the body of an approval or a rejection of exactly this content."""
    return {
        "act": proposal.act,
        "content_hash": proposal.content_hash,
        "expires": proposal.expires,
        "answer": "approve" if approves else "reject",
        "officer": officer,
    }


def seal_body(proposal: Proposal) -> dict[str, Any]:
    """Return the body of the seal."""
    return {"act": proposal.act, "content_hash": proposal.content_hash}


def read_proposal(
    *, act: str, issuer: str, issued: str, record: str, parent: str, body: Mapping[str, Any]
) -> Proposal:
    """Check a proposal by itself.

    Raises:
        BadActError: naming what is missing or wrong.
    """
    name = parse_record(record)
    _moment("issued", issued)
    content = body.get("content")
    if not isinstance(content, Mapping):
        raise BadActError(gettext_noop("a proposal carries its content as a JSON object"))
    stated = _hash("content_hash", body.get("content_hash"))
    actual = content_hash(content)
    if stated != actual:
        raise OtherContentError(
            gettext_noop("content_hash is {stated}, but the content's is {actual}"),
            stated=stated,
            actual=actual,
        )
    parties = body.get("parties")
    if (
        not isinstance(parties, list)
        or not 1 <= len(parties) <= MOST_PARTIES
        or not all(isinstance(party, str) and PARTY.fullmatch(party) for party in parties)
        or parties != sorted(set(parties))
    ):
        raise BadActError(
            gettext_noop("parties: expected distinct two-letter codes in alphabetical order")
        )
    expires = _moment("expires", body.get("expires"))
    if expires <= issued:
        raise ExpiredError(
            gettext_noop("the proposal of {issued} expires at {expires}: that is not later"),
            issued=issued,
            expires=expires,
        )
    reason = body.get("reason")
    if not isinstance(reason, str) or not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise BadActError(
            gettext_noop("reason: expected 1 to {longest} characters"), longest=LONGEST_REASON
        )
    if parent:
        _hash("parent", parent)
    _hash("officer", body.get("officer"))
    return Proposal(
        act=act,
        issuer=issuer,
        issued=issued,
        record=name,
        parent=parent,
        content=content,
        content_hash=actual,
        parties=tuple(parties),
        expires=expires,
        reason=reason,
    )


def read_answer(
    proposal: Proposal,
    *,
    party: str,
    issued: str,
    record: str,
    parent: str,
    body: Mapping[str, Any],
    before: Iterable[Answer] = (),
) -> Answer:
    """Check one party's answer against the proposal and the answers before it.

    Raises:
        OtherContentError: it answers another record, version, content or expiry.
        ExpiredError: it was signed after the proposal's expiry.
        AnsweredTwiceError: the party has answered.
        BadActError: the party is not asked, or the answer is not one.
    """
    for what, given, expected in (
        ("act", body.get("act"), proposal.act),
        ("record", record, str(proposal.record)),
        ("parent", parent, proposal.parent),
        ("content_hash", body.get("content_hash"), proposal.content_hash),
        ("expires", body.get("expires"), proposal.expires),
    ):
        if given != expected:
            raise OtherContentError(
                gettext_noop(
                    "{what} of the answer is {given!r}, but the proposal's is {expected!r}"
                ),
                what=what,
                given=str(given)[:100],
                expected=expected,
            )
    if party not in proposal.parties:
        raise BadActError(
            gettext_noop("{party} is not asked; the proposal needs {parties}"),
            party=party,
            parties=", ".join(proposal.parties),
        )
    _not_expired(proposal, _moment("issued", issued))
    answer = body.get("answer")
    if answer not in ("approve", "reject"):
        raise BadActError(
            gettext_noop("answer: expected approve or reject, not {answer!r}"), answer=answer
        )
    officer = _hash("officer", body.get("officer"))
    if any(other.party == party for other in before):
        raise AnsweredTwiceError(
            gettext_noop("{party} has answered this proposal; an answer is given once"), party=party
        )
    return Answer(
        act=proposal.act, party=party, issued=issued, approves=answer == "approve", officer=officer
    )


def lacking(proposal: Proposal, answers: Iterable[Answer]) -> tuple[str, ...]:
    """Return the parties whose approval is missing, in order."""
    given = {answer.party for answer in answers if answer.approves}
    return tuple(party for party in proposal.parties if party not in given)


def check_seal(
    proposal: Proposal,
    answers: Iterable[Answer],
    *,
    by: str,
    issued: str,
    record: str,
    parent: str,
    body: Mapping[str, Any],
) -> None:
    """Check a seal.

    Args:
        proposal: what is sealed.
        answers: those that the seal refers to.
        by: name of the sealing node.
        issued: when it was sealed.
        record: of the seal's envelope.
        parent: of the seal's envelope.
        body: the seal's.

    Raises:
        OtherContentError: it seals something else.
        NotApprovedError: a party's approval is missing, or one rejected.
        ExpiredError: it came too late.
        BadActError: another node than the record's home sealed it.
    """
    for what, given, expected in (
        ("act", body.get("act"), proposal.act),
        ("record", record, str(proposal.record)),
        ("parent", parent, proposal.parent),
        ("content_hash", body.get("content_hash"), proposal.content_hash),
    ):
        if given != expected:
            raise OtherContentError(
                gettext_noop("{what} of the seal is {given!r}, but the proposal's is {expected!r}"),
                what=what,
                given=str(given)[:100],
                expected=expected,
            )
    if by != proposal.record.home:
        raise BadActError(
            gettext_noop("{by} sealed a record whose home is {home}"),
            by=by,
            home=proposal.record.home,
        )
    answers = list(answers)
    if any(not answer.approves for answer in answers):
        raise NotApprovedError(gettext_noop("a rejected proposal cannot be sealed"))
    if missing := lacking(proposal, answers):
        raise NotApprovedError(
            gettext_noop("the seal lacks the approval of {parties}"), parties=", ".join(missing)
        )
    _not_expired(proposal, _moment("issued", issued))


def _not_expired(proposal: Proposal, issued: str) -> None:
    if issued > proposal.expires:
        raise ExpiredError(
            gettext_noop("the proposal expired at {expires}; this is of {issued}"),
            expires=proposal.expires,
            issued=issued,
        )


def _moment(what: str, value: object) -> str:
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        raise BadActError(
            gettext_noop(
                "{what}: expected a time in UTC such as 2026-11-22T09:00:00Z, not {value!r}"
            ),
            what=what,
            value=str(value)[:40],
        )
    return value


def _hash(what: str, value: object) -> str:
    if not isinstance(value, str) or not HASH.fullmatch(value):
        raise BadActError(gettext_noop("{what}: expected 64 hexadecimal digits"), what=what)
    return value
