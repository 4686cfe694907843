"""What programs send: shapes and bounds alone; what a value means is the door's to judge.

A body that names something unknown is refused whole. Whole numbers and truth values are taken as
such and never read out of texts; days are ``2025-10-28``.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from ninja import Field

from renkei.base.bodies import Day, Given
from renkei.record import engine

LONGEST_NOTE = 4_000
MOST_PASSAGES = 50
LARGEST_NUMBER = 2**31 - 1
# What no text has and a database refuses: controls but tab and line ends, and lone surrogates
# (which JSON can spell and pydantic refuses by itself).
PLAIN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"


def text(longest: int, *, shortest: int = 0, form: str = "", known: Iterable[str] = ()) -> Any:
    """Bound a text.

    Args:
        form: a regular expression that describes it, for readers; the door judges and says more.
        known: all its values, likewise.
    """
    described: dict[str, Any] = {}
    if form:
        described["pattern"] = form
    if known:
        described["enum"] = sorted(known)
    return Field(
        min_length=shortest, max_length=longest, pattern=PLAIN, json_schema_extra=described
    )


def code(vocabulary: str) -> Any:
    """Describe a code; the door says which there are."""
    known: list[Any] = list(engine.VOCABULARY[vocabulary])
    return Field(max_length=32, pattern=PLAIN, json_schema_extra={"enum": known})


Number = Annotated[int, Field(strict=True, ge=0, le=LARGEST_NUMBER)]
Title = Annotated[str, text(300, shortest=1)]
Line = Annotated[str, text(500)]
Note = Annotated[str, text(LONGEST_NOTE)]
Said = Annotated[str, text(LONGEST_NOTE, shortest=1)]
Name = Annotated[str, text(80, shortest=1)]
MaybeName = Annotated[str, text(80)]
Decimal = Annotated[str, text(24, shortest=1, form=r"^[0-9]{1,18}(\.[0-9]{1,3})?$")]
PartialDay = Annotated[str, text(10, form=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$")]
MaybePartialDay = Annotated[str, text(10, form=r"^([0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?)?$")]
Currency = Annotated[str, text(3, shortest=3, known=engine.CURRENCIES)]
Side = Annotated[str, text(8, shortest=1, known={*engine.COUNTRIES, "joint", "other"})]
Parties = Annotated[str, text(120, form=r"^([A-Z0-9]{2,8}(,[A-Z0-9]{2,8})*)?$")]


class ReasonIn(Given):
    """Any change: why."""

    reason: Annotated[str, text(500, shortest=1)] = Field(
        description="Everybody can read it in the history."
    )


class ChangeIn(ReasonIn):
    """A change of something that somebody else may be changing as well."""

    version: Number | None = Field(
        None, description="The version that was read: refused if there is a newer one."
    )


class PassageIn(Given):
    """Offsets in a document, in Unicode code points."""

    start: Number
    end: Number


Passages = Annotated[list[PassageIn], Field(max_length=MOST_PASSAGES)]


def places(passages: list[PassageIn]) -> list[tuple[int, int]]:
    """Return passages as the door takes them."""
    return [(item.start, item.end) for item in passages]


class CommitmentIn(ReasonIn):
    """A new commitment."""

    slug: MaybeName = Field("", description="Its name; the next free one if it is left out.")
    title_en: Title
    title_ja: Title
    source: Name
    domain: Annotated[str, code("domain")]
    kind: Annotated[str, code("kind")]
    status: Annotated[str, code("status")]
    parties: Parties = Field(description="Codes between commas: `JP,US`.")
    funding_source: Annotated[str, code("funding_source")] = "unknown"
    scope: Annotated[str, code("scope")] = "bilateral"
    record_class: Annotated[str, code("class")] = "commitment"
    part_of: MaybeName = ""
    note_en: Note = ""
    note_ja: Note = ""
    passages: Passages = Field(default_factory=list)
    seen_on: Day | None = None

    def arguments(self) -> dict[str, Any]:
        """Return what the door is given."""
        return {**self.dict(), "passages": places(self.passages)}


class CommitmentEdit(ChangeIn):
    """What is ours about a commitment; what is left out stays."""

    title_en: Title | None = None
    title_ja: Title | None = None
    note_en: Note | None = None
    note_ja: Note | None = None
    scope: Annotated[str, code("scope")] | None = None
    record_class: Annotated[str, code("class")] | None = None
    part_of: MaybeName | None = Field(None, description="Name of the whole; empty for none.")

    def arguments(self) -> dict[str, Any]:
        """Return what is to be changed."""
        changed = {name: value for name, value in self.dict().items() if value is not None}
        return {"version": None, **changed}


class ConversionIn(Given):
    """An amount in another currency, by the rate of a day."""

    value: Decimal
    currency: Currency
    rate: Decimal
    rate_on: Day


class MoneyIn(Given):
    """What an amount says besides its value."""

    currency: Currency
    side: Side
    nature: Annotated[str, code("nature")]
    stage: Annotated[str, code("stage")]
    relation: Annotated[str, code("relation")] = "total"
    conversion: ConversionIn | None = None


class ClaimIn(ChangeIn):
    """What a source says about one field."""

    field: Annotated[str, text(60, shortest=1)]
    value: Annotated[str, text(engine.LONGEST_VALUE)] = Field(
        description="A text, also for numbers and dates."
    )
    qualifier: Annotated[str, code("qualifier")] = "exact"
    source: Name
    passages: Passages = Field(default_factory=list)
    seen_on: Day | None = None
    money: MoneyIn | None = Field(None, description="Of amounts alone.")
    publish: Annotated[bool, Field(strict=True)] = False


class MilestoneIn(ChangeIn):
    """What is due, and when."""

    title_en: Title
    title_ja: Title
    due: PartialDay
    metric: Annotated[str, text(60)] = ""
    target: Annotated[str, text(40)] = ""
    source: MaybeName = ""
    passage: PassageIn | None = None

    def arguments(self) -> dict[str, Any]:
        """Return what the door is given."""
        place = places([self.passage])[0] if self.passage else None
        return {**self.dict(), "passage": place}


class AssessmentIn(ChangeIn):
    """Whether a milestone was delivered, on what evidence, and who judged it."""

    state: Annotated[str, code("milestone")]
    evidence: Line = ""
    evidence_address: Line = ""
    assessor: Annotated[str, text(200)] = ""
    assessed_on: Day | None = None


class DisbursementIn(ChangeIn):
    """Money that was paid."""

    value: Decimal
    currency: Currency
    side: Side
    nature: Annotated[str, code("nature")]
    paid_on: Day
    recipient: MaybeName = ""
    source: MaybeName = ""
    evidence: Line = ""
    corrects: Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)] | None = Field(
        None, description="The disbursement that this one replaces."
    )


class OutcomeIn(ChangeIn):
    """What research gave."""

    kind: Annotated[str, code("outcome")]
    title_en: Title
    title_ja: Title
    identifier: Annotated[str, text(200, shortest=1)]
    address: Line = ""
    published_on: MaybePartialDay = ""


class ParticipationIn(ChangeIn):
    """An organisation's role in a commitment."""

    organisation: Name
    role: Annotated[str, code("role")]


class OrganisationIn(ReasonIn):
    """A new organisation."""

    slug: MaybeName = ""
    title_en: Title
    title_ja: Title
    kind: Annotated[str, code("organisation")]
    country: Annotated[str, text(8)] = ""
    aliases: Annotated[list[Annotated[str, text(300, shortest=1)]], Field(max_length=50)] = Field(
        default_factory=list
    )


class OrganisationEdit(ChangeIn):
    """What is said of an organisation; what is left out becomes empty."""

    title_en: Title
    title_ja: Title
    kind: Annotated[str, code("organisation")]
    country: Annotated[str, text(8)] = ""
    aliases: Annotated[list[Annotated[str, text(300, shortest=1)]], Field(max_length=50)] = Field(
        default_factory=list
    )


class AttachIn(ReasonIn):
    """Beside a document: the source that it shall be of."""

    source: MaybeName = Field("", description="Left out: whichever source has these bytes.")


class SourceIn(ReasonIn):
    """Beside the document of a new source: what it is."""

    slug: MaybeName = ""
    title_en: Title
    title_ja: Title
    reliability: Annotated[str, code("reliability")]
    reliability_reason_en: Said
    reliability_reason_ja: Said
    language: Annotated[str, text(8)] = "en"
    publisher_en: Annotated[str, text(300)] = ""
    publisher_ja: Annotated[str, text(300)] = ""
    published: MaybePartialDay = ""
    address: Line = ""
    doi: Annotated[str, text(120)] = ""
    same_evidence_as: MaybeName = ""


class SideIn(Given):
    """One passage of a finding and what it says, in our words."""

    source: Name
    start: Number
    end: Number
    says_en: Title
    says_ja: Title


class FindingIn(ReasonIn):
    """A contradiction or gap."""

    slug: MaybeName = ""
    kind: Annotated[str, code("finding_type")]
    severity: Annotated[str, code("severity")]
    detectable: Annotated[str, code("detectable")]
    title_en: Said
    title_ja: Said
    suggestion_en: Note = ""
    suggestion_ja: Note = ""
    commitments: Annotated[list[Name], Field(max_length=100)] = Field(default_factory=list)
    sides: Annotated[list[SideIn], Field(max_length=20)] = Field(default_factory=list)


class DecisionIn(ChangeIn):
    """What was decided about a finding."""

    decision_en: Said
    decision_ja: Said
