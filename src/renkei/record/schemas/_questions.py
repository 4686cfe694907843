"""What the lists are asked: which rows, in which language; an unknown parameter is refused."""

from typing import Annotated, Any, Literal

from ninja import Field
from pydantic import ConfigDict
from pydantic.json_schema import SkipJsonSchema

from renkei.base.bodies import Given
from renkei.record import door, engine
from renkei.record.schemas._bodies import PLAIN

MOST_ROWS, ROWS, DEEPEST_OFFSET = 200, 50, 1_000_000


class Question(Given):
    """Any question: the language of the texts."""

    model_config = ConfigDict(populate_by_name=True)

    lang: Literal["", "en", "ja"] = Field(
        "", description="Language of the texts; else `Accept-Language` decides."
    )


class Language(Question):
    """A question about one thing."""


def code(vocabulary: str) -> Any:
    """Describe a parameter that takes a code, or nothing."""
    known: list[Any] = ["", *engine.VOCABULARY[vocabulary]]
    return Field(max_length=32, json_schema_extra={"enum": known})


def one_of(*known: str) -> Any:
    """Describe a parameter that takes one of a few words."""
    words: list[Any] = list(known)
    return Field(max_length=32, json_schema_extra={"enum": words})


class Listed(Question):
    """A piece of a list."""

    q: str = Field(
        "",
        max_length=door.LONGEST_QUERY,
        pattern=PLAIN,
        description="Words that a row must all hold; beginnings of words count.",
    )
    limit: int = Field(ROWS, ge=1, le=MOST_ROWS)
    offset: int = Field(0, ge=0, le=DEEPEST_OFFSET)


class CommitmentsQuery(Listed):
    """Which commitments."""

    record_class: Annotated[str, code("class")] = Field("", alias="class")
    domain: Annotated[str, code("domain")] = ""
    kind: Annotated[str, code("kind")] = ""
    status: Annotated[str, code("status")] = ""
    scope: Annotated[str, code("scope")] = ""
    party: str = Field("", max_length=8, pattern=PLAIN, description="Country code or bloc.")
    source: str = Field("", max_length=80, pattern=PLAIN, description="Name of a source.")
    nature: Annotated[str, code("nature")] = ""
    finding: Annotated[str, one_of("", *door.FINDING)] = ""
    sort: Annotated[str, one_of(*door.SORTS)] = "recent"


class FindingsQuery(Listed):
    """Which findings."""

    severity: Annotated[str, code("severity")] = ""
    kind: Annotated[str, code("finding_type")] = ""
    state: Annotated[str, code("finding")] = ""
    detectable: Annotated[str, code("detectable")] = ""


class SourcesQuery(Listed):
    """Which sources."""

    reliability: Annotated[str, code("reliability")] = ""


class OrganisationsQuery(Listed):
    """Which organisations."""

    kind: Annotated[str, code("organisation")] = ""
    country: str = Field("", max_length=2, pattern=PLAIN, description="Country code.")


class AgreementsQuery(Question):
    """Which agreements."""

    limit: int = Field(ROWS, ge=1, le=MOST_ROWS)
    offset: int = Field(0, ge=0, le=DEEPEST_OFFSET)
    kind: Annotated[str, code("agreement")] = ""
    binding: Annotated[str, code("binding")] = ""


class ChangesQuery(Question):
    """Which lines of the history."""

    limit: int = Field(ROWS, ge=1, le=MOST_ROWS)
    offset: int = Field(0, ge=0, le=DEEPEST_OFFSET)
    subject: Literal["", "commitment", "source", "organisation", "finding"] = ""
    slug: str = Field("", max_length=80, pattern=PLAIN, description="Name of the subject.")


class RemovalQuery(Question):
    """Why something is taken back or out, and which version was read."""

    reason: str = Field(min_length=1, max_length=500, pattern=PLAIN)
    version: int | SkipJsonSchema[None] = Field(None, ge=0, le=2**31 - 1)
