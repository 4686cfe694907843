"""The router, and what reading and writing share."""

from typing import Any

from ninja import Router
from pydantic import BaseModel

from renkei.base.access import PUBLIC, allow
from renkei.kit.errors import gettext_noop
from renkei.record import door

router = Router(tags=["record"], auth=allow(PUBLIC))


def only(given: Any, question: type[BaseModel]) -> None:
    """Refuse parameters that nobody asked for: a slip of the pen must not look like an answer.

    Raises:
        BadSelectionError: naming the first one.
    """
    known = [item.alias or name for name, item in question.model_fields.items()]
    for name in given:
        if name not in known:
            raise door.BadSelectionError(
                gettext_noop("{name!r} is not a parameter here: expected some of {known}"),
                name=name,
                known=", ".join(known),
            )
