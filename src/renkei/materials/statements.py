"""What nodes tell each other about materials.

Of a notice the log holds a salted hash alone. A pattern says which figures of stocks a node holds
back, so that no partner's figures give them away; it holds names of figures, and no value.
"""

from renkei.border import door as border
from renkei.border.door import Statement, StatementType
from renkei.materials.models import PartnerNotice, Pattern

NOTICE = "materials.notice"
PATTERN = "materials.pattern"
_KEYS = {
    "type": "array",
    "maxItems": 2000,
    "uniqueItems": True,
    "items": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,39}/[a-z]{1,12}$"},
}


def _noticed(statement: Statement) -> None:
    """Note that a partner sent a notice; its text is fetched by the border, sealed to this node."""
    if statement.is_own:
        return
    commitment = (statement.envelope.body or {})["notice"]
    PartnerNotice.objects.get_or_create(
        commitment=commitment,
        defaults={"party": statement.party, "said_at": statement.envelope.issued},
    )
    border.want_private(commitment, origin=statement.origin)


def _patterned(statement: Statement) -> None:
    """Keep what a node last said that it holds back; its partners' gates read it."""
    body = statement.envelope.body or {}
    before = Pattern.objects.filter(name=statement.name).first()
    if before is not None and before.index >= statement.index:
        return
    Pattern.objects.update_or_create(
        name=statement.name,
        defaults={
            "held": body["held"],
            "open": body["open"],
            "told": body["told"],
            "seen": body["seen"],
            "index": statement.index,
            "said_at": statement.envelope.issued,
        },
    )


STATEMENTS = (
    StatementType(
        name=NOTICE,
        schema={
            "type": "object",
            "additionalProperties": False,
            "required": ["notice"],
            "properties": {"notice": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
        },
        handle=_noticed,
    ),
    StatementType(
        name=PATTERN,
        schema={
            "type": "object",
            "additionalProperties": False,
            "required": ["held", "open", "seen", "told"],
            "properties": {
                "held": _KEYS,
                "open": _KEYS,
                "told": _KEYS,
                # Digests of the partners' patterns that this one was made in sight of.
                "seen": {
                    "type": "array",
                    "maxItems": 20,
                    "items": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                },
            },
        },
        handle=_patterned,
    ),
)
"""The statement types of the registry."""
