"""What the two ends of a link say for good: downgrades and alarms, each signed into its node's log."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings

from renkei.border import door as border
from renkei.kit.errors import gettext_noop
from renkei.link.models import Event, Link

EVENT: Final = "link.event"
LONGEST_ABOUT: Final = 300
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["between", "event", "kind", "about"],
    "properties": {
        "between": {
            "description": "the two ends, in alphabetical order",
            "type": "array",
            "items": {"type": "string", "pattern": "^[a-z0-9-]{1,31}$"},
            "minItems": 2,
            "maxItems": 2,
            "uniqueItems": True,
        },
        "event": {"enum": [one.value for one in Event.What]},
        "kind": {
            "description": "of the alarm; what authenticated the start; of a downgrade, the policy",
            "type": "string",
            "pattern": "^[a-z0-9-]{1,40}$",
        },
        "about": {
            "description": "of a downgrade, the SHA-256 of the sealed file's header",
            "type": "string",
            "maxLength": LONGEST_ABOUT,
        },
    },
}


def _handle(statement: border.Statement) -> None:
    body = statement.envelope.body or {}
    between = list(body["between"])
    if statement.name not in between:
        raise border.BadStatementError(
            gettext_noop("{name} speaks of a link that it is no end of: {ends}"),
            name=statement.name,
            ends=", ".join(between),
        )
    own = settings.NODE.name
    other = [name for name in between if name != own]
    link = Link.objects.filter(own=own, partner=other[0]).first() if len(other) == 1 else None
    if link is None:
        return  # of two other nodes, or of a link that is not founded here yet
    issued: datetime = statement.envelope.issued
    Event.objects.get_or_create(
        link=link,
        said_by=statement.name,
        index=statement.index,
        defaults={
            "what": body["event"],
            "kind": body["kind"],
            "about": body["about"],
            "leaf": statement.leaf,
            "said_at": issued,
        },
    )


TYPES = (border.StatementType(name=EVENT, schema=SCHEMA, handle=_handle),)
