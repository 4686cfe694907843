"""A statement: one entry of a log, canonical JSON signed by the party that says it.

What the signature covers is ``SIGNED_PREFIX`` and the envelope without its signatures, byte for
byte. Ed25519 signs every statement; ML-DSA-44 signs too where a reader asks for it (decision 12).
What a type means, and whether it is applied, is the rooms' business.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any

from renkei.border.engine._canonical import (
    LONGEST_ENTRY,
    canonical,
    read_canonical,
    spell,
)
from renkei.border.engine._keys import (
    ED25519,
    SIGNATURE_BYTES,
    BadKeyError,
    PublicPair,
    SigningKey,
    read_base64,
)
from renkei.border.engine._note import encode_base64
from renkei.kit.errors import RenkeiError, TooLargeError, gettext_noop

VERSION = "1.0"
SIGNED_PREFIX = b"renkei-statement/v1\n\0"
SALT_BYTES = 32

MOST_REFS = 64
MOST_SIGNATURES = 16
LONGEST_TYPE = 100
LONGEST_ID = 100
LONGEST_NAME = 200  # of an origin, a record

_FIELDS = frozenset({
    "body", "commitment", "id", "issued", "issuer", "parent", "record", "refs", "signatures",
    "type", "version",
})  # fmt: skip
_REQUIRED = ("id", "issued", "issuer", "signatures", "type", "version")
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})", re.ASCII)
_TYPE = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_ORIGIN = re.compile(r"[a-z0-9][a-z0-9.-]*(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*")
_ISSUED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}")
_KID = re.compile(r"[0-9a-f]{32}")
_ALG = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class BadEnvelopeError(RenkeiError):
    """The entry is canonical JSON, but no statement."""

    code = "border.bad_statement"
    status = 400


class UnknownVersionError(RenkeiError):
    """The statement is written by rules that this node does not know."""

    code = "border.unknown_version"


class UnverifiedStatementError(RenkeiError):
    """The signatures do not show that the party said this."""

    code = "border.unverified_statement"


class ForgedStatementError(UnverifiedStatementError):
    """A signature in the name of a known key is not its."""

    code = "border.forged_statement"


class UnknownSignerError(UnverifiedStatementError):
    """No key that may sign here has signed."""

    code = "border.unknown_signer"


class StrippedSignatureError(UnverifiedStatementError):
    """The right party signed, but an algorithm that is required is missing."""

    code = "border.stripped_signature"


class BadCommitmentError(RenkeiError):
    """The content is not what the statement committed to."""

    code = "border.bad_commitment"


@dataclass(frozen=True)
class Ref:
    """One entry of one log: where it stands and which bytes it is.

    Args:
        origin: the log.
        index: counted from 0.
        leaf: RFC 6962 leaf hash in 64 hex digits.
    """

    origin: str
    index: int
    leaf: str


@dataclass(frozen=True)
class Signature:
    """Which key signed, and what it wrote."""

    kid: str
    alg: str
    sig: bytes = field(repr=False)


@dataclass(frozen=True)
class Envelope:
    """One statement.

    Exactly one of ``body`` and ``commitment`` is there. ``extra`` holds what a newer minor version
    says and this one does not know: signed and kept, not understood.
    """

    type: str
    id: str
    issuer: str
    issued: datetime
    record: str | None
    parent: str | None
    body: Mapping[str, Any] | None
    commitment: str | None
    refs: tuple[Ref, ...]
    signatures: tuple[Signature, ...]
    version: str
    extra: Mapping[str, Any] = field(repr=False)
    data: bytes = field(repr=False)  # the entry, byte for byte
    payload: bytes = field(repr=False)  # what the signatures cover

    @cached_property
    def leaf(self) -> str:
        """The RFC 6962 leaf hash of the entry, 64 hex digits."""
        return hashlib.sha256(b"\0" + self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Draft:
    """A statement that is written but not signed: the canonical bytes around its signatures."""

    before: bytes
    after: bytes

    @property
    def payload(self) -> bytes:
        """What the signatures cover."""
        return b"%b%b,%b" % (SIGNED_PREFIX, self.before, self.after)

    def signed(self, signers: Sequence[SigningKey]) -> bytes:
        """Sign; return the entry, at most 65,535 bytes.

        Args:
            signers: Ed25519 always; ML-DSA-44 too where the type asks for it.

        Raises:
            BadEnvelopeError: no Ed25519 key among them.
            TooLargeError: longer than an entry may be.
        """
        if all(signer.alg != ED25519 for signer in signers):
            raise BadEnvelopeError(gettext_noop("a statement is signed with Ed25519 at least"))
        payload = self.payload
        signatures = spell(
            [
                {"kid": signer.kid, "alg": signer.alg, "sig": encode_base64(signer.sign(payload))}
                for signer in signers
            ]
        )
        data = b'%b,"signatures":%b,%b' % (self.before, signatures, self.after)
        if len(data) > LONGEST_ENTRY:
            raise TooLargeError(
                gettext_noop(
                    "the statement has {length} bytes: at most {longest}; commit to the content "
                    "and send it sealed"
                ),
                length=len(data),
                longest=LONGEST_ENTRY,
            )
        return data


def compose(*, signers: Sequence[SigningKey], **said: Any) -> bytes:
    """Write and sign a statement; see ``draft`` and ``Draft.signed``."""
    return draft(**said).signed(signers)


def draft(
    *,
    type: str,  # noqa: A002 - the field's name
    id: str,  # noqa: A002 - the field's name
    issuer: str,
    issued: datetime,
    record: str | None = None,
    parent: str | None = None,
    body: Mapping[str, Any] | None = None,
    commitment: str | None = None,
    refs: Sequence[Ref] = (),
) -> Draft:
    """Write a statement.

    Args:
        type: ``room.subject.happened``; at most 100 characters.
        id: the statement's own name, never used twice; at most 100 of ``A-Za-z0-9._:-``.
        issuer: origin of the log it goes into.
        issued: the issuer's clock, with a time zone; written in UTC to the second. It orders
            nothing.
        record: what the statement is about.
        parent: the version of the record that it builds on, 64 hex digits.
        body: what is said. No floats: amounts are texts.
        commitment: instead of a body, ``commitment_of`` content that is sent sealed.
        refs: entries that it answers; at most 64.

    Raises:
        BadEnvelopeError: a field that no reader would accept.
        NotCanonicalError: a body that has not one spelling.
    """
    said: dict[str, Any] = {
        "type": type,
        "id": id,
        "issuer": issuer,
        "issued": write_time(issued),
        "record": record,
        "parent": parent,
        "body": body,
        "commitment": commitment,
        "refs": [{"origin": r.origin, "index": r.index, "leaf": r.leaf} for r in refs] or None,
        "version": VERSION,
    }
    said = {name: value for name, value in said.items() if value is not None}
    _check_fields(said)
    after = {name: said.pop(name) for name in ("type", "version")}
    return Draft(canonical(said)[:-1], canonical(after)[1:])


def read_envelope(data: bytes) -> Envelope:
    """Read a statement; no signature is checked here.

    Args:
        data: an entry of a log, anything up to 65,535 bytes.

    Raises:
        NotCanonicalError: not canonical JSON; see ``read_canonical``.
        UnknownVersionError: of another major version: keep it, do not apply it.
        BadEnvelopeError: a field is missing, unknown to this version, or not in its form. Fields
            that a newer minor version adds are kept in ``extra``.
    """
    value = read_canonical(data)
    if not isinstance(value, dict):
        raise BadEnvelopeError(gettext_noop("the entry is no object: expected a statement"))
    minor = _check_version(value.get("version"))
    _check_required(value)
    extra = {name: value[name] for name in value.keys() - _FIELDS}
    if extra and minor == 0:
        raise BadEnvelopeError(
            gettext_noop("a statement of version {version} has no field {name!r}"),
            version=VERSION,
            name=min(extra)[:100],
        )
    _check_fields(value)
    signatures = _read_signatures(value["signatures"])
    return Envelope(
        type=value["type"],
        id=value["id"],
        issuer=value["issuer"],
        issued=read_time(value["issued"]),
        record=value.get("record"),
        parent=value.get("parent"),
        body=value.get("body"),
        commitment=value.get("commitment"),
        refs=tuple(Ref(ref["origin"], ref["index"], ref["leaf"]) for ref in value.get("refs", ())),
        signatures=signatures,
        version=value["version"],
        extra=extra,
        data=data,
        payload=_payload(data, value),
    )


def _payload(data: bytes, value: Mapping[str, Any]) -> bytes:
    """Cut the signatures out of the canonical bytes: what remains is spelled as it was signed.

    Signatures were read before: no object among them has such a key, and in a text its quotes would
    be escaped. So the last place before their end that looks like their beginning is it.
    """
    after = {name: item for name, item in value.items() if name > "signatures"}
    end = len(data) - len(spell(after)) + 1
    start = data.rindex(_SIGNATURES, 0, end)
    return b"%b%b,%b" % (SIGNED_PREFIX, data[:start], data[end:])


_SIGNATURES = b',"signatures":['


def verify_envelope(
    envelope: Envelope, keys: Iterable[PublicPair], require: Sequence[str] = (ED25519,)
) -> PublicPair:
    """Return the pair that signed, all required algorithms of it.

    Signatures by keys that are not given are passed over; a signature by a given key that fails
    refuses the statement, required or not.

    Args:
        envelope: what ``read_envelope`` returned.
        keys: the pairs that may sign at this index (``KeyHistory.keys_for``).
        require: ``("ed25519",)``, or ``BOTH`` for solemn types.

    Raises:
        ForgedStatementError: a given key's signature does not fit, or names another algorithm than
            the key's own.
        StrippedSignatureError: a given pair signed, but not with every required algorithm.
        UnknownSignerError: none of the given pairs signed.
    """
    return check_signatures(envelope.signatures, envelope.payload, tuple(keys), require)


def check_signatures(
    signatures: Sequence[Signature],
    payload: bytes,
    pairs: Sequence[PublicPair],
    require: Sequence[str],
) -> PublicPair:
    """Do what ``verify_envelope`` does, of a statement that was not read in full."""
    known = {kid: key for pair in pairs for kid, key in pair.by_kid.items()}
    good: set[str] = set()
    for signature in signatures:
        key = known.get(signature.kid)
        if key is None:
            continue
        if signature.alg != key.alg or not key.verifies(signature.sig, payload):
            raise ForgedStatementError(
                gettext_noop("the signature of key {kid} ({alg}) does not fit the statement"),
                kid=key.kid,
                alg=key.alg,
            )
        good.add(key.kid)
    for pair in pairs:
        if all(key.kid in good for key in pair.by_kid.values() if key.alg in require):
            return pair
    if good:
        raise StrippedSignatureError(
            gettext_noop("the statement is not signed with every algorithm: expected {required}"),
            required=", ".join(require),
        )
    raise UnknownSignerError(
        gettext_noop("no key that may sign here has signed: expected one of {expected}"),
        expected=", ".join(sorted(pair.ed25519.kid for pair in pairs)) or "-",
    )


def read_signed(data: bytes) -> tuple[str, str, tuple[Signature, ...], bytes]:
    """Return type, issuer, signatures and what they are over, and look at nothing else.

    For statements that were read in full when they came; a third of that work.

    Raises:
        NotCanonicalError, UnknownVersionError, BadEnvelopeError: see ``read_envelope``.
    """
    value = read_canonical(data)
    if not isinstance(value, dict):
        raise BadEnvelopeError(gettext_noop("the entry is no object: expected a statement"))
    _check_version(value.get("version"))
    _check_required(value)
    signatures = _read_signatures(value["signatures"])
    return str(value.get("type")), str(value.get("issuer")), signatures, _payload(data, value)


def commitment_of(content: bytes, salt: bytes) -> str:
    """Return what a statement says instead of content: SHA-256 over salt and content, hex.

    Who erases the content and the salt leaves a number that says nothing, even of content that
    could be guessed.

    Raises:
        BadCommitmentError: the salt has not 32 bytes; it must be random.
    """
    if len(salt) != SALT_BYTES:
        raise BadCommitmentError(
            gettext_noop("the salt has {length} bytes: expected {expected}"),
            length=len(salt),
            expected=SALT_BYTES,
        )
    return hashlib.sha256(salt + content).hexdigest()


def open_commitment(commitment: str, content: bytes, salt: bytes) -> bytes:
    """Return ``content`` if the commitment is to it.

    Raises:
        BadCommitmentError: it is to something else, or the salt has not 32 bytes.
    """
    if not hmac.compare_digest(commitment_of(content, salt).encode(), commitment.encode()):
        raise BadCommitmentError(
            gettext_noop("the content is not what was committed to: expected SHA-256 {commitment}"),
            commitment=commitment[:64],
        )
    return content


def write_time(moment: datetime) -> str:
    """Write a moment in UTC to the second, RFC 3339.

    Raises:
        BadEnvelopeError: without a time zone.
    """
    if moment.utcoffset() is None:
        raise BadEnvelopeError(gettext_noop("{time} has no time zone"), time=moment.isoformat())
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def read_time(text: object) -> datetime:
    """Read what ``write_time`` wrote, and nothing else.

    Raises:
        BadEnvelopeError: another form, or no such moment.
    """
    if isinstance(text, str) and _ISSUED.fullmatch(text) and (moment := _moment(text)):
        return moment
    raise BadEnvelopeError(
        gettext_noop("{text!r} is no moment: expected UTC such as 2026-11-22T06:37:10Z"),
        text=str(text)[:40],
    )


# Many statements after one another have the same second and the same issuer.
@lru_cache(maxsize=64)
def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


@lru_cache(maxsize=64)
def _is_origin(text: str) -> bool:
    return _ORIGIN.fullmatch(text) is not None


def check_origin(text: object) -> str:
    """Return a log's origin: a host with an optional port and path, no scheme.

    Raises:
        BadEnvelopeError: anything else, or longer than 200 characters.
    """
    if isinstance(text, str) and len(text) <= LONGEST_NAME and _is_origin(text):
        return text
    raise BadEnvelopeError(
        gettext_noop("{text!r} is no origin of a log: expected a name such as us.example/log"),
        text=str(text)[:100],
    )


def _check_required(value: Mapping[str, Any]) -> None:
    for name in _REQUIRED:
        if name not in value:
            raise BadEnvelopeError(
                gettext_noop("the statement has no {name!r}: expected {required}"),
                name=name,
                required=", ".join(_REQUIRED),
            )


def _check_version(version: object) -> int:
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if match is None:
        raise BadEnvelopeError(
            gettext_noop("the statement has no version: expected one such as {version}"),
            version=VERSION,
        )
    if match[1] != VERSION.partition(".")[0]:
        raise UnknownVersionError(
            gettext_noop("the statement is of version {found}: this node reads {version}"),
            found=match[0],
            version=VERSION,
        )
    return int(match[2])


def _check_fields(said: Mapping[str, Any]) -> None:
    _check_text(said, "type", _TYPE, LONGEST_TYPE)
    _check_text(said, "id", _ID, LONGEST_ID)
    check_origin(said["issuer"])
    read_time(said["issued"])
    if "record" in said:
        record = said["record"]
        if (
            not isinstance(record, str)
            or not 0 < len(record) <= LONGEST_NAME
            or _CONTROLS.search(record)
        ):
            raise _bad_shape("record", record, f"1–{LONGEST_NAME}")
    for name in ("parent", "commitment"):
        if name in said:
            _check_text(said, name, _HASH, 64)
    if ("body" in said) == ("commitment" in said):
        raise BadEnvelopeError(
            gettext_noop("a statement has either a body or a commitment to content, not both")
        )
    if "body" in said and not isinstance(said["body"], Mapping):
        raise _bad_shape("body", said["body"], "{…}")
    if "refs" in said:
        _check_refs(said["refs"])


def _check_refs(refs: object) -> None:
    if not isinstance(refs, list) or not 0 < len(refs) <= MOST_REFS:
        raise _bad_shape("refs", refs, f"[1–{MOST_REFS}]")
    for ref in refs:
        if not isinstance(ref, Mapping) or set(ref) != {"origin", "index", "leaf"}:
            raise _bad_shape("refs", ref, "{index, leaf, origin}")
        check_origin(ref["origin"])
        if type(ref["index"]) is not int or ref["index"] < 0:
            raise _bad_shape("refs.index", ref["index"], "0, 1, 2, …")
        _check_text(ref, "leaf", _HASH, 64)


def _read_signatures(signatures: object) -> tuple[Signature, ...]:
    if not isinstance(signatures, list) or not 0 < len(signatures) <= MOST_SIGNATURES:
        raise _bad_shape("signatures", signatures, f"[1–{MOST_SIGNATURES}]")
    found = []
    for item in signatures:
        if not isinstance(item, Mapping) or set(item) != {"kid", "alg", "sig"}:
            raise _bad_shape("signatures", item, "{alg, kid, sig}")
        _check_text(item, "kid", _KID, 32)
        _check_text(item, "alg", _ALG, 32)
        try:
            sig = read_base64(item["sig"], what="sig", length=SIGNATURE_BYTES.get(item["alg"]))
        except BadKeyError as error:
            raise BadEnvelopeError(error.sentence, **error.values) from None
        found.append(Signature(item["kid"], item["alg"], sig))
    if len({signature.kid for signature in found}) != len(found):
        raise BadEnvelopeError(gettext_noop("one key signs a statement once, not twice"))
    return tuple(found)


def _check_text(said: Mapping[str, Any], name: str, form: re.Pattern[str], longest: int) -> None:
    text = said[name]
    if not isinstance(text, str) or len(text) > longest or not form.fullmatch(text):
        raise BadEnvelopeError(
            gettext_noop(
                "the statement's {name} is {found}: expected at most {longest} characters of the "
                "form {form}"
            ),
            name=name,
            found=repr(text)[:100],
            longest=longest,
            form=form.pattern,
        )


def _bad_shape(name: str, found: object, expected: str) -> BadEnvelopeError:
    return BadEnvelopeError(
        gettext_noop("the statement's {name} is {found}: expected {expected}"),
        name=name,
        found=repr(found)[:100],
        expected=expected,
    )
