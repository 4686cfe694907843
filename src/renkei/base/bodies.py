"""What programs send: the shape that every body has, and a day."""

import re
from datetime import date
from typing import Annotated

from ninja import Schema
from pydantic import BeforeValidator, ConfigDict

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Given(Schema):
    """Any question or body: nothing but what is known.

    To forbid what is unknown also keeps a text from being taken for an object: ninja reads bodies by
    attribute, and every Python text has, for one, a ``title``.
    """

    model_config = ConfigDict(extra="forbid")


def _day(value: object) -> object:
    """Take a day as ISO 8601 writes it, never a number of seconds."""
    if value is None or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("must be a day such as 2025-10-28")  # in the catalogue, by the problems


Day = Annotated[date, BeforeValidator(_day)]
