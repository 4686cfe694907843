"""An agreement as a program reads it: a closed profile of ODRL, both texts in every clause.

The wire form is the Dataspace Protocol's ``Agreement`` (an ODRL policy as JSON), narrowed to what two
governments can read the same way: four actions, nine left operands, eight operators, ``and`` and
``or``. The JSON Schema beside this file defines the shape; this module also checks what a schema
cannot say (hashes, instants, the type of each operand). What an agreement decides is in
``_decision``.

Standards: ODRL Information Model 2.2 (2.1, 2.5, 2.6); Dataspace Protocol 2025-1 (policies); RFC 8785
for the bytes that are hashed; RFC 3339 for instants; ISO 8601-1, 5.5.2 for durations; ISO 3166-1
alpha-2 for ``spatial``.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, NoReturn

import rfc8785

from renkei.kit.errors import RenkeiError, gettext_noop

PROFILE = "urn:renkei:agreement:1"
ACTIONS = ("use", "read", "compute", "export")
DUTIES = ("delete", "report")
CLASSIFICATIONS = ("public", "internal", "restricted", "confidential", "secret", "top-secret")
KINDS = ("permission", "prohibition", "obligation")
TYPES = {"permission": "Permission", "prohibition": "Prohibition", "obligation": "Duty"}

COVERED_BY_PERMISSION: Mapping[str, frozenset[str]] = {
    "use": frozenset({"use", "read", "compute"}),
    "read": frozenset({"read"}),
    "compute": frozenset({"compute"}),
    "export": frozenset({"export"}),
}
"""A permission to use lets one read and compute; nothing but ``export`` ever lets one export."""

COVERED_BY_PROHIBITION: Mapping[str, frozenset[str]] = {
    **{action: frozenset({action}) for action in ACTIONS},
    "use": frozenset(ACTIONS),
}

LARGEST_BYTES = 57_344  # what fits a statement of the log beside its envelope
MOST_CLAUSES = 200
MOST_PARTS = 50  # constraints in one list, duties of one clause
MOST_VALUES = 500
DEEPEST = 8  # ands and ors inside each other
LONGEST_NAME = 200
LONGEST_TEXT = 8_000
LONGEST_TITLE = 300
LARGEST_COUNT = 2**53 - 1  # JSON numbers are exact up to here (RFC 8785, 3.2.2.3)

_NAME = re.compile(r"[\x21-\x7e]{1,200}")
_TERM = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff](?:[^\x00-\x1f\x7f\ud800-\udfff]{0,198}\S)?")
_CLAUSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII
)
_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W|(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,5})M)?(?:(?P<seconds>\d{1,6})S)?)?)",
    re.ASCII,
)
_CALENDAR_DURATION = re.compile(r"P(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T.*)?", re.ASCII)
_JAPANESE = re.compile(r"[\u3041-\u30ff\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")
_HEX = re.compile(r"[0-9a-f]{64}")


class BadAgreementError(RenkeiError):
    """The document is not an agreement of this profile."""

    code = "border.bad_agreement"


class MissingTextError(BadAgreementError):
    """A clause has no text in one of the two languages."""

    code = "border.missing_text"


class TextHashError(BadAgreementError):
    """A clause's text is not the text whose hash it carries."""

    code = "border.text_hash"


class UnknownTermError(BadAgreementError):
    """An action, operand, operator, unit or type that this profile does not have."""

    code = "border.unknown_term"


@dataclass(frozen=True, slots=True)
class Reason:
    """A sentence for people with its values apart, so that it can be said in their language.

    A value may be a ``Reason`` itself.
    """

    sentence: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the English sentence."""
        return self.sentence.format(**self.values) if self.values else self.sentence

    def to_json(self) -> dict[str, Any]:
        """Return what ``from_json`` reads."""
        values = {
            name: value.to_json() if isinstance(value, Reason) else value
            for name, value in self.values.items()
        }
        return {"sentence": self.sentence, "values": values}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Reason":
        """Return the reason that ``to_json`` wrote."""
        values = {
            name: cls.from_json(value) if isinstance(value, Mapping) else value
            for name, value in data["values"].items()
        }
        return cls(data["sentence"], values)


def _token(value: object) -> str:
    if not isinstance(value, str) or not _TERM.fullmatch(value):
        raise ValueError(gettext_noop("a text of 1 to 200 characters"))
    return value


def _country(value: object) -> str:
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        raise ValueError(gettext_noop("a country such as JP (ISO 3166-1 alpha-2)"))
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_COUNT:
        raise ValueError(gettext_noop("a whole number, at least 0"))
    return value


def _level(value: object) -> int:
    if value not in CLASSIFICATIONS:
        raise ValueError(
            gettext_noop("one of public, internal, restricted, confidential, secret and top-secret")
        )
    return CLASSIFICATIONS.index(str(value))


def instant(value: object) -> datetime:
    """Read an instant such as ``2027-03-31T00:00:00Z``; one without an offset is refused.

    Raises:
        ValueError: with what would be accepted.
    """
    said = gettext_noop("an instant with its offset, such as 2027-03-31T00:00:00Z")
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValueError(said)
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):  # 30 February; the first or last hours of time itself
        raise ValueError(said) from None


def duration(value: object) -> timedelta:
    """Read a duration of fixed length such as ``P30D`` or ``PT12H``; no years, no months.

    Raises:
        ValueError: with what would be accepted.
    """
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    parts = {name: int(text) for name, text in found.groupdict().items() if text} if found else {}
    if not parts:
        if isinstance(value, str) and _CALENDAR_DURATION.fullmatch(value):
            raise ValueError(
                gettext_noop("days, hours, minutes, seconds or weeks: months and years vary")
            )
        raise ValueError(gettext_noop("a duration such as P30D or PT12H"))
    return timedelta(**parts)


@dataclass(frozen=True, slots=True)
class Operand:
    """What a constraint may be about: how its values are read, and whether they have an order."""

    read: Callable[[object], Any]
    datatype: str
    is_ordered: bool = False


OPERANDS: Mapping[str, Operand] = {
    "purpose": Operand(_token, "xsd:string"),
    "dateTime": Operand(instant, "xsd:dateTime", is_ordered=True),
    "recipient": Operand(_token, "xsd:string"),
    "recipientParty": Operand(_token, "xsd:string"),
    "spatial": Operand(_country, "xsd:string"),
    "count": Operand(_count, "xsd:integer", is_ordered=True),
    "delayPeriod": Operand(duration, "xsd:duration", is_ordered=True),
    "classification": Operand(_level, "xsd:string", is_ordered=True),
    "outputType": Operand(_token, "xsd:string"),
}

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda given, wanted: bool(given == wanted),
    "neq": lambda given, wanted: bool(given != wanted),
    "isAnyOf": lambda given, wanted: given in wanted,
    "isNoneOf": lambda given, wanted: given not in wanted,
    "lt": lambda given, wanted: bool(given < wanted),
    "lteq": lambda given, wanted: bool(given <= wanted),
    "gt": lambda given, wanted: bool(given > wanted),
    "gteq": lambda given, wanted: bool(given >= wanted),
}
OF_SETS = frozenset({"isAnyOf", "isNoneOf"})
OF_ORDER = frozenset({"lt", "lteq", "gt", "gteq"})


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison: a fact of the request, an operator, and what the clause says."""

    __test__ = False  # the name pytest would collect

    operand: str
    operator: str
    wanted: Any
    said: object
    compare: Callable[[Any, Any], bool]

    def holds(self, facts: Mapping[str, Any]) -> bool | None:
        """Tell whether it holds; ``None`` when the fact is not known."""
        given = facts.get(self.operand)
        return None if given is None else self.compare(given, self.wanted)

    def tests(self) -> Iterator["Test"]:
        """Yield itself."""
        yield self


@dataclass(frozen=True, slots=True)
class Conditions:
    """Several constraints of which all, or any, must hold; unknown is neither (Kleene)."""

    parts: tuple["Test | Conditions", ...]
    is_all: bool

    def holds(self, facts: Mapping[str, Any]) -> bool | None:
        """Tell whether they hold; ``None`` when a fact that would decide it is not known."""
        settled = not self.is_all  # what one part alone decides
        unknown = False
        for part in self.parts:
            held = part.holds(facts)
            if held is settled:
                return settled
            unknown = unknown or held is None
        return None if unknown else self.is_all

    def tests(self) -> Iterator[Test]:
        """Yield every comparison in it."""
        for part in self.parts:
            yield from part.tests()


@dataclass(frozen=True, slots=True)
class Duty:
    """What must be done afterwards, and by when: one of ``by`` and ``within`` is set."""

    id: str
    action: str
    by: datetime | None = None
    within: timedelta | None = None

    def due(self, start: datetime) -> datetime:
        """Return the deadline of a duty that began at ``start``."""
        return self.by if self.by is not None else start + (self.within or timedelta())


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause: its rule, and the texts that people agreed to.

    Attributes:
        condition: when the rule applies.
        unknown: what in it this profile does not know; such a clause never permits, and a
            prohibition then always prohibits.
        operands: what its condition asks about.
    """

    id: str
    kind: str
    action: str
    condition: Conditions
    duties: tuple[Duty, ...]
    text: Mapping[str, str]
    text_hash: Mapping[str, str]
    unknown: Reason | None
    operands: frozenset[str]

    def covers(self, action: str) -> bool:
        """Tell whether the rule speaks about an action."""
        if self.action not in ACTIONS:
            return (
                True  # nobody can say what it speaks about; it is ``unknown``, and permits nothing
            )
        covered = COVERED_BY_PERMISSION if self.kind == "permission" else COVERED_BY_PROHIBITION
        return action in covered[self.action]


@dataclass(frozen=True, slots=True)
class Agreement:
    """An agreement that was read and checked; ``hash`` is of its whole document (RFC 8785)."""

    uid: str
    version: int
    title: Mapping[str, str]
    assigner: str
    assignees: tuple[str, ...]
    targets: tuple[str, ...]
    concluded_at: datetime
    clauses: tuple[Clause, ...]
    hash: str
    document: Mapping[str, Any]

    def of(self, kind: str) -> tuple[Clause, ...]:
        """Return the clauses of one kind, in the order of the document."""
        return tuple(clause for clause in self.clauses if clause.kind == kind)


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def document_hash(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a document's canonical JSON (RFC 8785), in hexadecimal."""
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()


@cache
def agreement_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the profile."""
    file = resources.files("renkei.border.engine").joinpath("agreement.schema.json")
    schema: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return schema


def _bad(where: str, sentence: str, **values: object) -> NoReturn:
    raise BadAgreementError(
        gettext_noop("{where}: {reason}"), where=where, reason=Reason(sentence, values)
    )


def _unknown(where: str, sentence: str, **values: object) -> NoReturn:
    raise UnknownTermError(
        gettext_noop("{where}: {reason}"), where=where, reason=Reason(sentence, values)
    )


def _members(
    value: object, where: str, *, needed: Sequence[str], optional: Sequence[str] = ()
) -> Mapping[str, Any]:
    """Return an object that has what it needs and nothing unknown."""
    if not isinstance(value, Mapping):
        _bad(where, gettext_noop("must be an object"))
    for name in value:
        if name not in needed and name not in optional:
            _unknown(
                where,
                gettext_noop("{name} is not known here: expected some of {known}"),
                name=str(name)[:LONGEST_NAME],
                known=", ".join([*needed, *optional]),
            )
    for name in needed:
        if name not in value:
            _bad(where, gettext_noop("{name} is missing"), name=name)
    return value


def _type(raw: Mapping[str, Any], where: str, expected: str) -> None:
    """Check a JSON-LD type, which may be left out: the place says it."""
    if raw.get("@type", expected) != expected:
        _unknown(
            where,
            gettext_noop("{given} is not known: expected {expected}"),
            given=str(raw["@type"])[:LONGEST_NAME],
            expected=expected,
        )


def _list(value: object, where: str, *, most: int, least: int = 1) -> list[Any]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        _bad(
            where,
            gettext_noop("must be a list of {least} to {most}"),
            least=least,
            most=most,
        )
    return value


def _name(value: object, where: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        _bad(where, gettext_noop("must be a name of 1 to 200 visible ASCII characters"))
    return value


def _names(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, list):
        names = tuple(
            _name(item, f"{where}[{at}]")
            for at, item in enumerate(_list(value, where, most=MOST_PARTS))
        )
        if len(set(names)) != len(names):
            _bad(where, gettext_noop("names one thing twice"))
        return names
    return (_name(value, where),)


def _both(value: object, where: str, *, longest: int = LONGEST_TEXT) -> dict[str, str]:
    """Return a text in both languages."""
    if not isinstance(value, Mapping):
        raise MissingTextError(
            gettext_noop(
                "{where}: the texts are missing: expected one in English and one in Japanese"
            ),
            where=where,
        )
    said = {}
    for language, script in (("en", _LATIN), ("ja", _JAPANESE)):
        text = value.get(language)
        if not isinstance(text, str) or not script.search(text):
            raise MissingTextError(
                gettext_noop("{where}: there is no text in this language: {language}"),
                where=where,
                language=language,
            )
        if len(text) > longest:
            _bad(
                f"{where}.{language}",
                gettext_noop("has more than {most} characters"),
                most=longest,
            )
        if any(unicodedata.category(char) in {"Cc", "Cs"} and char != "\n" for char in text):
            _bad(f"{where}.{language}", gettext_noop("holds a character that no text has"))
        said[language] = text
    _members(value, where, needed=("en", "ja"))
    return said


def _texts(rule: Mapping[str, Any], where: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return a clause's texts and their hashes, which must agree."""
    texts = _both(rule.get("text"), f"{where}.text")
    hashes = _members(rule.get("textHash"), f"{where}.textHash", needed=("en", "ja"))
    for language, text in texts.items():
        given, wanted = hashes[language], text_hash(text)
        if not isinstance(given, str) or not _HEX.fullmatch(given) or given != wanted:
            raise TextHashError(
                gettext_noop(
                    "{where}: the hash of the text in this language is {given}, expected {wanted}: {language}"
                ),
                where=where,
                language=language,
                given=str(given)[:64],
                wanted=wanted,
            )
    return texts, {language: str(hashes[language]) for language in texts}


def _value(raw: object, operand: Operand, where: str) -> Any:
    """Read one right operand, plain or as a typed JSON-LD literal."""
    if isinstance(raw, Mapping):
        _members(raw, where, needed=("@value",), optional=("@type",))
        kind = raw.get("@type", operand.datatype)
        if kind != operand.datatype:
            _unknown(
                where,
                gettext_noop("the type {kind} is not of this operand: expected {expected}"),
                kind=str(kind)[:LONGEST_NAME],
                expected=operand.datatype,
            )
        raw = raw["@value"]
    try:
        return operand.read(raw)
    except ValueError as error:
        _unknown(
            where,
            gettext_noop("{given} is not a value here: expected {expected}"),
            given=json.dumps(raw, ensure_ascii=False, default=str)[:LONGEST_NAME],
            expected=Reason(str(error)),
        )


def _plain(raw: object) -> object:
    """Return a right operand without its JSON-LD wrapping, to show."""
    if isinstance(raw, Mapping):
        return raw.get("@value")
    return [_plain(item) for item in raw] if isinstance(raw, list) else raw


def _test(raw: Mapping[str, Any], where: str) -> Test:
    _members(
        raw,
        where,
        needed=("leftOperand", "operator", "rightOperand"),
        optional=("@type", "dataType", "unit"),
    )
    _type(raw, where, "Constraint")
    name, operator = raw["leftOperand"], raw["operator"]
    if not isinstance(name, str) or name not in OPERANDS:
        _unknown(
            where,
            gettext_noop("the operand {name} is not known: expected one of {known}"),
            name=str(name)[:LONGEST_NAME],
            known=", ".join(OPERANDS),
        )
    if not isinstance(operator, str) or operator not in OPERATORS:
        _unknown(
            where,
            gettext_noop("the operator {name} is not known: expected one of {known}"),
            name=str(operator)[:LONGEST_NAME],
            known=", ".join(OPERATORS),
        )
    operand = OPERANDS[name]
    if "unit" in raw:
        _unknown(
            where,
            gettext_noop("the unit {name} is not known: operands of this profile have none"),
            name=str(raw["unit"])[:LONGEST_NAME],
        )
    if raw.get("dataType", operand.datatype) != operand.datatype:
        _unknown(
            where,
            gettext_noop("the type {kind} is not of this operand: expected {expected}"),
            kind=str(raw["dataType"])[:LONGEST_NAME],
            expected=operand.datatype,
        )
    if operator in OF_ORDER and not operand.is_ordered:
        _unknown(
            where,
            gettext_noop("{operator} needs an order, and {name} has none"),
            operator=operator,
            name=name,
        )
    right = raw["rightOperand"]
    wanted: Any
    if operator in OF_SETS:
        items = right if isinstance(right, list) else [right]
        _list(items, f"{where}.rightOperand", most=MOST_VALUES)
        wanted = frozenset(
            _value(item, operand, f"{where}.rightOperand[{at}]") for at, item in enumerate(items)
        )
    else:
        wanted = _value(right, operand, f"{where}.rightOperand")
    return Test(
        operand=name,
        operator=operator,
        wanted=wanted,
        said=_plain(right),
        compare=OPERATORS[operator],
    )


def _constraint(raw: object, where: str, depth: int = 1) -> Test | Conditions:
    if not isinstance(raw, Mapping):
        _bad(where, gettext_noop("must be an object"))
    for name in ("and", "or"):
        if name in raw:
            if depth > DEEPEST:
                _bad(where, gettext_noop("lies more than {most} levels deep"), most=DEEPEST)
            _members(raw, where, needed=(name,), optional=("@type",))
            _type(raw, where, "LogicalConstraint")
            inner = raw[name]
            if isinstance(inner, Mapping) and set(inner) == {"@list"}:  # as ODRL's JSON-LD has it
                inner = inner["@list"]
            parts = _list(inner, f"{where}.{name}", most=MOST_PARTS)
            return Conditions(
                tuple(
                    _constraint(part, f"{where}.{name}[{at}]", depth + 1)
                    for at, part in enumerate(parts)
                ),
                is_all=name == "and",
            )
    return _test(raw, where)


def _conditions(rule: Mapping[str, Any], where: str) -> Conditions:
    parts = _list(rule.get("constraint", []), f"{where}.constraint", most=MOST_PARTS, least=0)
    return Conditions(
        tuple(_constraint(part, f"{where}.constraint[{at}]") for at, part in enumerate(parts)),
        is_all=True,
    )


def _duty(raw: Mapping[str, Any], where: str, id_: str) -> Duty:
    action = raw["action"]
    if not isinstance(action, str) or action not in DUTIES:
        _unknown(
            where,
            gettext_noop("the duty {name} is not known: expected one of {known}"),
            name=str(action)[:LONGEST_NAME],
            known=", ".join(DUTIES),
        )
    parts = _list(raw.get("constraint"), f"{where}.constraint", most=1)
    found = _constraint(parts[0], f"{where}.constraint[0]")
    if (
        not isinstance(found, Test)
        or found.operator != "lteq"
        or found.operand not in {"dateTime", "delayPeriod"}
    ):
        _unknown(
            f"{where}.constraint[0]",
            gettext_noop(
                "a duty has one deadline: dateTime lteq an instant, or delayPeriod lteq a duration"
            ),
        )
    if found.operand == "dateTime":
        return Duty(id=id_, action=action, by=found.wanted)
    return Duty(id=id_, action=action, within=found.wanted)


def _duties(rule: Mapping[str, Any], where: str, id_: str) -> tuple[Duty, ...]:
    raws = _list(rule.get("duty", []), f"{where}.duty", most=MOST_PARTS, least=0)
    duties = []
    for at, raw in enumerate(raws):
        place = f"{where}.duty[{at}]"
        _members(raw, place, needed=("action", "constraint"), optional=("@id", "@type"))
        _type(raw, place, TYPES["obligation"])
        name = raw.get("@id", f"{id_}.{at + 1}")
        if not isinstance(name, str) or not _CLAUSE.fullmatch(name):
            _bad(place, gettext_noop("@id must be 1 to 40 letters, digits, dots and hyphens"))
        duties.append(_duty(raw, place, name))
    return tuple(duties)


def _rule(raw: object, kind: str, where: str, *, strict: bool) -> Clause:
    """Read one clause; what it does not know makes it ``unknown`` where that is allowed."""
    if not isinstance(raw, Mapping):
        _bad(where, gettext_noop("must be an object"))
    id_ = raw.get("@id")
    if not isinstance(id_, str) or not _CLAUSE.fullmatch(id_):
        _bad(where, gettext_noop("@id must be 1 to 40 letters, digits, dots and hyphens"))
    texts, hashes = _texts(raw, where)
    action = raw.get("action")
    condition, duties, unknown = Conditions((), is_all=True), tuple[Duty, ...](), None
    try:
        more = ("constraint", "duty") if kind == "permission" else ("constraint",)
        needed = ("@id", "action", "text", "textHash")
        _members(raw, where, needed=needed, optional=("@type", *more))
        _type(raw, where, TYPES[kind])
        if kind == "obligation":
            duties = (_duty(raw, where, id_),)
        else:
            if not isinstance(action, str) or action not in ACTIONS:
                _unknown(
                    where,
                    gettext_noop("the action {name} is not known: expected one of {known}"),
                    name=str(action)[:LONGEST_NAME],
                    known=", ".join(ACTIONS),
                )
            condition = _conditions(raw, where)
            duties = _duties(raw, where, id_)
    except BadAgreementError as error:
        if strict:
            raise
        # What was read before the fault would be half a rule.
        condition, duties = Conditions((), is_all=True), ()
        unknown = Reason(error.sentence, error.values)
    return Clause(
        id=id_,
        kind=kind,
        action=str(action)[:LONGEST_NAME],
        condition=condition,
        duties=duties,
        text=texts,
        text_hash=hashes,
        unknown=unknown,
        operands=frozenset(test.operand for test in condition.tests()),
    )


HEAD = (
    "@type",
    "@id",
    "profile",
    "version",
    "title",
    "assigner",
    "assignee",
    "target",
    "timestamp",
)


def _read_clauses(head: Mapping[str, Any], *, strict: bool) -> tuple[Clause, ...]:
    """Return the clauses in order; their names must differ."""
    clauses: list[Clause] = []
    for kind in KINDS:
        raws = _list(head.get(kind, []), kind, most=MOST_CLAUSES, least=0)
        clauses += [_rule(raw, kind, f"{kind}[{at}]", strict=strict) for at, raw in enumerate(raws)]
    if not clauses:
        _bad("agreement", gettext_noop("has no clause"))
    names = [clause.id for clause in clauses]
    if len(set(names)) != len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        _bad("agreement", gettext_noop("two clauses have the @id {name}"), name=twice)
    return tuple(clauses)


def _spelled_hash(head: Mapping[str, Any]) -> str:
    """Return the hash of the whole document, if it has one spelling that can be kept."""
    if "@context" in head:
        _names(head["@context"], "@context")
    try:
        spelled = rfc8785.dumps(head)
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
        _bad("agreement", gettext_noop("has no canonical form: {error}"), error=str(error)[:200])
    if b"\\u0000" in spelled:  # no database keeps it
        _bad("agreement", gettext_noop("holds a character that no text has"))
    size = len(spelled)
    if size > LARGEST_BYTES:
        _bad(
            "agreement",
            gettext_noop("has {size} bytes: at most {most}"),
            size=size,
            most=LARGEST_BYTES,
        )
    return hashlib.sha256(spelled).hexdigest()


def parse_agreement(document: object, *, strict: bool = True) -> Agreement:
    """Return the agreement that a document says.

    Args:
        document: parsed JSON.
        strict: refuse what this profile does not know. An agreement that both parties sealed is
            read with ``strict=False``: a clause that says something unknown then permits nothing,
            and a prohibition prohibits, with the reason. Its texts and hashes are checked all the
            same.

    Raises:
        MissingTextError: a clause lacks one of its two texts.
        TextHashError: a text is not the one that was hashed.
        UnknownTermError: something that this profile does not have.
        BadAgreementError: any other fault; the message says where.
    """
    head = _members(document, "agreement", needed=HEAD, optional=("@context", *KINDS))
    if head["@type"] != "Agreement":
        _bad("@type", gettext_noop("must be {expected}"), expected="Agreement")
    if head["profile"] != PROFILE:
        _unknown(
            "profile",
            gettext_noop("{given} is not known: expected {expected}"),
            given=str(head["profile"])[:LONGEST_NAME],
            expected=PROFILE,
        )
    version = head["version"]
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= 10**6:
        _bad("version", gettext_noop("must be a whole number from 1"))
    try:
        concluded_at = instant(head["timestamp"])
    except ValueError as error:
        _bad("timestamp", gettext_noop("expected {expected}"), expected=Reason(str(error)))
    clauses = _read_clauses(head, strict=strict)
    digest = _spelled_hash(head)
    return Agreement(
        uid=_name(head["@id"], "@id"),
        version=version,
        title=_both(head["title"], "title", longest=LONGEST_TITLE),
        assigner=_name(head["assigner"], "assigner"),
        assignees=_names(head["assignee"], "assignee"),
        targets=_names(head["target"], "target"),
        concluded_at=concluded_at,
        clauses=clauses,
        hash=digest,
        document=head,
    )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def read_document(content: bytes) -> object:
    """Read JSON strictly: UTF-8, no name twice in an object, no NaN, bounded size.

    Raises:
        BadAgreementError: with what was wrong.
    """
    if len(content) > 4 * LARGEST_BYTES:  # room for white space
        _bad(
            "agreement",
            gettext_noop("has {size} bytes: at most {most}"),
            size=len(content),
            most=4 * LARGEST_BYTES,
        )
    try:
        return json.loads(
            content.decode(), object_pairs_hook=_no_duplicates, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise BadAgreementError(
            gettext_noop("this is not JSON: {error}"), error=str(error)[:200]
        ) from error


def complete(document: object) -> object:
    """Return a draft with the hashes of its texts filled in where it has none.

    A hash that is there is left as it is, so that a wrong one is still found.
    """
    if not isinstance(document, Mapping):
        return document
    done = dict(document)
    for kind in KINDS:
        rules = done.get(kind)
        if isinstance(rules, list):
            done[kind] = [_completed(rule) for rule in rules]
    return done


def _completed(rule: object) -> object:
    texts = rule.get("text") if isinstance(rule, Mapping) else None
    if not isinstance(rule, Mapping) or not isinstance(texts, Mapping) or "textHash" in rule:
        return rule
    return {
        **rule,
        "textHash": {
            language: text_hash(text) for language, text in texts.items() if isinstance(text, str)
        },
    }
