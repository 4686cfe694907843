"""Requests and answers between nodes: signed with both algorithms, good for minutes, once.

A profile of RFC 9421 (HTTP message signatures) and RFC 9530 (Content-Digest). It says who is
speaking now; what was said for good is in the statements. Nonces that were seen are kept by the
caller, until the time in ``Verified.expires``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
    VerifyResult,
)
from http_message_signatures import algorithms as library

from renkei.border.engine._keys import BOTH, ED25519, ML_DSA_44, PublicPair, SigningPair
from renkei.kit.errors import RenkeiError, gettext_noop

TAG = "renkei-fed/1"
LONGEST_LIFE = timedelta(seconds=300)
CLOCK_SKEW = timedelta(seconds=60)
LONGEST_NONCE = 64
_LONGEST_HEADER = 16 * 1_024  # characters; two signatures need 4,000
_REQUEST = ("@method", "@target-uri", "content-digest")
_RESPONSE = ("@status", "content-digest", '"@method";req', '"@target-uri";req')


class BadHttpSignatureError(RenkeiError):
    """A request or an answer is not signed as nodes sign."""

    code = "border.bad_http_signature"
    status = 401


class StaleHttpSignatureError(BadHttpSignatureError):
    """The signature is good, but not now: it is old, or one of the clocks is wrong."""

    code = "border.stale_http_signature"


@dataclass(frozen=True)
class Verified:
    """Who signed, and until when the nonce must be remembered.

    Args:
        keys: the pair that signed, with both algorithms.
        nonce: to be refused when seen again.
        created: the signer's clock.
        expires: the nonce may be forgotten after this moment and ``CLOCK_SKEW``.
    """

    keys: PublicPair
    nonce: str
    created: datetime
    expires: datetime

    @property
    def keyid(self) -> str:
        """The name of the Ed25519 key."""
        return self.keys.ed25519.kid


@dataclass
class _Message:
    method: str
    url: str
    headers: dict[str, str]


@dataclass
class _Answer:
    status_code: int
    request: _Message
    headers: dict[str, str]


class _MlDsa44(HTTPSignatureAlgorithm):
    """ML-DSA-44 as C2SP httpsig-pq has it: empty context, no prehash."""

    algorithm_id = ML_DSA_44

    def __init__(self, public_key: Any = None, private_key: Any = None) -> None:
        self._public, self._private = public_key, private_key

    def sign(self, message: bytes) -> bytes:
        signature: bytes = self._private.sign(message)
        return signature

    def verify(self, signature: bytes, message: bytes) -> None:
        self._public.verify(signature, message)


class _Keys(HTTPSignatureKeyResolver):
    """Keys by name; the library's own resolver takes no ML-DSA-44."""

    def __init__(
        self, *, public: Mapping[str, Any] | None = None, private: Mapping[str, Any] | None = None
    ) -> None:
        self._public, self._private = public or {}, private or {}

    def resolve_public_key(self, key_id: str) -> Any:
        return self._public.get(key_id)

    def resolve_private_key(self, key_id: str) -> Any:
        return self._private[key_id]


_ALGORITHMS = {ED25519: library.ED25519, ML_DSA_44: _MlDsa44}


class _Verifier(HTTPMessageVerifier):
    """The library's verifier without its clock: times are judged in ``_judge``."""

    def validate_created_and_expires(
        self,
        sig_input: Any,
        max_age: Any = None,  # noqa: ARG002 - the library's signature
    ) -> None:
        for name in ("created", "expires", "nonce", "keyid", "alg"):
            if name not in sig_input.params:
                raise HTTPMessageSignaturesException(f'the parameter "{name}" is missing')


def sign_request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    keys: SigningPair,
    now: datetime,
    nonce: str,
    lifetime: timedelta = timedelta(seconds=60),
) -> dict[str, str]:
    """Return the headers that sign a request: the given ones and three more.

    Args:
        method: in capitals.
        url: complete, as the partner will see it.
        headers: with Content-Type, if there is a body.
        body: possibly empty.
        keys: of this node's log.
        now: with a time zone.
        nonce: never used before; 1 to 64 printable ASCII characters.
        lifetime: at most 300 seconds.

    Raises:
        BadHttpSignatureError: an address, a header or a lifetime that no partner would accept.
    """
    message = _Message(method, url, dict(headers))
    covered = [*_REQUEST, *_typed(message.headers, body)]
    return _sign(message, covered, body, keys=keys, now=now, nonce=nonce, lifetime=lifetime)


def sign_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    method: str,
    url: str,
    keys: SigningPair,
    now: datetime,
    nonce: str,
    lifetime: timedelta = timedelta(seconds=60),
) -> dict[str, str]:
    """Return the headers that sign an answer to a request.

    Args:
        status: HTTP status.
        headers: with Content-Type, if there is a body.
        body: possibly empty.
        method, url: of the request.
        keys: of this node's log.
        now: with a time zone.
        nonce: the request's: it ties the answer to this one request.
        lifetime: at most 300 seconds.

    Raises:
        BadHttpSignatureError: as ``sign_request``.
    """
    message = _Answer(status, _Message(method, url, {}), dict(headers))
    covered = [*_RESPONSE, *_typed(message.headers, body)]
    return _sign(message, covered, body, keys=keys, now=now, nonce=nonce, lifetime=lifetime)


def verify_request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    keys: Iterable[PublicPair],
    now: datetime,
) -> Verified:
    """Return who signed a request, with both algorithms.

    Args:
        method, url, headers, body: as they came; the address as the sender wrote it.
        keys: pairs of partners' logs that hold now. The algorithm is the key's.
        now: with a time zone.

    Raises:
        BadHttpSignatureError: a signature is missing, wrong, by unknown keys, by keys of two
            parties, or leaves something uncovered.
        StaleHttpSignatureError: expired, good for too long, or from the future.
    """
    message = _Message(method, url, dict(headers))
    required = [*_REQUEST, *_typed(message.headers, body)]
    return _verify(message, required, body, keys, now)


def verify_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    method: str,
    url: str,
    keys: Iterable[PublicPair],
    now: datetime,
    nonce: str,
) -> Verified:
    """Return who signed an answer to the request with this nonce.

    Raises:
        BadHttpSignatureError: as ``verify_request``, or the answer is to another request.
        StaleHttpSignatureError: as ``verify_request``.
    """
    message = _Answer(status, _Message(method, url, {}), dict(headers))
    required = [*_RESPONSE, *_typed(message.headers, body)]
    verified = _verify(message, required, body, keys, now)
    if verified.nonce != nonce:
        raise BadHttpSignatureError(
            gettext_noop("the answer is to a request with nonce {found}: expected {nonce}"),
            found=verified.nonce[:LONGEST_NONCE],
            nonce=nonce,
        )
    return verified


def _typed(headers: Mapping[str, str], body: bytes) -> tuple[str, ...]:
    there = any(name.lower() == "content-type" for name in headers)
    return ("content-type",) if there or body else ()


def _sign(
    message: _Message | _Answer,
    covered: list[str],
    body: bytes,
    *,
    keys: SigningPair,
    now: datetime,
    nonce: str,
    lifetime: timedelta,
) -> dict[str, str]:
    if not timedelta() < lifetime <= LONGEST_LIFE:
        raise BadHttpSignatureError(
            gettext_noop("a signature is good for 1 to {most} seconds, not {seconds}"),
            most=int(LONGEST_LIFE.total_seconds()),
            seconds=lifetime.total_seconds(),
        )
    _check_nonce(nonce)
    try:
        for number, key in enumerate(keys.both):
            signer = HTTPMessageSigner(
                signature_algorithm=_ALGORITHMS[key.alg],
                key_resolver=_Keys(private={key.kid: key.private}),
            )
            signer.sign(
                message,
                key_id=key.kid,
                created=now,
                expires=now + lifetime,
                nonce=nonce,
                label=key.alg,
                tag=TAG,
                covered_component_ids=covered,
                append_if_signature_exists=number > 0,
                body=body,
                use_existing_digest=number > 0,
            )
    except HTTPMessageSignaturesException as error:
        raise BadHttpSignatureError(
            gettext_noop("the message cannot be signed: {reason}"), reason=str(error)[:200]
        ) from None
    return message.headers


def _verify(
    message: _Message | _Answer,
    required: list[str],
    body: bytes,
    keys: Iterable[PublicPair],
    now: datetime,
) -> Verified:
    if sum(len(name) + len(value) for name, value in message.headers.items()) > _LONGEST_HEADER:
        raise BadHttpSignatureError(
            gettext_noop("the headers have more than {most} characters"), most=_LONGEST_HEADER
        )
    pairs = tuple(keys)
    results = [_verify_one(alg, message, required, body, pairs) for alg in BOTH]
    said = [
        {name: result.parameters[name] for name in ("created", "expires", "nonce")}
        for result in results
    ]
    if said[0] != said[1]:
        raise BadHttpSignatureError(
            gettext_noop("the two signatures differ in created, expires or nonce: expected one")
        )
    kids = tuple(result.parameters["keyid"] for result in results)
    pair = next((each for each in pairs if each.kids == kids), None)
    if pair is None:
        raise BadHttpSignatureError(
            gettext_noop("the two signatures are by keys of different parties: expected one pair")
        )
    nonce = str(said[0]["nonce"])
    _check_nonce(nonce)
    created, expires = _judge(int(said[0]["created"]), int(said[0]["expires"]), now)
    return Verified(pair, nonce, created, expires)


def _verify_one(
    alg: str,
    message: _Message | _Answer,
    required: list[str],
    body: bytes,
    pairs: tuple[PublicPair, ...],
) -> VerifyResult:
    # Only keys of this algorithm are offered: what the message calls itself selects nothing.
    keys = {key.kid: key.loaded for pair in pairs for key in pair.by_kid.values() if key.alg == alg}
    verifier = _Verifier(
        signature_algorithm=_ALGORITHMS[alg],
        key_resolver=_Keys(public=keys),
    )
    try:
        results = verifier.verify(
            message,
            max_age=None,
            expect_tag=TAG,
            expect_label=alg,
            require_components=required,
            body=body,
        )
    except HTTPMessageSignaturesException as error:
        raise BadHttpSignatureError(
            gettext_noop("the message is not signed with {alg} by a partner: {reason}"),
            alg=alg,
            reason=str(error)[:200] or "the signature does not fit",
        ) from None
    return results[0]


def _judge(created_at: int, expires_at: int, now: datetime) -> tuple[datetime, datetime]:
    try:
        created = datetime.fromtimestamp(created_at, UTC)
        expires = datetime.fromtimestamp(expires_at, UTC)
    except (ValueError, OverflowError, OSError):
        raise BadHttpSignatureError(gettext_noop("the signature's times are no times")) from None
    if not timedelta() < expires - created <= LONGEST_LIFE:
        raise StaleHttpSignatureError(
            gettext_noop("a signature is good for 1 to {most} seconds, not {seconds}"),
            most=int(LONGEST_LIFE.total_seconds()),
            seconds=int((expires - created).total_seconds()),
        )
    if created > now + CLOCK_SKEW or expires < now - CLOCK_SKEW:
        raise StaleHttpSignatureError(
            gettext_noop(
                "the message was signed at {created} and is good until {expires}; here it is "
                "{now}: if the two clocks differ, set them"
            ),
            created=created.isoformat(),
            expires=expires.isoformat(),
            now=now.astimezone(UTC).isoformat(timespec="seconds"),
        )
    return created, expires


def _check_nonce(nonce: str) -> None:
    if not 0 < len(nonce) <= LONGEST_NONCE or not nonce.isascii() or not nonce.isprintable():
        raise BadHttpSignatureError(
            gettext_noop("a nonce is 1 to {most} printable ASCII characters"), most=LONGEST_NONCE
        )
