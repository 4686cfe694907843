"""Whose word makes a checkpoint good: logs, witnesses, groups of them, and a quorum.

A file is octets: names are compared octet by octet, whatever they would look like.

Source: C2SP tlog-policy.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from renkei.border.engine._checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from renkei.border.engine._note import (
    ED25519,
    ED25519_COSIGNATURE,
    MLDSA44_COSIGNATURE,
    UnsignedNoteError,
    VerifierKey,
    open_note,
    parse_note,
)
from renkei.kit.errors import ForbiddenError, RenkeiError, gettext_noop

MAX_POLICY_BYTES = 1024 * 1024
LOG_KINDS = frozenset({ED25519, MLDSA44_COSIGNATURE})
WITNESS_KINDS = frozenset({ED25519_COSIGNATURE, MLDSA44_COSIGNATURE})
NONE = b"none"

_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_THRESHOLD = re.compile(rb"[0-9]{1,6}")
_SHOWN = 80


class BadPolicyError(RenkeiError):
    """A file is not a policy."""

    code = "border.bad_policy"


class UnmetQuorumError(ForbiddenError):
    """Too few of those that a policy names have cosigned."""

    code = "border.unmet_quorum"


def _shown(octets: bytes) -> str:
    return repr(octets[:_SHOWN].decode(errors="backslashreplace"))


@dataclass(frozen=True)
class Group:
    """So many of these must have cosigned.

    Args:
        threshold: 1 to the number of members.
        members: names of witnesses and of groups.
    """

    threshold: int
    members: tuple[bytes, ...]


@dataclass(frozen=True)
class Policy:
    """Which logs are believed, and who must have cosigned.

    Args:
        logs: keys, each with the address it was given or nothing.
        witnesses: by name, in the order of the file.
        addresses: of witnesses, by name; where one was given.
        groups: by name; a group stands after its members.
        quorum: a witness, a group or ``none``.
    """

    logs: Mapping[VerifierKey, str]
    witnesses: Mapping[bytes, VerifierKey]
    groups: Mapping[bytes, Group]
    quorum: bytes
    addresses: Mapping[bytes, str] = field(default_factory=lambda: MappingProxyType({}))

    def cosigned_by(self, verified: Collection[VerifierKey]) -> frozenset[bytes]:
        """Return the witnesses and groups for which these keys stand."""
        names = {name for name, key in self.witnesses.items() if key in verified}
        for name, group in self.groups.items():
            if sum(member in names for member in group.members) >= group.threshold:
                names.add(name)
        return frozenset(names)

    def check(self, note: bytes, require: Collection[int] = ()) -> Checkpoint:
        """Return what a checkpoint says, if one of the logs has signed and the quorum is met.

        Args:
            note: the signed checkpoint.
            require: signature types with which the log must have signed; a policy itself is
                content with any one of a log's keys.

        Raises:
            BadNoteError: it is no checkpoint.
            BadSignatureError: a signature in the name of a known key is not its.
            UnsignedNoteError: none of the logs has signed it as its own, or not with every type.
            UnmetQuorumError: too few have cosigned.
        """
        origin = parse_checkpoint(parse_note(note).text).origin
        checkpoint, _logs = open_checkpoint(note, origin, self.logs, require)
        try:
            _note, verified = open_note(note, self.witnesses.values())
        except UnsignedNoteError:
            verified = ()
        if self.quorum != NONE and self.quorum not in self.cosigned_by(verified):
            missing = [name for name, key in self.witnesses.items() if key not in verified]
            raise UnmetQuorumError(
                gettext_noop("the quorum {quorum} is not met; missing: {missing}"),
                quorum=_shown(self.quorum),
                missing=", ".join(map(_shown, missing)),
            )
        return checkpoint

    def is_satisfied(self, note: bytes, require: Collection[int] = ()) -> bool:
        """Tell whether ``check`` would return."""
        try:
            self.check(note, require)
        except RenkeiError:
            return False
        return True


class _Reader:
    """Reads a policy line by line, and keeps what it has read."""

    def __init__(self) -> None:
        self.logs: dict[VerifierKey, str] = {}
        self.witnesses: dict[bytes, VerifierKey] = {}
        self.addresses: dict[bytes, str] = {}
        self.groups: dict[bytes, Group] = {}
        self.quorum: bytes | None = None
        self.members: set[bytes] = set()
        self.publics: set[tuple[str, bytes]] = set()

    def read(self, words: list[bytes]) -> None:
        match words:
            case [b"log", vkey, *address] if len(address) <= 1:
                key = self._key("log", vkey, LOG_KINDS)
                self.logs[key] = self._address(address)
            case [b"witness", name, vkey, *address] if len(address) <= 1:
                self._define(name)
                self.witnesses[name] = self._key("witness", vkey, WITNESS_KINDS)
                if address:
                    self.addresses[name] = self._address(address)
            case [b"group", name, threshold, *members] if members:
                self._define(name)
                self.groups[name] = self._group(threshold, tuple(members))
            case [b"quorum", name]:
                if self.quorum is not None:
                    raise BadPolicyError(
                        gettext_noop("a policy has one quorum line, here is a second")
                    )
                if name != NONE:
                    self._known(name)
                self.quorum = name
            case _:
                raise BadPolicyError(
                    gettext_noop(
                        "expected 'log KEY [URL]', 'witness NAME KEY [URL]', "
                        "'group NAME all|any|NUMBER NAME…' or 'quorum NAME'"
                    )
                )

    def _address(self, words: list[bytes]) -> str:
        return words[0].decode(errors="surrogateescape") if words else ""

    def _known(self, name: bytes) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise BadPolicyError(
                gettext_noop("no witness and no group {name} on a line before this"),
                name=_shown(name),
            )

    def _define(self, name: bytes) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise BadPolicyError(
                gettext_noop("the name {name} is taken; a name is defined once"), name=_shown(name)
            )

    def _key(self, role: str, vkey: bytes, kinds: Collection[int]) -> VerifierKey:
        key = VerifierKey.parse(vkey.decode(errors="replace"))
        if key.kind not in kinds:
            raise BadPolicyError(
                gettext_noop("a key of type {kind} cannot sign here; expected {kinds}"),
                kind=f"0x{key.kind:02x}",
                kinds=", ".join(f"0x{kind:02x}" for kind in sorted(kinds)),
            )
        if (role, key.public) in self.publics:
            raise BadPolicyError(
                gettext_noop("the public key of {name} is listed a second time"), name=key.name
            )
        self.publics.add((role, key.public))
        return key

    def _group(self, threshold: bytes, members: tuple[bytes, ...]) -> Group:
        for member in members:
            self._known(member)
            if member in self.members:
                raise BadPolicyError(
                    gettext_noop("{name} is a member a second time; it may count once"),
                    name=_shown(member),
                )
            self.members.add(member)
        most = len(members)
        needed = {b"all": most, b"any": 1}.get(threshold)
        if needed is None and _THRESHOLD.fullmatch(threshold):
            needed = int(threshold)
        if needed is None or not 1 <= needed <= most:
            raise BadPolicyError(
                gettext_noop("expected all, any or a number from 1 to {most}, not {text}"),
                most=most,
                text=_shown(threshold),
            )
        return Group(needed, members)


def parse_policy(data: bytes) -> Policy:
    """Read a policy file.

    Raises:
        BadPolicyError: naming the line, if it is not one.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise BadPolicyError(
            gettext_noop("a policy has at most {most} bytes"), most=MAX_POLICY_BYTES
        )
    if _FORBIDDEN.search(data):
        raise BadPolicyError(
            gettext_noop("a policy holds no control character but tab and newline")
        )
    *lines, end = data.split(b"\n")
    if end:
        raise BadPolicyError(gettext_noop("every line of a policy ends in a newline"))
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        words = line.split()  # of all white space, only space and tab are left by now
        if not words or words[0].startswith(b"#"):
            continue
        try:
            reader.read(words)
        except RenkeiError as error:
            raise BadPolicyError(
                gettext_noop("line {line} of the policy: {why}"), line=number, why=str(error)
            ) from error
    if reader.quorum is None:
        raise BadPolicyError(
            gettext_noop("a policy has a quorum line; 'quorum none' asks for nobody")
        )
    return Policy(reader.logs, reader.witnesses, reader.groups, reader.quorum, reader.addresses)
