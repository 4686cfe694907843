"""A node's keys: two signature algorithms for each role, one for sealing, one kept offline.

Every role signs with Ed25519 and with ML-DSA-44, so a record outlives either. What the partner
sees of these keys is in ``_identity``; how they change is there too.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hpke, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from renkei.border.engine._note import decode_base64, encode_base64
from renkei.kit.errors import RenkeiError, gettext_noop

ED25519 = "ed25519"
ML_DSA_44 = "ml-dsa-44"
BOTH = (ED25519, ML_DSA_44)
KEM = "MLKEM768-X25519"

KEY_BYTES = {ED25519: 32, ML_DSA_44: 1_312, KEM: 1_184 + 32}
SIGNATURE_BYTES = {ED25519: 64, ML_DSA_44: 2_420}


class BadKeyError(RenkeiError):
    """Something that should be a public key is none."""

    code = "border.bad_key"


class MissingKeyFileError(RenkeiError):
    """A private key's file is not there."""

    code = "border.missing_key_file"
    status = 500


class DamagedKeyFileError(RenkeiError):
    """A key's file holds something else than its key."""

    code = "border.damaged_key_file"
    status = 500


def read_base64(text: object, *, what: str, length: int | None = None) -> bytes:
    """Return the bytes of base64 in the one way to write them, for a person to be told about.

    Raises:
        BadKeyError: anything else, or another length than ``length`` bytes.
    """
    data = decode_base64(text) if isinstance(text, str) else None
    if data is None:
        raise BadKeyError(gettext_noop("{what} is not base64 with padding"), what=what)
    if length is not None and len(data) != length:
        raise BadKeyError(
            gettext_noop("{what} has {found} bytes: expected {length}"),
            what=what,
            found=len(data),
            length=length,
        )
    return data


@dataclass(frozen=True)
class PublicKey:
    """One verifying key: its algorithm belongs to it, and is never read from a message.

    Raises:
        BadKeyError: an unknown algorithm, or bytes that are no key of it.
    """

    alg: str
    raw: bytes

    def __post_init__(self) -> None:
        if self.alg not in SIGNATURE_BYTES:
            raise BadKeyError(
                gettext_noop("{alg!r} is not a signature algorithm: expected {known}"),
                alg=self.alg[:40],
                known=", ".join(SIGNATURE_BYTES),
            )
        try:
            _ = self.loaded
        except ValueError:
            raise BadKeyError(
                gettext_noop("{length} bytes are no {alg} key: expected {expected} bytes"),
                length=len(self.raw),
                alg=self.alg,
                expected=KEY_BYTES[self.alg],
            ) from None

    @cached_property
    def loaded(self) -> Ed25519PublicKey | MLDSA44PublicKey:
        """The key as ``cryptography`` takes it."""
        if self.alg == ED25519:
            return Ed25519PublicKey.from_public_bytes(self.raw)
        return MLDSA44PublicKey.from_public_bytes(self.raw)

    def __reduce__(self) -> tuple[type["PublicKey"], tuple[str, bytes]]:
        """Travel to another process without what ``cryptography`` holds."""
        return type(self), (self.alg, self.raw)

    @cached_property
    def kid(self) -> str:
        """Name the key: 32 hex digits of SHA-256 over its algorithm and bytes."""
        return hashlib.sha256(self.alg.encode() + b"\n" + self.raw).hexdigest()[:32]

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tell whether ``signature`` is this key's over ``message``.

        Of Ed25519, libsodium takes half of OpenSSL's time and refuses all that OpenSSL does, and
        small-order keys besides: what it accepts is good, of the rest OpenSSL decides.
        """
        if self.alg == ED25519 and len(signature) == SIGNATURE_BYTES[ED25519]:
            try:
                crypto_sign_open(signature + message, self.raw)
            except BadSignatureError:
                pass
            else:
                return True
        try:
            self.loaded.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def __repr__(self) -> str:
        return f"PublicKey({self.alg}, {self.kid})"


@dataclass(frozen=True)
class PublicPair:
    """One role's verifying keys, one of each algorithm; they come and go together."""

    ed25519: PublicKey
    mldsa44: PublicKey

    def __post_init__(self) -> None:
        if (self.ed25519.alg, self.mldsa44.alg) != BOTH:
            raise BadKeyError(
                gettext_noop("{found} are not a pair: expected {expected}"),
                found=f"{self.ed25519.alg}, {self.mldsa44.alg}",
                expected=", ".join(BOTH),
            )

    @cached_property
    def by_kid(self) -> Mapping[str, PublicKey]:
        """Both keys by name."""
        return {key.kid: key for key in (self.ed25519, self.mldsa44)}

    @property
    def kids(self) -> tuple[str, str]:
        """The names of both keys, Ed25519 first."""
        return self.ed25519.kid, self.mldsa44.kid

    @property
    def document(self) -> dict[str, str]:
        """The pair as JSON: algorithm to base64."""
        return {
            ED25519: encode_base64(self.ed25519.raw),
            ML_DSA_44: encode_base64(self.mldsa44.raw),
        }

    @classmethod
    def read(cls, document: object, *, what: str) -> "PublicPair":
        """Read what ``document`` wrote.

        Raises:
            BadKeyError: not an object with exactly both algorithms, or no keys.
        """
        if not isinstance(document, Mapping) or set(document) != set(BOTH):
            raise BadKeyError(
                gettext_noop("{what} is not a pair of keys: expected an object with {expected}"),
                what=what,
                expected=", ".join(BOTH),
            )
        return cls(
            *(
                PublicKey(
                    alg, read_base64(document[alg], what=f"{what}.{alg}", length=KEY_BYTES[alg])
                )
                for alg in BOTH
            )
        )


@dataclass(frozen=True, repr=False)
class SigningKey:
    """One signing key with its name."""

    private: Ed25519PrivateKey | MLDSA44PrivateKey

    @cached_property
    def public(self) -> PublicKey:
        """The key that verifies what this one signs."""
        alg = ED25519 if isinstance(self.private, Ed25519PrivateKey) else ML_DSA_44
        return PublicKey(alg, self.private.public_key().public_bytes_raw())

    @cached_property
    def kid(self) -> str:
        """The name of the key, as in ``PublicKey``."""
        return self.public.kid

    @cached_property
    def alg(self) -> str:
        """The algorithm."""
        return self.public.alg

    def sign(self, message: bytes) -> bytes:
        """Sign; ML-DSA-44 draws fresh randomness each time (FIPS 204, hedged)."""
        return self.private.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey({self.alg}, {self.kid})"


@dataclass(frozen=True, repr=False)
class SigningPair:
    """One role's signing keys."""

    ed25519: SigningKey
    mldsa44: SigningKey

    @classmethod
    def of(cls, ed25519: Ed25519PrivateKey, mldsa44: MLDSA44PrivateKey) -> "SigningPair":
        """Name both private keys."""
        return cls(SigningKey(ed25519), SigningKey(mldsa44))

    @property
    def both(self) -> tuple[SigningKey, SigningKey]:
        """Both keys, Ed25519 first: the signers of a solemn statement."""
        return self.ed25519, self.mldsa44

    @cached_property
    def public(self) -> PublicPair:
        """The pair that verifies what this one signs."""
        return PublicPair(self.ed25519.public, self.mldsa44.public)

    def __repr__(self) -> str:
        return f"SigningPair({self.public.kids})"


@dataclass(frozen=True)
class SealingPublicKey:
    """Where content is sealed to: ML-KEM-768 and X25519 together, as HPKE takes them."""

    raw: bytes

    def __post_init__(self) -> None:
        try:
            _ = self.hpke
        except ValueError:
            raise BadKeyError(
                gettext_noop("{length} bytes are no {alg} key: expected {expected} bytes"),
                length=len(self.raw),
                alg=KEM,
                expected=KEY_BYTES[KEM],
            ) from None

    def __reduce__(self) -> tuple[type["SealingPublicKey"], tuple[bytes]]:
        """Travel to another process without what ``cryptography`` holds."""
        return type(self), (self.raw,)

    @cached_property
    def hpke(self) -> hpke.MLKEM768X25519PublicKey:
        """The key as ``cryptography`` takes it."""
        return hpke.MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(self.raw[:1_184]),
            X25519PublicKey.from_public_bytes(self.raw[1_184:]),
        )

    @cached_property
    def kid(self) -> str:
        """Name the key as ``PublicKey`` does."""
        return hashlib.sha256(KEM.encode() + b"\n" + self.raw).hexdigest()[:32]

    def __repr__(self) -> str:
        return f"SealingPublicKey({self.kid})"


@dataclass(frozen=True, repr=False)
class SealingKey:
    """Opens what was sealed to this node."""

    mlkem: MLKEM768PrivateKey
    x25519: X25519PrivateKey

    @cached_property
    def hpke(self) -> hpke.MLKEM768X25519PrivateKey:
        """The key as ``cryptography`` takes it."""
        return hpke.MLKEM768X25519PrivateKey(self.mlkem, self.x25519)

    @cached_property
    def public(self) -> SealingPublicKey:
        """Where the partner seals to: ML-KEM-768 first, then X25519."""
        return SealingPublicKey(
            self.mlkem.public_key().public_bytes_raw() + self.x25519.public_key().public_bytes_raw()
        )

    def __repr__(self) -> str:
        return f"SealingKey({self.public.kid})"


@dataclass(frozen=True, repr=False)
class Recovery:
    """The key that must agree to every change of keys; its private half is kept away."""

    public: PublicPair
    private: SigningPair | None = None

    def __post_init__(self) -> None:
        if self.private is not None and self.private.public != self.public:
            raise BadKeyError(gettext_noop("the recovery key's two halves do not belong together"))

    def __repr__(self) -> str:
        return f"Recovery({self.public.kids}, private half {'here' if self.private else 'away'})"


@dataclass(frozen=True, repr=False)
class NodeKeys:
    """Everything a node signs and opens with.

    The witness and the mirror are cosigners of their own (C2SP tlog-mirror): no key serves two
    roles.
    """

    log_ed25519: Ed25519PrivateKey
    log_mldsa44: MLDSA44PrivateKey
    witness_ed25519: Ed25519PrivateKey
    witness_mldsa44: MLDSA44PrivateKey
    mirror_ed25519: Ed25519PrivateKey
    mirror_mldsa44: MLDSA44PrivateKey
    sealing: SealingKey
    recovery: Recovery

    OFFLINE: ClassVar = ("recovery-ed25519.pem", "recovery-mldsa44.pem")

    @classmethod
    def generate(cls, random: Callable[[int], bytes] = os.urandom) -> "NodeKeys":
        """Make new keys.

        Args:
            random: gives that many random bytes; a test passes a fixed stream.
        """

        def pair() -> tuple[Ed25519PrivateKey, MLDSA44PrivateKey]:
            return (
                Ed25519PrivateKey.from_private_bytes(random(32)),
                MLDSA44PrivateKey.from_seed_bytes(random(32)),
            )

        log, witness, mirror = pair(), pair(), pair()
        sealing = SealingKey(
            MLKEM768PrivateKey.from_seed_bytes(random(64)),
            X25519PrivateKey.from_private_bytes(random(32)),
        )
        recovery = SigningPair.of(*pair())
        return cls(*log, *witness, *mirror, sealing, Recovery(recovery.public, recovery))

    @cached_property
    def log(self) -> SigningPair:
        """Signs checkpoints, statements and requests."""
        return SigningPair.of(self.log_ed25519, self.log_mldsa44)

    @cached_property
    def witness(self) -> SigningPair:
        """Cosigns a partner's checkpoint: it extends the one before."""
        return SigningPair.of(self.witness_ed25519, self.witness_mldsa44)

    @cached_property
    def mirror(self) -> SigningPair:
        """Cosigns a partner's checkpoint: every entry is held here."""
        return SigningPair.of(self.mirror_ed25519, self.mirror_mldsa44)

    def without_recovery(self) -> "NodeKeys":
        """Return these keys as they are once the recovery key was taken offline."""
        return replace(self, recovery=Recovery(self.recovery.public))

    def to_files(self) -> dict[str, str]:
        """Write each key as PEM (PKCS #8, or SubjectPublicKeyInfo for ``.pub.pem``) by file name.

        ``OFFLINE`` names the files to take away; the node runs without them.
        """
        files = {
            f"{name.replace('_', '-')}.pem": _private_pem(getattr(self, name))
            for name in _PRIVATE_KINDS
        }
        files["sealing-mlkem768.pem"] = _private_pem(self.sealing.mlkem)
        files["sealing-x25519.pem"] = _private_pem(self.sealing.x25519)
        for alg, key in (
            ("ed25519", self.recovery.public.ed25519),
            ("mldsa44", self.recovery.public.mldsa44),
        ):
            files[f"recovery-{alg}.pub.pem"] = _public_pem(key)
        if self.recovery.private is not None:
            files["recovery-ed25519.pem"] = _private_pem(self.recovery.private.ed25519.private)
            files["recovery-mldsa44.pem"] = _private_pem(self.recovery.private.mldsa44.private)
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, str | bytes]) -> "NodeKeys":
        """Read what ``to_files`` wrote; the recovery key's private files may be away.

        Raises:
            MissingKeyFileError: a file that the node needs is not there.
            DamagedKeyFileError: a file is no key, is another kind of key, or is the same key as
                another file.
        """
        keys: dict[str, Any] = {
            name: _load_private(files, f"{name.replace('_', '-')}.pem", kind)
            for name, kind in _PRIVATE_KINDS.items()
        }
        sealing = SealingKey(
            _load_private(files, "sealing-mlkem768.pem", MLKEM768PrivateKey),
            _load_private(files, "sealing-x25519.pem", X25519PrivateKey),
        )
        public = PublicPair(
            _load_public(files, "recovery-ed25519.pub.pem", Ed25519PublicKey),
            _load_public(files, "recovery-mldsa44.pub.pem", MLDSA44PublicKey),
        )
        there = [name for name in cls.OFFLINE if name in files]
        private = None
        if there:
            private = SigningPair.of(
                _load_private(files, cls.OFFLINE[0], Ed25519PrivateKey),
                _load_private(files, cls.OFFLINE[1], MLDSA44PrivateKey),
            )
            for name, own, known in zip(
                cls.OFFLINE,
                (private.public.ed25519, private.public.mldsa44),
                (public.ed25519, public.mldsa44),
                strict=True,
            ):
                if own != known:
                    raise DamagedKeyFileError(
                        gettext_noop("{name} is not the private half of {public}"),
                        name=name,
                        public=name.replace(".pem", ".pub.pem"),
                    )
        found = cls(**keys, sealing=sealing, recovery=Recovery(public, private))
        found._check_distinct()
        return found

    def _check_distinct(self) -> None:
        seen: dict[str, str] = {}
        roles = {
            "log": self.log.public,
            "witness": self.witness.public,
            "mirror": self.mirror.public,
            "recovery": self.recovery.public,
        }
        for role, pair in roles.items():
            for key in (pair.ed25519, pair.mldsa44):
                name = f"{role}-{key.alg.replace('-', '')}.pem"
                if key.kid in seen:
                    raise DamagedKeyFileError(
                        gettext_noop("{name} holds the same key as {other}: expected one per role"),
                        name=name,
                        other=seen[key.kid],
                    )
                seen[key.kid] = name

    def __repr__(self) -> str:
        return f"NodeKeys(log={self.log.public.kids}, {self.recovery!r})"


_PRIVATE_KINDS: dict[str, type] = {
    "log_ed25519": Ed25519PrivateKey,
    "log_mldsa44": MLDSA44PrivateKey,
    "witness_ed25519": Ed25519PrivateKey,
    "witness_mldsa44": MLDSA44PrivateKey,
    "mirror_ed25519": Ed25519PrivateKey,
    "mirror_mldsa44": MLDSA44PrivateKey,
}


def _private_pem(key: Any) -> str:
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode()


def _public_pem(key: PublicKey) -> str:
    pem: bytes = key.loaded.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem.decode()


def _load_private(files: Mapping[str, str | bytes], name: str, kind: type) -> Any:
    return _load(
        files, name, kind, lambda pem: serialization.load_pem_private_key(pem, password=None)
    )


def _load_public(files: Mapping[str, str | bytes], name: str, kind: type) -> PublicKey:
    key = _load(files, name, kind, serialization.load_pem_public_key)
    return PublicKey(ED25519 if kind is Ed25519PublicKey else ML_DSA_44, key.public_bytes_raw())


def _load(
    files: Mapping[str, str | bytes], name: str, kind: type, load: Callable[[bytes], Any]
) -> Any:
    if name not in files:
        raise MissingKeyFileError(
            gettext_noop("the key file {name} is missing: put it back from your backup"), name=name
        )
    pem = files[name]
    try:
        key = load(pem.encode() if isinstance(pem, str) else pem)
    except Exception:  # noqa: BLE001 - cryptography raises many kinds, some of them not its own
        key = None
    if not isinstance(key, kind):
        raise DamagedKeyFileError(
            gettext_noop(
                "the key file {name} is damaged: expected an {kind} key in PEM; put it back from your "
                "backup"
            ),
            name=name,
            kind=kind.__name__.removesuffix("PrivateKey").removesuffix("PublicKey"),
        )
    return key
