"""Messages of ETSI GS QKD 014 V1.1.1: what a key manager reads and answers, and its exact refusals.

Clause and table numbers are those of V1.1.1 (2019-02). Nothing listens here.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from renkei.kit.errors import RenkeiError

NOT_MULTIPLE_OF_8 = "size shall be a multiple of 8"
MANDATORY_UNSUPPORTED = "not all extension_mandatory parameters are supported"
MANDATORY_UNMET = "not all extension_mandatory request options could be met"
OPTIONAL_UNHANDLED = "not all extension_optional request options handled"
NOT_FOUND = "one or more keys specified are not found on KME"
BAD_FORMAT = "bad request format"
SOURCE = "renkei_source"  # our extension: which kind of source a key may come from
SOURCES = ("quantum", "simulated")
LARGEST_BODY_BYTES = 64 << 10
LONGEST_SAE_ID = 200
PATH = ("", "api", "v1", "keys")


class RefusedError(RenkeiError):
    """A request is refused as the standard says.

    Attributes:
        http: 400, 401 or 503 (or what HTTP itself asks for: 404, 405, 413).
        body: the answer's body, or ``None`` where it has none.
    """

    code = "link.etsi014"

    def __init__(self, http: int, message: str = "", details: Sequence[Any] = ()) -> None:
        super().__init__(message or f"{http}")
        self.http = http
        said: dict[str, Any] = {"message": message}
        if details:
            said["details"] = list(details)
        self.body: dict[str, Any] | None = said if message else None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a key manager says of itself in ``status`` (6.1)."""

    key_size: int = 256
    min_key_size: int = 64
    max_key_size: int = 8192
    max_key_per_request: int = 128
    max_key_count: int = 1_000_000
    max_sae_id_count: int = 4


@dataclass(frozen=True, kw_only=True)
class KeyRequest:
    """A request for new keys (6.2)."""

    number: int
    size: int  # bits
    additional_slaves: tuple[str, ...] = ()
    source: str = ""  # asked for as mandatory


@dataclass(frozen=True)
class Target:
    """What a path names: another SAE, and what is asked of it."""

    sae: str
    call: str


def read_path(path: str, *, is_post: bool = False) -> Target:
    """Return what a path names (5.1).

    Raises:
        RefusedError: 404, no such resource; 405, ``status`` is asked for with GET.
    """
    parts = path.split("/")
    if len(parts) != 6 or tuple(parts[:4]) != PATH or parts[5] not in CALLS:
        raise RefusedError(404, "no such resource")
    sae = unquote(parts[4])
    if not 0 < len(sae) <= LONGEST_SAE_ID or not sae.isprintable():
        raise RefusedError(400, BAD_FORMAT)
    if is_post and parts[5] == "status":
        raise RefusedError(405, "status is asked for with GET")
    return Target(sae, parts[5])


CALLS = ("status", "enc_keys", "dec_keys")


def read_key_request(body: bytes | None, query: str, limits: Limits) -> KeyRequest:
    """Read a key request: the body of a POST, or the query of a GET (5.4, 6.2).

    Raises:
        RefusedError: 400, with the standard's text.
    """
    given = _body(body) if body is not None else _query(query, {"number", "size"})
    number = _integer(given.get("number", 1), "number")
    size = _integer(given.get("size", limits.key_size), "size")
    slaves: Any = _array(given, "additional_slave_SAE_IDs")
    if not _is_list_of(slaves, str) or not all(0 < len(one) <= LONGEST_SAE_ID for one in slaves):
        raise RefusedError(400, "additional_slave_SAE_IDs shall be an array of SAE IDs")
    mandatory = _extensions(given, "extension_mandatory")
    optional = _extensions(given, "extension_optional")
    unknown = sorted(set(mandatory) - {SOURCE})
    if unknown:
        raise RefusedError(
            400,
            MANDATORY_UNSUPPORTED,
            [{"extension_mandatory_unsupported": name} for name in unknown],
        )
    demanded = mandatory.get(SOURCE, [])
    # What is demanded is one source: nothing, or two that contradict, must not become any source.
    if any(one not in SOURCES or one != demanded[0] for one in demanded):
        raise RefusedError(400, MANDATORY_UNMET, [{SOURCE: "quantum or simulated"}])
    if any(one not in SOURCES for one in optional.get(SOURCE, [])):
        raise RefusedError(400, OPTIONAL_UNHANDLED, [{SOURCE: "quantum or simulated"}])
    if size % 8:
        raise RefusedError(400, NOT_MULTIPLE_OF_8)
    if not limits.min_key_size <= size <= limits.max_key_size:
        raise RefusedError(
            400, f"size shall be within {limits.min_key_size} to {limits.max_key_size}"
        )
    if not 1 <= number <= limits.max_key_per_request:
        raise RefusedError(400, f"number shall be within 1 to {limits.max_key_per_request}")
    if len(slaves) > limits.max_sae_id_count:
        raise RefusedError(
            400, f"additional_slave_SAE_IDs: at most {limits.max_sae_id_count} are supported"
        )
    return KeyRequest(
        number=number,
        size=size,
        additional_slaves=tuple(dict.fromkeys(slaves)),
        source=demanded[0] if demanded else "",
    )


def read_key_ids(body: bytes | None, query: str, limits: Limits) -> tuple[str, ...]:
    """Read which keys a slave asks for: the body of a POST, or the query of a GET (5.5, 6.4).

    Raises:
        RefusedError: 400.
    """
    if body is None:
        given = _query(query, {"key_ID"})
        found: list[Any] = [given["key_ID"]] if "key_ID" in given else []
    else:
        items: Any = _body(body).get("key_IDs")
        if not _is_list_of(items, dict):
            raise RefusedError(400, BAD_FORMAT)
        found = [item.get("key_ID") for item in items]
    if not found or not _is_list_of(found, str):
        raise RefusedError(400, BAD_FORMAT)
    if len(found) > limits.max_key_per_request:
        raise RefusedError(400, f"key_IDs: at most {limits.max_key_per_request}")
    if len({name.lower() for name in found}) != len(found):  # RFC 9562, 4: in either case
        raise RefusedError(400, BAD_FORMAT)
    return tuple(found)


def status(
    limits: Limits, *, source_kme: str, target_kme: str, master: str, slave: str, stored: int
) -> dict[str, Any]:
    """Return the status container (6.1)."""
    return {
        "source_KME_ID": source_kme,
        "target_KME_ID": target_kme,
        "master_SAE_ID": master,
        "slave_SAE_ID": slave,
        "key_size": limits.key_size,
        "stored_key_count": min(stored, limits.max_key_count),
        "max_key_count": limits.max_key_count,
        "max_key_per_request": limits.max_key_per_request,
        "max_key_size": limits.max_key_size,
        "min_key_size": limits.min_key_size,
        "max_SAE_ID_count": limits.max_sae_id_count,
    }


def container(
    keys: Sequence[tuple[str, bytes, bool]],
    extensions: Mapping[str, Mapping[str, Any]] | None = None,
) -> bytes:
    """Return the key container (6.3) of (identifier, key, whether simulated), encoded.

    ``extensions`` says more of some keys, by identifier.

    Identifiers and base64 need no escaping, so the text is put together rather than encoded: at
    128 keys a request this is most of what a delivery costs.
    """
    label = ',"key_extension":{"source":"simulated"}'
    if extensions:
        said = [
            {
                "key_ID": name,
                "key": base64.b64encode(key).decode("ascii"),
                "key_extension": {
                    **extensions.get(name, {}),
                    **({"source": "simulated"} if simulated else {}),
                },
            }
            for name, key, simulated in keys
        ]
        return json.dumps({"keys": said}).encode("ascii")
    parts = [
        f'{{"key_ID":"{name}","key":"{base64.b64encode(key).decode("ascii")}"'
        f"{label if simulated else ''}}}"
        for name, key, simulated in keys
    ]
    return ('{"keys":[' + ",".join(parts) + "]}").encode("ascii")


def _body(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, BAD_FORMAT) from error
    if not isinstance(said, dict):
        raise RefusedError(400, BAD_FORMAT)
    return said


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; a name that is there twice would be read in two ways by two programs."""
    if len({name for name, _value in pairs}) != len(pairs):
        raise ValueError
    return dict(pairs)


def _query(query: str, known: set[str]) -> dict[str, Any]:
    try:
        given = parse_qs(query, keep_blank_values=True, max_num_fields=10, errors="strict")
    except ValueError as error:
        raise RefusedError(400, BAD_FORMAT) from error
    if set(given) - known or any(len(values) != 1 for values in given.values()):
        raise RefusedError(400, BAD_FORMAT)
    return {name: values[0] for name, values in given.items()}


def _integer(value: object, name: str) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        return int(value)
    if type(value) is int and 0 <= value < 1 << 31:
        return value
    raise RefusedError(400, f"{name} shall be an integer")


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _array(given: Mapping[str, Any], name: str) -> Any:
    """Return what a field says that may be left out; some clients write ``null`` for that."""
    said = given.get(name)
    return [] if said is None else said


def _extensions(given: Mapping[str, Any], name: str) -> dict[str, list[Any]]:
    """Return every value that each extension is given, by name."""
    items = _array(given, name)
    if isinstance(items, dict):  # one client sends a single object where an array is meant
        items = [items]
    if not _is_list_of(items, dict):
        raise RefusedError(400, f"{name} shall be an array of objects")
    said: dict[str, list[Any]] = {}
    for item in items:
        for key, value in item.items():
            said.setdefault(key, []).append(value)
    return said
