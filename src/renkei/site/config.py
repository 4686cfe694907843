"""``node.toml``: who a node is, who its partners are, where it listens.

Read once into a frozen dataclass; an unknown key is refused with the nearest known one. Secrets
are files under ``keys/``, never values in here.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from renkei.kit.errors import RenkeiError, gettext_noop

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
PARTY = re.compile(r"[A-Z]{2}")
FINGERPRINT = re.compile(r"[0-9a-fA-F]{64}|[0-9]{80}")  # as hex, or as it is read aloud
ADDRESS = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")
HIGHEST_PORT = 65_535
HALF_MADE = gettext_noop(
    "the node in {folder} is half made: {missing} is missing; restore it from a backup, or remove "
    "the folder and found the node again"
)


class NodeConfigError(RenkeiError):
    """A node's folder or its ``node.toml`` cannot be used as it is."""

    code = "site.node_config"


@dataclass(frozen=True, kw_only=True)
class Listen:
    """Where the node listens."""

    host: str = field(default="127.0.0.1", metadata={"help": "address that every port is bound to"})
    web: int = field(default=8801, metadata={"help": "pages and API"})
    bulk: int = field(default=8811, metadata={"help": "bulk bytes of the hub"})
    etsi014: int = field(default=8821, metadata={"help": "ETSI GS QKD 014 key delivery"})


@dataclass(frozen=True, kw_only=True)
class Partner:
    """Another node of the programme."""

    name: str = field(metadata={"help": "short name of the partner's node"})
    party: str = field(metadata={"help": "ISO 3166-1 alpha-2 code of the partner"})
    address: str = field(metadata={"help": "base address of the partner's pages and API"})
    fingerprint: str = field(
        default="",
        metadata={
            "help": "of the partner's keys, as two officers read it to each other; nothing is "
            "exchanged with a partner without it"
        },
    )


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """The institution's OpenID Connect provider; local accounts alone when it is not set."""

    oidc_name: str = field(default="", metadata={"help": "name shown on the sign-in page"})
    oidc_issuer: str = field(default="", metadata={"help": "issuer address, discovery below it"})
    oidc_client_id: str = field(default="", metadata={"help": "client identifier"})
    oidc_secret_file: str = field(
        default="", metadata={"help": "file below keys/ that holds the client secret"}
    )


@dataclass(frozen=True, kw_only=True)
class NodeConfig:
    """One node, as its ``node.toml`` describes it."""

    folder: Path
    name: str = field(metadata={"help": "short name: lower-case letters, digits, hyphens"})
    party: str = field(metadata={"help": "ISO 3166-1 alpha-2 code of the party that runs it"})
    programme: str = field(
        default="us-jp", metadata={"help": "short name of the programme, the same on every node"}
    )
    hosts: tuple[str, ...] = field(
        default=("127.0.0.1", "localhost", "[::1]"),
        metadata={"help": "host names that the node answers to"},
    )
    secure: bool = field(
        default=False,
        metadata={"help": "true behind HTTPS: secure cookies and strict transport security"},
    )
    demonstration: bool = field(
        default=False, metadata={"help": "true on a demonstration: pages and API say so"}
    )
    max_upload_mib: int = field(
        default=64, metadata={"help": "largest body that a request may carry, in MiB"}
    )
    listen: Listen = field(default_factory=Listen, metadata={"help": "[listen] table"})
    sign_in: SignIn = field(default_factory=SignIn, metadata={"help": "[sign_in] table"})
    partners: tuple[Partner, ...] = field(
        default=(), metadata={"help": "[[partners]] tables, one a partner"}
    )

    @property
    def origin(self) -> str:
        """Name of the node's log (C2SP tlog-checkpoint, origin)."""
        return self.origin_of(self.name)

    def origin_of(self, name: str) -> str:
        """Return the name of the log of the node ``name``: the same on every node."""
        return f"renkei-{self.programme}/{name}"

    @property
    def parties(self) -> tuple[str, ...]:
        """Every party of the programme, in alphabetical order: the same on every node."""
        return tuple(sorted({self.party, *(partner.party for partner in self.partners)}))

    @property
    def secret_key(self) -> Path:
        """Where the key for cookies and tokens is kept."""
        return self.folder / "keys" / "web-secret"

    @property
    def blobs(self) -> Path:
        """Where content-addressed bytes are kept."""
        return self.folder / "blobs"

    @property
    def database(self) -> Path:
        """The embedded database; unused when ``DATABASE_URL`` is set."""
        return self.folder / "node.sqlite3"


def load(folder: Path) -> NodeConfig:
    """Read the node in ``folder``.

    Raises:
        NodeConfigError: no node there, a half-made node, or a ``node.toml`` that says something
            unknown or impossible; the message names what is missing or would be accepted.
    """
    file = folder / "node.toml"
    if not file.is_file():
        raise NodeConfigError(
            gettext_noop(
                "no node in {folder}: there is no node.toml; `renkei node init` founds one"
            ),
            folder=folder,
        )
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NodeConfigError(
            gettext_noop("{file} is not TOML: {error}"), file=file, error=error
        ) from error
    config: NodeConfig = _table(
        NodeConfig, table, where=str(file), extra={"folder": folder.resolve()}
    )
    check(config, file)
    missing = [path for path in (config.secret_key, config.blobs) if not path.exists()]
    if missing:
        raise NodeConfigError(
            HALF_MADE,
            folder=folder,
            missing=", ".join(str(path.relative_to(config.folder)) for path in missing),
        )
    return config


def dump(config: NodeConfig) -> str:
    """Return the ``node.toml`` of ``config``; ``load`` reads the same node back."""
    tables: list[str] = []
    lines = [
        f"{item.name} = {_toml(getattr(config, item.name))}"
        for item in fields(config)
        if item.name not in {"folder", "listen", "sign_in", "partners"}
    ]
    for name in ("listen", "sign_in"):
        part = getattr(config, name)
        tables += ["", f"[{name}]"]
        tables += [f"{item.name} = {_toml(getattr(part, item.name))}" for item in fields(part)]
    for partner in config.partners:
        tables += ["", "[[partners]]"]
        tables += [
            f"{item.name} = {_toml(getattr(partner, item.name))}" for item in fields(partner)
        ]
    return "\n".join([*lines, *tables, ""])


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    # JSON's strings are TOML's, but for one control character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _table(
    kind: type[Any], table: Mapping[str, Any], *, where: str, extra: Mapping[str, Any] | None = None
) -> Any:
    extra = extra or {}
    known = {item.name: item for item in fields(kind) if item.name not in extra}
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise NodeConfigError(
                gettext_noop("{where}: unknown key {key!r}; did you mean {near!r}?"),
                where=where,
                key=key,
                near=near,
            )
    hints = get_type_hints(kind)
    values = {
        key: _value(hints[key], value, where=f"{where}: {key}") for key, value in table.items()
    }
    try:
        return kind(**values, **extra)
    except TypeError as error:
        absent = [key for key, item in known.items() if key not in values and _is_required(item)]
        raise NodeConfigError(
            gettext_noop("{where}: {absent} is missing"), where=where, absent=", ".join(absent)
        ) from error


def _is_required(item: Any) -> bool:
    return "MISSING" in repr(item.default) and "MISSING" in repr(item.default_factory)


def _value(hint: Any, value: object, *, where: str) -> object:
    if hint in {Listen, SignIn} and isinstance(value, dict):
        return _table(hint, value, where=where)
    if hint == tuple[Partner, ...] and isinstance(value, list):
        return tuple(
            _table(Partner, item, where=f"{where}[{index}]") for index, item in enumerate(value)
        )
    if hint == tuple[str, ...] and isinstance(value, list):
        return tuple(_value(str, item, where=f"{where}[{at}]") for at, item in enumerate(value))
    if hint in {str, bool, int} and type(value) is hint:
        return value
    raise NodeConfigError(
        gettext_noop("{where}: {value!r} is not {expected}"),
        where=where,
        value=value,
        expected=getattr(hint, "__name__", str(hint)),
    )


def check(config: NodeConfig, file: Path) -> None:
    """Refuse a node that says something impossible; ``file`` is named in the message.

    Raises:
        NodeConfigError: saying what would be accepted.
    """
    if not NAME.fullmatch(config.name):
        raise NodeConfigError(
            gettext_noop(
                "{file}: name {name!r}: lower-case letters, digits and hyphens, at most 31"
            ),
            file=file,
            name=config.name,
        )
    if not NAME.fullmatch(config.programme):
        raise NodeConfigError(
            gettext_noop(
                "{file}: programme {name!r}: lower-case letters, digits and hyphens, at most 31"
            ),
            file=file,
            name=config.programme,
        )
    for party in (config.party, *(partner.party for partner in config.partners)):
        if not PARTY.fullmatch(party):
            raise NodeConfigError(
                gettext_noop("{file}: party {party!r}: a two-letter country code such as US or JP"),
                file=file,
                party=party,
            )
    for partner in config.partners:
        _check_partner(partner, config, file)
    names = [partner.name for partner in config.partners]
    if len(set(names)) != len(names):
        raise NodeConfigError(
            gettext_noop("{file}: two partners have the same name: {names}"),
            file=file,
            names=", ".join(names),
        )
    ports = [config.listen.web, config.listen.bulk, config.listen.etsi014]
    if len(set(ports)) != len(ports) or not all(0 < port <= HIGHEST_PORT for port in ports):
        raise NodeConfigError(
            gettext_noop("{file}: listen: ports {ports} must be different and within 1 to 65535"),
            file=file,
            ports=", ".join(map(str, ports)),
        )
    if not 0 < config.max_upload_mib <= 1024:
        raise NodeConfigError(
            gettext_noop("{file}: max_upload_mib {value}: within 1 to 1024"),
            file=file,
            value=config.max_upload_mib,
        )


def _check_partner(partner: Partner, config: NodeConfig, file: Path) -> None:
    if not NAME.fullmatch(partner.name) or partner.name == config.name:
        raise NodeConfigError(
            gettext_noop(
                "{file}: partner {name!r}: a name of lower-case letters, digits and hyphens, not "
                "the node's own"
            ),
            file=file,
            name=partner.name,
        )
    if not ADDRESS.fullmatch(partner.address):
        raise NodeConfigError(
            gettext_noop("{file}: partner {name}: {address!r} is not a web address"),
            file=file,
            name=partner.name,
            address=partner.address,
        )
    if partner.fingerprint and not FINGERPRINT.fullmatch(re.sub(r"[\s-]", "", partner.fingerprint)):
        raise NodeConfigError(
            gettext_noop(
                "{file}: partner {name}: the fingerprint is neither 16 groups of 5 digits nor 64 hexadecimal digits; "
                "`renkei border fingerprint` prints it on the partner's node"
            ),
            file=file,
            name=partner.name,
        )
