"""What the rooms above say across the border: their statement types and joint kinds."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema
from django.utils.module_loading import import_string

from renkei.base.rooms import rooms
from renkei.border.engine import Envelope, read_envelope
from renkei.kit.errors import RenkeiError, gettext_noop


class BadStatementError(RenkeiError):
    """A statement's body is not what its type asks for."""

    code = "border.bad_statement"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One verified entry, as a handler sees it.

    Args:
        origin: of the log that holds it.
        name: of the node whose log that is.
        party: of that node.
        index: its place in the log.
        leaf: its leaf hash, in hex.
        data: its bytes.
        entry: primary key of the stored entry.
        is_own: whether this node said it.
    """

    origin: str
    name: str
    party: str
    index: int
    leaf: str
    data: bytes
    entry: int
    is_own: bool

    @functools.cached_property
    def envelope(self) -> Envelope:
        """What it says; its bytes were checked before they were stored."""
        return read_envelope(self.data)


@dataclass(frozen=True, kw_only=True)
class StatementType:
    """A type of statement that a room understands.

    Args:
        name: ``<room>.<what>``.
        schema: JSON Schema (2020-12) of the body.
        handle: applies it, inside the transaction that stores the entry; raises ``RenkeiError``
            to refuse, ``NotYetError`` to wait for what the statement refers to.
        is_solemn: needs the ML-DSA-44 signature beside the Ed25519 one.
    """

    name: str
    schema: Mapping[str, Any]
    handle: Callable[[Statement], None]
    is_solemn: bool = False


@dataclass(frozen=True, kw_only=True)
class JointField:
    """One field of a joint record, as people see it.

    Args:
        name: of the property in the content.
        label: a lazy translation.
        choices: code and lazy label of each allowed value; empty for a text.
        is_long: a text of several lines.
    """

    name: str
    label: object
    choices: tuple[tuple[str, object], ...] = ()
    is_long: bool = False


@dataclass(frozen=True, kw_only=True)
class JointKind:
    """A kind of record that belongs to several parties.

    Args:
        name: ``<room>.<what>``; the first part of the record's name.
        label: a lazy translation, for people.
        schema: JSON Schema (2020-12) of the content.
        apply: makes the sealed content true on this node; called once a version, in a transaction,
            with the content, the act's identifier and the reason that its proposer gave.
        check: refuses content that could not be applied; called before a proposal is made.
        witnessed: is told, with the content and the act's identifier, that every party's witness has
            cosigned the act; in a transaction.
        is_applied_witnessed: ``apply`` is called only then, and not at the seal: for what must not
            count before, such as money.
        fields: what the content says, in the order that people read and write it; a kind without
            them has pages of its own to write a proposal.
        lines: shows the content as ``(label, value)`` instead of ``fields``.
        url: address of what it became, or empty.
        page: address of the room's own page about an act, whatever its stage, by the act's identifier.
    """

    name: str
    label: object
    schema: Mapping[str, Any]
    apply: Callable[[Mapping[str, Any], str, str], None]
    check: Callable[[Mapping[str, Any]], None]
    url: Callable[[Mapping[str, Any]], str]
    fields: tuple[JointField, ...] = ()
    lines: Callable[[Mapping[str, Any]], list[tuple[object, str]]] | None = None
    witnessed: Callable[[Mapping[str, Any], str], None] = lambda _content, _act: None
    is_applied_witnessed: bool = False
    page: Callable[[str], str] | None = None


def content_lines(kind: JointKind, content: Mapping[str, Any]) -> list[tuple[object, str]]:
    """Return a content as ``(label, value)`` for people, in the active language."""
    if kind.lines is not None:
        return kind.lines(content)
    return [
        (field.label, str(dict(field.choices).get(content[field.name], content[field.name])))
        for field in kind.fields
        if content.get(field.name)
    ]


class NotYetError(RenkeiError):
    """What the statement refers to has not arrived here."""

    code = "border.not_yet"
    status = 409


@functools.cache
def types() -> Mapping[str, StatementType]:
    """Return every statement type by name."""
    found: dict[str, StatementType] = {}
    for room in rooms():
        if room.statements:
            for item in import_string(room.statements):
                if item.name in found:
                    raise ValueError(f"two rooms claim the statement type {item.name}")
                found[item.name] = item
    return found


@functools.cache
def kinds() -> Mapping[str, JointKind]:
    """Return every kind of joint record by name."""
    found: dict[str, JointKind] = {}
    for room in rooms():
        if room.joint:
            for item in import_string(room.joint):
                if item.name in found:
                    raise ValueError(f"two rooms claim the joint kind {item.name}")
                found[item.name] = item
    return found


@functools.cache
def _validator(name: str, *, joint: bool) -> jsonschema.Draft202012Validator:
    schema = kinds()[name].schema if joint else types()[name].schema
    return jsonschema.Draft202012Validator(schema)


def check_body(name: str, body: object, *, joint: bool = False) -> None:
    """Refuse a body or content that its schema refuses.

    Raises:
        BadStatementError: naming the place and what was expected.
    """
    worst = jsonschema.exceptions.best_match(_validator(name, joint=joint).iter_errors(body))
    if worst is not None:
        raise BadStatementError(
            gettext_noop("{name}, at {place}: {said}"),
            name=name,
            place=worst.json_path[:200],
            said=worst.message[:300],
        )
