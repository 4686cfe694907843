"""Messages of ETSI GS QKD 020 between key managers of different vendors: read, written, refused.

Names, limits and refusals are those of the OpenAPI description of V1.1.1 (June 2026); what is said in
brackets is its clause or schema. Of the two modes only the required one is here: a request is accepted
at once and acknowledged later, by a request the other way. Nothing listens here.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from renkei.kit.errors import RenkeiError
from renkei.link.engine._etsi014 import Limits, once

KMAPI: Final = "/kmapi/"
VERSIONS_PATH: Final = "/kmapi/versions"
KEYS_PATH: Final = "/kmapi/v1/ext_keys"
ACK_PATH: Final = "/kmapi/v1/ext_keys/ack"
VOID_PATH: Final = "/kmapi/v1/ext_keys/void"
PROBLEMS = "https://qkd.etsi.org/gs020-interop-kms/"
RELAYED, VOIDED, FAILED = "relayed", "voided", "failed"
FAILED_TO_VOID, NOT_PRESENT = "failed to void", "key not present"
ACK_STATUSES: Final = (RELAYED, FAILED, VOIDED, FAILED_TO_VOID, NOT_PRESENT)
MOST_ACKS = 1024  # ack_containers, key_id_container
MOST_EXTENSIONS = 1024
LONGEST_URL, LONGEST_SAE_ID, LONGEST_MESSAGE = 1024, 64, 4096
# An extension's name begins with the number of its maker [Extensions]. This program has none; the
# number that RFC 5612 keeps for examples marks keys of demonstrations, which protect nothing.
SIMULATED_EXTENSION: Final = "E32473_renkei_source"
EXTENSION = re.compile(r"E[0-9]{1,10}_\S{1,200}")
KEY_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
URI_TEXT = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")


class InteropRefusedError(RenkeiError):
    """A request of another key manager is refused, with problem details (RFC 9457).

    Attributes:
        http: 400 and 401 promise that no key of the request is kept; 503 promises nothing.
        body: the answer's body.
    """

    code = "link.etsi020"

    def __init__(self, http: int, kind: str, topic: str, why: str) -> None:
        super().__init__(f"{http} {topic}: {why}")
        self.http = http
        self.body: dict[str, Any] = {
            "type": PROBLEMS + kind,
            "status": http,
            "title": kind.replace("-", " "),
            "details": {topic: why},
        }


@dataclass(frozen=True)
class HandedKey:
    """A key as it goes from one key manager to the other."""

    key_id: str
    value: bytes = field(repr=False)
    extension: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class KeyContainer:
    """Keys that the initiator holds and the targets are to have [ext_key_container]."""

    keys: tuple[HandedKey, ...]
    initiator: str
    targets: tuple[str, ...]
    callback: str
    simulated: bool = False
    extension: Mapping[str, Any] = field(default_factory=dict)  # optional ones, to be passed on


@dataclass(frozen=True, kw_only=True)
class VoidRequest:
    """Keys that nobody is to have any more; every key between the SAEs where none is named."""

    key_ids: tuple[str, ...]
    initiator: str
    targets: tuple[str, ...]
    callback: str


@dataclass(frozen=True, kw_only=True)
class Ack:
    """What became of some keys [ack_container]."""

    key_ids: tuple[str, ...]
    status: str
    initiator: str
    targets: tuple[str, ...]
    message: str = ""


def versions() -> dict[str, Any]:
    """Return what this key manager speaks [version_container]; the synchronous mode it does not."""
    return {"versions": ["v1"], "capabilities": []}


def read_keys(body: bytes, limits: Limits) -> KeyContainer:
    """Read keys that another key manager hands over.

    Raises:
        InteropRefusedError: 400; 503 for a mandatory extension that is not known here, or for more
            targets than are supported.
    """
    said = _object(body)
    _required(said, "keys", "initiator_sae_id", "target_sae_ids")
    initiator, targets = _saes(said, limits)
    simulated = _mandatory(said.get("extension_mandatory"))
    optional = dict(_extension(said.get("extension_optional"), "extension_optional"))
    simulated |= _takes_simulated(optional)
    items = said["keys"]
    if not isinstance(items, list) or not 0 < len(items) <= limits.max_key_per_request:
        raise _bad("keys", f"expected 1 to {limits.max_key_per_request} keys")
    keys = []
    for item in items:
        if not isinstance(item, dict):
            raise _bad("keys", "each key is an object")
        _required(item, "key_id", "value")
        extension = dict(_extension(item.get("extension"), "extension"))
        simulated |= _takes_simulated(extension)
        keys.append(HandedKey(_key_id(item["key_id"]), _value(item["value"], limits), extension))
    if len({one.key_id for one in keys}) != len(keys):
        raise _bad("keys", "a key_id is there twice")
    return KeyContainer(
        keys=tuple(keys),
        initiator=initiator,
        targets=targets,
        callback=_callback(said),
        simulated=simulated,
        extension=optional,
    )


def read_void(body: bytes, limits: Limits) -> VoidRequest:
    """Read which keys another key manager wants discarded.

    Raises:
        InteropRefusedError: 400.
    """
    said = _object(body)
    _required(said, "key_ids", "initiator_sae_id", "target_sae_ids")
    initiator, targets = _saes(said, limits)
    items = said["key_ids"]
    if not isinstance(items, list) or len(items) > MOST_ACKS:
        raise _bad("key_ids", f"expected an array of at most {MOST_ACKS}")
    if not items and said.get("all_confirmation") is not True:
        raise InteropRefusedError(
            400,
            "no-key-ids-or-confirmation",
            "no_all_confirmation",
            "without key_ids all_confirmation shall be true",
        )
    key_ids = tuple(dict.fromkeys(_key_id(item) for item in items))
    return VoidRequest(
        key_ids=key_ids, initiator=initiator, targets=targets, callback=_callback(said)
    )


def read_acks(body: bytes, limits: Limits) -> tuple[Ack, ...]:
    """Read what another key manager says of keys.

    Raises:
        InteropRefusedError: 400.
    """
    said = _json(body)
    if not isinstance(said, list) or len(said) > MOST_ACKS:
        raise InteropRefusedError(
            400, "ack-not-understood", "ack_not_understood", "expected an array of containers"
        )
    return tuple(_ack(item, limits) for item in said)


def _ack(item: object, limits: Limits) -> Ack:
    if not isinstance(item, dict):
        raise _bad("ack_container", "each container is an object")
    _required(item, "key_id_container", "ack_status", "initiator_sae_id", "target_sae_ids")
    initiator, targets = _saes(item, limits)
    named, status, message = item["key_id_container"], item["ack_status"], item.get("message", "")
    if status not in ACK_STATUSES:
        raise _bad("ack_status", f"expected one of {', '.join(ACK_STATUSES)}")
    if not isinstance(named, list) or len(named) > MOST_ACKS:
        raise _bad("key_id_container", f"expected an array of at most {MOST_ACKS}")
    if not isinstance(message, str) or len(message) > LONGEST_MESSAGE:
        raise _bad("message", f"a text of at most {LONGEST_MESSAGE} characters")
    if not all(isinstance(one, dict) and "key_id" in one for one in named):
        raise _bad("key_id_container", "each entry has a key_id")
    return Ack(
        key_ids=tuple(_key_id(one["key_id"]) for one in named),
        status=status,
        initiator=initiator,
        targets=targets,
        message=message,
    )


def write_keys(container: KeyContainer) -> bytes:
    """Return the body that hands keys over; a simulated one shall be refused where it is not known."""
    said: dict[str, Any] = {
        "keys": [
            {"key_id": one.key_id, "value": base64.b64encode(one.value).decode("ascii")}
            | ({"extension": dict(one.extension)} if one.extension else {})
            for one in container.keys
        ],
        "initiator_sae_id": container.initiator,
        "target_sae_ids": list(container.targets),
        "ack_callback_url": container.callback,
    }
    if container.simulated:
        said["extension_mandatory"] = {SIMULATED_EXTENSION: "simulated"}
    if container.extension:
        said["extension_optional"] = dict(container.extension)
    return json.dumps(said).encode()


def write_void(request: VoidRequest) -> bytes:
    """Return the body that has keys discarded: the named ones."""
    return json.dumps(
        {
            "key_ids": list(request.key_ids),
            "initiator_sae_id": request.initiator,
            "target_sae_ids": list(request.targets),
            "ack_callback_url": request.callback,
        }
    ).encode()


def write_acks(acks: Sequence[Ack]) -> bytes:
    """Return the body that says what became of keys."""
    return json.dumps(
        [
            {
                "key_id_container": [{"key_id": name} for name in one.key_ids],
                "ack_status": one.status,
                "initiator_sae_id": one.initiator,
                "target_sae_ids": list(one.targets),
            }
            | ({"message": one.message} if one.message else {})
            for one in acks
        ]
    ).encode()


def is_sae_id(text: str) -> bool:
    """Tell whether a text can name an SAE across networks [SAE IDs]."""
    return len(text) <= LONGEST_SAE_ID and URI_TEXT.fullmatch(text) is not None


def _bad(topic: str, why: str) -> InteropRefusedError:
    return InteropRefusedError(400, "invalid-parameter", topic, why)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise _bad("body", "no JSON that can be read") from error


def _object(body: bytes) -> dict[str, Any]:
    said = _json(body)
    if not isinstance(said, dict):
        raise _bad("body", "expected an object")
    return said


def _required(said: Mapping[str, Any], *names: str) -> None:
    lacking = [name for name in names if name not in said]
    if lacking:
        raise InteropRefusedError(
            400, "missing-parameters", "missing_parameters", ", ".join(lacking)
        )


def _saes(said: Mapping[str, Any], limits: Limits) -> tuple[str, tuple[str, ...]]:
    initiator, targets = said["initiator_sae_id"], said["target_sae_ids"]
    if not isinstance(targets, list) or not targets or len(set(map(str, targets))) != len(targets):
        raise _bad("target_sae_ids", "expected an array of SAE IDs, each once")
    if not all(isinstance(one, str) and is_sae_id(one) for one in (initiator, *targets)):
        raise _bad("sae_id", f"1 to {LONGEST_SAE_ID} characters that a URI may have")
    if len(targets) > limits.max_sae_id_count:
        raise InteropRefusedError(
            503,
            "key-routing-error",
            "no_route_multiple_targets",
            f"at most {limits.max_sae_id_count} targets are supported",
        )
    return initiator, tuple(targets)


def _callback(said: Mapping[str, Any]) -> str:
    url = said.get("ack_callback_url")
    if url is None:
        raise InteropRefusedError(
            400, "missing-parameters", "ack_callback_url", "the synchronous mode is not offered"
        )
    if not (
        isinstance(url, str)
        and len(url) <= LONGEST_URL
        and url.startswith("https://")
        and URI_TEXT.fullmatch(url)
    ):
        raise _bad("ack_callback_url", "expected a complete URL that begins with https://")
    return url


def _key_id(value: object) -> str:
    if not isinstance(value, str) or not KEY_ID.fullmatch(value):
        raise _bad("key_id", "expected a UUID")
    return value.lower()


def _value(value: object, limits: Limits) -> bytes:
    try:
        key = base64.b64decode(value if isinstance(value, str) else "!", validate=True)
    except (ValueError, binascii.Error) as error:
        raise _bad("value", "expected base64") from error
    # Other spellings of the same bytes would let one key pass for two.
    if base64.b64encode(key).decode("ascii") != value:
        raise _bad("value", "expected base64")
    if not limits.min_key_size <= 8 * len(key) <= limits.max_key_size:
        raise _bad(
            "value", f"a key has {limits.min_key_size} to {limits.max_key_size} bits, in bytes"
        )
    return key


def _extension(said: object, topic: str) -> Mapping[str, Any]:
    if said is None:
        return {}
    if (
        not isinstance(said, dict)
        or not 0 < len(said) <= MOST_EXTENSIONS
        or not all(EXTENSION.fullmatch(name) for name in said)
    ):
        raise _bad(topic, "expected an object whose names begin with E, a number and _")
    return said


def _takes_simulated(extension: dict[str, Any]) -> bool:
    return bool(extension.pop(SIMULATED_EXTENSION, None) == "simulated")


def _mandatory(said: object) -> bool:
    """Tell whether the keys are simulated; refuse every other mandatory extension."""
    asked = dict(_extension(said, "extension_mandatory"))
    simulated = _takes_simulated(asked)
    if asked:
        raise InteropRefusedError(
            503,
            "unsupported-mandatory-extension",
            "unsupported_mandatory_extension",
            ", ".join(sorted(asked)),
        )
    return simulated
