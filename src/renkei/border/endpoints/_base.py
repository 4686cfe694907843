"""The router of the node's own API about the border, and what its operations share."""

from typing import Any

from django.db.models import QuerySet
from ninja import Router
from pydantic import BaseModel

from renkei.base.problems import BadRequestError
from renkei.kit.errors import gettext_noop

router = Router(tags=["border"])  # each operation states who may call it
MOST_COUNTED = 10_000


def only(given: Any, question: type[BaseModel]) -> None:
    """Refuse parameters that nobody asked for: a slip of the pen must not look like an answer.

    Raises:
        BadRequestError: naming the first one.
    """
    known = [item.alias or name for name, item in question.model_fields.items()]
    for name in given:
        if name not in known:
            raise BadRequestError(
                gettext_noop("{name!r} is not a parameter here: expected some of {known}"),
                name=name,
                known=", ".join(known),
            )


def piece(rows: QuerySet[Any], *, offset: int, limit: int) -> tuple[int, list[Any]]:
    """Return how many rows there are (``MOST_COUNTED + 1`` stands for more) and some of them."""
    count = rows.order_by()[: MOST_COUNTED + 1].count()
    return count, list(rows[offset : offset + limit])
