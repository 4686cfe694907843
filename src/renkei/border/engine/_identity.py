"""Who a node is toward others: what is pinned, what is published, and how its keys change.

A partner pins the fingerprint of the identity a node was founded with. From there on only the
node's own log can change its keys, by statements that the old key, the new key and the recovery
key have all signed; ``KeyHistory`` folds them.
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

from renkei.border.engine._canonical import canonical
from renkei.border.engine._envelope import (
    VERSION,
    BadEnvelopeError,
    Envelope,
    check_origin,
    verify_envelope,
)
from renkei.border.engine._keys import (
    BOTH,
    ED25519,
    KEM,
    KEY_BYTES,
    ML_DSA_44,
    BadKeyError,
    NodeKeys,
    PublicKey,
    PublicPair,
    SealingPublicKey,
    read_base64,
)
from renkei.border.engine._note import (
    ED25519 as ED25519_NOTE,
)
from renkei.border.engine._note import (
    ED25519_COSIGNATURE,
    MLDSA44_COSIGNATURE,
    BadVerifierKeyError,
    VerifierKey,
    encode_base64,
)
from renkei.kit.errors import RenkeiError, gettext_noop

KIND = "renkei-identity/1"
FINGERPRINT_PREFIX = b"renkei-identity/v1\n\0"
FOUNDED = "border.node.founded"
ROTATED = "border.key.rotated"
REVOKED = "border.key.revoked"
KEY_TYPES = (FOUNDED, ROTATED, REVOKED)  # always signed with both algorithms

ROLES = ("log", "witness", "mirror", "sealing", "recovery")
SIGNING_ROLES = ("log", "witness", "mirror", "recovery")
COSIGNER_ROLES = ("witness", "mirror")
LONGEST_OVERLAP = 1_000_000  # entries
LONGEST_NODE_NAME = 200
LONGEST_REASON = 1_000

_PARTY = re.compile(r"[A-Z]{2}")
_PROTOCOL = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}", re.ASCII)
_SEPARATORS = re.compile(r"[\s\-‐-―:·.,、]+")
_HEX = re.compile(r"[0-9a-f]{64}")
_DIGITS = re.compile(r"[0-9]{80}", re.ASCII)
_GROUP_DIGITS = 5
_GROUPS = 16
_FIELDS = frozenset({
    "kind", "log", "mirror", "name", "origin", "party", "protocols", "recovery", "sealing",
    "witness",
})  # fmt: skip


class BadIdentityError(RenkeiError):
    """A document does not describe a node."""

    code = "border.bad_identity"


class BadFingerprintError(RenkeiError):
    """What was typed is no fingerprint."""

    code = "border.bad_fingerprint"


class WrongFingerprintError(RenkeiError):
    """The node is not the one that was pinned."""

    code = "border.wrong_fingerprint"


class BadKeyChangeError(RenkeiError):
    """A rotation or revocation that does not hold."""

    code = "border.bad_key_change"


def format_fingerprint(fingerprint: str) -> str:
    """Return a fingerprint as two officers read it to each other.

    Sixteen groups of five digits, each group two bytes from 00000 to 65535, four groups a line:
    digits are the same in every language.

    Args:
        fingerprint: 64 hex digits, or any other form that ``parse_fingerprint`` takes.
    """
    digits = parse_fingerprint(fingerprint)
    groups = [f"{int(digits[at : at + 4], 16):05d}" for at in range(0, 64, 4)]
    return "\n".join(" ".join(groups[at : at + 4]) for at in range(0, _GROUPS, 4))


def parse_fingerprint(text: str) -> str:
    """Return a fingerprint as 64 hex digits.

    Args:
        text: eighty digits in groups or 64 hex digits in either case; spaces, hyphens, line
            breaks and full-width characters do not matter.

    Raises:
        BadFingerprintError: another length, another character, or a group beyond 65535.
    """
    bare = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text[:1_000])).lower()
    bare = bare.removeprefix("sha256")
    if _HEX.fullmatch(bare):
        return bare
    if not _DIGITS.fullmatch(bare):
        raise BadFingerprintError(
            gettext_noop(
                "{length} characters are no fingerprint: expected 16 groups of 5 digits, or 64 "
                "hex digits"
            ),
            length=len(bare),
        )
    groups = [bare[at : at + _GROUP_DIGITS] for at in range(0, len(bare), _GROUP_DIGITS)]
    for place, group in enumerate(groups, start=1):
        if int(group) > 0xFFFF:
            raise BadFingerprintError(
                gettext_noop("group {place} is {group}: a group is at most 65535; read it again"),
                place=place,
                group=group,
            )
    return "".join(f"{int(group):04x}" for group in groups)


@dataclass(frozen=True)
class Identity:
    """A node as others know it: names and public keys.

    Args:
        origin: name of its log, such as ``us.example/log``.
        party: the party it speaks for, an ISO 3166-1 alpha-2 code.
        name: what people call the node.
        log, witness, mirror, recovery: verifying keys of each role.
        sealing: where content for it is sealed to.
        protocols: versions of statements that it reads, newest last.
    """

    origin: str
    party: str
    name: str
    log: PublicPair
    witness: PublicPair
    mirror: PublicPair
    recovery: PublicPair
    sealing: SealingPublicKey
    protocols: tuple[str, ...] = (VERSION,)

    @classmethod
    def of(cls, keys: NodeKeys, *, origin: str, party: str, name: str) -> "Identity":
        """Return the identity that a node with these keys is founded with.

        Raises:
            BadIdentityError: an origin, a party or a name that cannot stand.
        """
        found = cls(
            origin,
            party,
            name,
            keys.log.public,
            keys.witness.public,
            keys.mirror.public,
            keys.recovery.public,
            keys.sealing.public,
        )
        found._check()
        return found

    @classmethod
    def read(cls, document: object) -> "Identity":
        """Read what ``document`` wrote; who wrote it is not known until the fingerprint is.

        Raises:
            BadIdentityError: a field is missing, too many, or not in its form.
        """
        if not isinstance(document, Mapping) or set(document) != _FIELDS:
            raise BadIdentityError(
                gettext_noop("the document is no identity: expected exactly {fields}"),
                fields=", ".join(sorted(_FIELDS)),
            )
        if document["kind"] != KIND:
            raise BadIdentityError(
                gettext_noop("the identity is of kind {kind!r}: expected {expected}"),
                kind=str(document["kind"])[:40],
                expected=KIND,
            )
        try:
            origin = check_origin(document["origin"])
            sealing = document["sealing"]
            found = cls(
                origin=origin,
                party=document["party"],
                name=document["name"],
                log=_read_vkeys(document["log"], origin, "log"),
                witness=_read_vkeys(document["witness"], f"{origin}/witness", "witness"),
                mirror=_read_vkeys(document["mirror"], f"{origin}/mirror", "mirror"),
                recovery=PublicPair.read(document["recovery"], what="recovery"),
                sealing=_read_sealing(sealing),
                protocols=tuple(document["protocols"])
                if isinstance(document["protocols"], list)
                else (),
            )
        except (BadKeyError, BadEnvelopeError) as error:
            raise BadIdentityError(error.sentence, **error.values) from None
        found._check()
        return found

    def _check(self) -> None:
        try:
            check_origin(self.origin)
        except BadEnvelopeError as error:
            raise BadIdentityError(error.sentence, **error.values) from None
        if not isinstance(self.party, str) or not _PARTY.fullmatch(self.party):
            raise BadIdentityError(
                gettext_noop("{party!r} is no party: expected two letters such as US or JP"),
                party=str(self.party)[:40],
            )
        if (
            not isinstance(self.name, str)
            or not 0 < len(self.name) <= LONGEST_NODE_NAME
            or not self.name.isprintable()
        ):
            raise BadIdentityError(
                gettext_noop("the node's name is 1 to {most} characters that can be shown"),
                most=LONGEST_NODE_NAME,
            )
        if not 0 < len(self.protocols) <= 16 or not all(
            isinstance(each, str) and _PROTOCOL.fullmatch(each) for each in self.protocols
        ):
            raise BadIdentityError(
                gettext_noop("protocols are 1 to 16 versions such as {version}"), version=VERSION
            )
        pairs = (self.log, self.witness, self.mirror, self.recovery)
        if len({kid for pair in pairs for kid in pair.kids}) != 2 * len(pairs):
            raise BadIdentityError(gettext_noop("one key serves two roles: expected one per role"))

    def keys(self, role: str) -> PublicPair | SealingPublicKey:
        """Return the keys the node was founded with for a role."""
        found: PublicPair | SealingPublicKey = getattr(self, role)
        return found

    @cached_property
    def document(self) -> dict[str, Any]:
        """The identity as JSON."""
        return {
            "kind": KIND,
            "origin": self.origin,
            "party": self.party,
            "name": self.name,
            "log": list(vkeys("log", self.origin, self.log)),
            "witness": list(vkeys("witness", f"{self.origin}/witness", self.witness)),
            "mirror": list(vkeys("mirror", f"{self.origin}/mirror", self.mirror)),
            "recovery": self.recovery.document,
            "sealing": {KEM: encode_base64(self.sealing.raw)},
            "protocols": list(self.protocols),
        }

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over a prefix and the canonical document, 64 hex digits: what is pinned."""
        return hashlib.sha256(FINGERPRINT_PREFIX + canonical(self.document)).hexdigest()

    def check_fingerprint(self, pinned: str) -> None:
        """Compare with what was pinned.

        Raises:
            BadFingerprintError: the pin is no fingerprint.
            WrongFingerprintError: this is another node, or it changed what it says it is.
        """
        expected = parse_fingerprint(pinned)
        if self.fingerprint != expected:
            raise WrongFingerprintError(
                gettext_noop(
                    "{origin} shows the fingerprint {found}: pinned is {expected}; ask the "
                    "partner's officer to read it to you"
                ),
                origin=self.origin,
                found=format_fingerprint(self.fingerprint).replace("\n", " "),
                expected=format_fingerprint(expected).replace("\n", " "),
            )


def vkeys(role: str, name: str, pair: PublicPair) -> tuple[str, str]:
    """Return a role's C2SP verifier keys, Ed25519 first.

    A log signs notes (type 0x01), a witness and a mirror cosign them (0x04); ML-DSA-44 is 0x06 for
    all.

    Source: C2SP signed-note, tlog-cosignature.
    """
    kind = ED25519_COSIGNATURE if role in COSIGNER_ROLES else ED25519_NOTE
    return (
        VerifierKey(name, kind, pair.ed25519.raw).text,
        VerifierKey(name, MLDSA44_COSIGNATURE, pair.mldsa44.raw).text,
    )


def _read_vkeys(texts: object, name: str, role: str) -> PublicPair:
    if isinstance(texts, list) and len(texts) == 2 and all(isinstance(text, str) for text in texts):
        try:
            keys = [VerifierKey.parse(text) for text in texts]
        except BadVerifierKeyError as error:
            raise BadKeyError(error.sentence, **error.values) from None
        pair = PublicPair(PublicKey(ED25519, keys[0].public), PublicKey(ML_DSA_44, keys[1].public))
        if tuple(texts) == vkeys(role, name, pair):
            return pair
    raise BadKeyError(
        gettext_noop("{role} is not two verifier keys of {name}: expected Ed25519 and ML-DSA-44"),
        role=role,
        name=name,
    )


def _read_sealing(document: object) -> SealingPublicKey:
    if not isinstance(document, Mapping) or set(document) != {KEM}:
        raise BadKeyError(gettext_noop("sealing is no key: expected an object with {kem}"), kem=KEM)
    return SealingPublicKey(read_base64(document[KEM], what="sealing", length=KEY_BYTES[KEM]))


def did_of(base_url: str) -> str:
    """Return the did:web name of a base address (did:web, 3.2)."""
    parts = urlsplit(base_url)
    path = [quote(part, safe="") for part in parts.path.split("/") if part]
    return ":".join(["did:web", quote(parts.netloc, safe=""), *path])


def did_document(history: "KeyHistory", base_url: str) -> dict[str, Any]:
    """Return the document of ``/.well-known/did.json``, for discovery only.

    It says what DNS and TLS can vouch for, no more: partners pin the fingerprint.

    Args:
        history: the node's keys as they stand.
        base_url: where its pages are, no slash at the end.
    """
    did = did_of(base_url)
    methods = [
        {
            "id": f"{did}#{key.kid}",
            "type": "JsonWebKey",
            "controller": did,
            "publicKeyJwk": _jwk(key),
        }
        for span in history.spans
        if span.role == "log" and span.end is None and isinstance(span.keys, PublicPair)
        for key in (span.keys.ed25519, span.keys.mldsa44)
    ]
    names = [method["id"] for method in methods]
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://www.w3.org/ns/cid/v1"],
        "id": did,
        "verificationMethod": methods,
        "assertionMethod": names,
        "authentication": names,
        "service": [
            {
                "id": f"{did}#renkei-node",
                "type": "RenkeiNode",
                "serviceEndpoint": f"{base_url}/.well-known/renkei-node",
            }
        ],
    }


def _jwk(key: PublicKey) -> dict[str, str]:
    raw = base64.urlsafe_b64encode(key.raw).rstrip(b"=").decode()
    if key.alg == ED25519:
        return {"kty": "OKP", "crv": "Ed25519", "x": raw}  # RFC 8037, 2
    return {"kty": "AKP", "alg": "ML-DSA-44", "pub": raw}  # draft-ietf-cose-dilithium


def renkei_node_document(
    history: "KeyHistory", base_url: str, addresses: Mapping[str, str]
) -> dict[str, Any]:
    """Return the document of ``/.well-known/renkei-node``.

    Args:
        history: the node's keys as they stand.
        base_url: where its pages are, no slash at the end.
        addresses: what else is where, such as ``log``, ``mirror``, ``witness``: full addresses.
    """
    identity = history.identity
    return {
        "identity": identity.document,
        "fingerprint": identity.fingerprint,
        "did": did_of(base_url),
        "origin": identity.origin,
        "party": identity.party,
        "name": identity.name,
        "protocols": list(identity.protocols),
        "base": base_url,
        "addresses": dict(addresses),
        "keys": {role: list(history.newest(role).vkeys) for role in ("log", *COSIGNER_ROLES)},
        "changes": [
            {"index": change.index, "type": change.type, "role": change.role}
            for change in history.changes
        ],
    }


@dataclass(frozen=True)
class KeySpan:
    """Keys of one role and the entries of the node's own log they hold for.

    Args:
        role: what they are for.
        name: C2SP name under which they sign notes.
        keys: the keys.
        start: first entry index.
        end: first index at which they hold no more; nothing, if they hold on.
    """

    role: str
    name: str
    keys: PublicPair | SealingPublicKey
    start: int
    end: int | None = None

    def holds(self, index: int) -> bool:
        """Tell whether the keys hold for an entry."""
        return self.start <= index and (self.end is None or index < self.end)

    @property
    def vkeys(self) -> tuple[str, ...]:
        """The C2SP verifier keys, Ed25519 first; none of a sealing key."""
        return vkeys(self.role, self.name, self.keys) if isinstance(self.keys, PublicPair) else ()

    @property
    def kids(self) -> tuple[str, ...]:
        """The names of the keys."""
        return self.keys.kids if isinstance(self.keys, PublicPair) else (self.keys.kid,)


@dataclass(frozen=True)
class KeyChange:
    """One entry that changed keys."""

    index: int
    type: str
    role: str


@dataclass(frozen=True)
class KeyHistory:
    """Which keys of a node hold for which entry of its log: the fold over its key statements.

    Order is the index in the node's own log, never time. A change holds from the entry after it.
    """

    identity: Identity
    spans: tuple[KeySpan, ...]
    changes: tuple[KeyChange, ...] = ()

    @classmethod
    def founded(cls, identity: Identity) -> "KeyHistory":
        """Begin with the keys that were pinned."""
        names = dict.fromkeys(ROLES, identity.origin)
        names |= {role: f"{identity.origin}/{role}" for role in COSIGNER_ROLES}
        return cls(
            identity,
            tuple(KeySpan(role, names[role], identity.keys(role), start=0) for role in ROLES),
        )

    @classmethod
    def fold(cls, identity: Identity, entries: Iterable[tuple[int, Envelope]]) -> "KeyHistory":
        """Fold the statements of a log, in its order; types that are not about keys pass.

        Raises:
            BadKeyChangeError: see ``after``.
            UnverifiedStatementError: see ``after``.
        """
        history = cls.founded(identity)
        for index, envelope in entries:
            history = history.after(index, envelope)
        return history

    def keys_for(self, role: str, index: int) -> tuple[PublicPair, ...]:
        """Return the signing keys of a role that hold for an entry, newest first."""
        return _pairs(span for span in self._spans(role) if span.holds(index))

    def keys_at(self, role: str, size: int) -> tuple[PublicPair, ...]:
        """Return the signing keys of a role for what is not an entry, newest first.

        A checkpoint, a cosignature or a request of a node whose log has ``size`` entries may be
        signed by keys of its last entry or of the next: who has just said that keys change may use
        either.
        """
        return _pairs(self._spans_at(role, size))

    def vkeys_for(self, role: str, index: int) -> tuple[str, ...]:
        """Return the verifier keys of a role that hold for an entry, newest first."""
        return tuple(text for span in self._spans(role) if span.holds(index) for text in span.vkeys)

    def vkeys_at(self, role: str, size: int) -> tuple[str, ...]:
        """Return the verifier keys of a role for a checkpoint of that size; see ``keys_at``."""
        return tuple(text for span in self._spans_at(role, size) for text in span.vkeys)

    def _spans(self, role: str) -> list[KeySpan]:
        return [span for span in reversed(self.spans) if span.role == role]

    def _spans_at(self, role: str, size: int) -> list[KeySpan]:
        return [
            span
            for span in self._spans(role)
            if span.holds(size) or (size > 0 and span.holds(size - 1))
        ]

    def sealing_for(self, index: int) -> SealingPublicKey:
        """Return the newest key to seal to that holds for an entry."""
        return next(
            span.keys
            for span in reversed(self.spans)
            if span.holds(index) and isinstance(span.keys, SealingPublicKey)
        )

    def newest(self, role: str) -> KeySpan:
        """Return the keys of a role that hold without an end."""
        return next(span for span in self.spans if span.role == role and span.end is None)

    def after(self, index: int, envelope: Envelope) -> "KeyHistory":
        """Return the history with one more entry of the node's log.

        The entry's ordinary signature is checked by the reader of the log (``verify_envelope``);
        here is checked who else must agree to a change of keys, with both algorithms each.

        Args:
            index: of the entry in the node's own log.
            envelope: any statement; those that are not about keys change nothing.

        Raises:
            BadKeyChangeError: the change does not fit what holds now.
            UnverifiedStatementError: the old, the new or the recovery key has not signed, or not
                with both algorithms.
        """
        if envelope.type not in KEY_TYPES:
            return self
        if envelope.issuer != self.identity.origin:
            raise BadKeyChangeError(
                gettext_noop("{issuer} cannot change the keys of {origin}"),
                issuer=envelope.issuer,
                origin=self.identity.origin,
            )
        if self.changes and index <= self.changes[-1].index:
            raise BadKeyChangeError(
                gettext_noop("entry {index} comes after entry {last}: expected the log's order"),
                index=index,
                last=self.changes[-1].index,
            )
        body = envelope.body or {}
        if envelope.type == FOUNDED:
            if index != 0 or body != founding_body(self.identity):
                raise BadKeyChangeError(
                    gettext_noop("{origin} was founded with another identity: it is pinned"),
                    origin=self.identity.origin,
                )
            return self
        role = body.get("role")
        if role not in ROLES:
            raise BadKeyChangeError(
                gettext_noop("{role!r} is no role of a key: expected {roles}"),
                role=str(role)[:40],
                roles=", ".join(ROLES),
            )
        change = _rotate if envelope.type == ROTATED else _revoke
        spans = change(self, index, envelope, body)
        return replace(
            self, spans=spans, changes=(*self.changes, KeyChange(index, envelope.type, role))
        )


def _pairs(spans: Iterable[KeySpan]) -> tuple[PublicPair, ...]:
    return tuple(span.keys for span in spans if isinstance(span.keys, PublicPair))


def founding_body(identity: Identity) -> dict[str, Any]:
    """Return the body of the first statement of a log: the identity that partners pin."""
    return {"identity": identity.document}


def rotation_body(
    history: KeyHistory,
    role: str,
    new: PublicPair | SealingPublicKey,
    *,
    overlap: int,
    reason: str,
) -> dict[str, Any]:
    """Return the body of ``border.key.rotated``.

    Args:
        history: the keys as they stand.
        role: of ``ROLES``.
        new: the keys that take over.
        overlap: entries after this one for which the old keys hold too.
        reason: for people.

    The statement is signed with both algorithms by the log's keys, by the old and the new keys of
    the role (a sealing key cannot sign) and by the recovery keys.
    """
    span = history.newest(role)
    body: dict[str, Any] = {
        "role": role,
        "old": list(span.kids),
        "new": _document(new),
        "overlap": overlap,
        "reason": reason,
    }
    if role in COSIGNER_ROLES:
        # A cosigner that forgot what it signed must not go on under its name (C2SP tlog-witness).
        count = sum(each.role == role for each in history.spans)
        body["name"] = f"{history.identity.origin}/{role}/{count + 1}"
    return body


def revocation_body(
    role: str, keys: PublicPair | SealingPublicKey, *, reason: str
) -> dict[str, Any]:
    """Return the body of ``border.key.revoked``: these keys hold for no later entry.

    The statement is signed with both algorithms by keys of the log that remain and by the recovery
    keys. What the revoked keys signed before stays said.
    """
    return {"role": role, "keys": _kids(keys), "reason": reason}


def _rotate(
    history: KeyHistory, index: int, envelope: Envelope, body: Mapping[str, Any]
) -> tuple[KeySpan, ...]:
    role = body["role"]
    named = {"name"} if role in COSIGNER_ROLES else set()
    _check_shape(body, {"role", "old", "new", "overlap", "reason"} | named)
    overlap = body["overlap"]
    if type(overlap) is not int or not 0 <= overlap <= LONGEST_OVERLAP:
        raise BadKeyChangeError(
            gettext_noop("the overlap is {overlap}: expected 0 to {most} entries"),
            overlap=str(overlap)[:40],
            most=LONGEST_OVERLAP,
        )
    old = history.newest(role)
    if body["old"] != list(old.kids):
        raise BadKeyChangeError(
            gettext_noop("the rotation is of other keys than those of {role}: expected {kids}"),
            role=role,
            kids=", ".join(old.kids),
        )
    try:
        new: PublicPair | SealingPublicKey = (
            _read_sealing(body["new"])
            if role == "sealing"
            else PublicPair.read(body["new"], what="new")
        )
    except BadKeyError as error:
        raise BadKeyChangeError(error.sentence, **error.values) from None
    used = {kid for span in history.spans for kid in span.kids}
    if used & set(_kids(new)):
        raise BadKeyChangeError(
            gettext_noop("a new key of {role} was used before: expected keys never used"), role=role
        )
    name = old.name
    if role in COSIGNER_ROLES:
        name = body["name"]
        taken = {span.name for span in history.spans}
        prefix = f"{history.identity.origin}/{role}/"
        if (
            not isinstance(name, str)
            or not re.fullmatch(re.escape(prefix) + r"[0-9]{1,6}", name, re.ASCII)
            or name in taken
        ):
            raise BadKeyChangeError(
                gettext_noop("a new {role} has a new name: expected {prefix} and a number"),
                role=role,
                prefix=prefix,
            )
    signers = [*history.keys_for("log", index)[:1], *history.keys_for("recovery", index)[:1]]
    signers += [keys for keys in (old.keys, new) if isinstance(keys, PublicPair)]
    _check_signed(envelope, signers)
    return (
        *(
            replace(span, end=index + 1 + overlap) if span is old else span
            for span in history.spans
        ),
        KeySpan(role, name, new, start=index + 1),
    )


def _revoke(
    history: KeyHistory, index: int, envelope: Envelope, body: Mapping[str, Any]
) -> tuple[KeySpan, ...]:
    role = body["role"]
    _check_shape(body, {"role", "keys", "reason"})
    revoked = next(
        (
            span
            for span in history.spans
            if span.role == role and list(span.kids) == body["keys"] and span.holds(index)
        ),
        None,
    )
    if revoked is None:
        raise BadKeyChangeError(
            gettext_noop("the keys to revoke do not hold for {role} at entry {index}"),
            role=role,
            index=index,
        )
    if revoked.end is None:
        raise BadKeyChangeError(
            gettext_noop("{role} would have no keys: rotate them first, with an overlap of 0"),
            role=role,
        )
    remaining = [keys for keys in history.keys_for("log", index) if keys != revoked.keys]
    _check_signed(envelope, [*remaining[:1], *history.keys_for("recovery", index)[:1]])
    return tuple(
        replace(span, end=index + 1) if span is revoked else span for span in history.spans
    )


def _check_signed(envelope: Envelope, signers: Sequence[PublicPair]) -> None:
    for pair in dict.fromkeys(signers):
        verify_envelope(envelope, [pair], require=BOTH)


def _check_shape(body: Mapping[str, Any], expected: set[str]) -> None:
    reason = body.get("reason")
    if set(body) != expected or not isinstance(reason, str) or len(reason) > LONGEST_REASON:
        raise BadKeyChangeError(
            gettext_noop("a change of keys says exactly {fields}"),
            fields=", ".join(sorted(expected)),
        )


def _kids(keys: PublicPair | SealingPublicKey) -> list[str]:
    return list(keys.kids) if isinstance(keys, PublicPair) else [keys.kid]


def _document(keys: PublicPair | SealingPublicKey) -> dict[str, str]:
    return keys.document if isinstance(keys, PublicPair) else {KEM: encode_base64(keys.raw)}
