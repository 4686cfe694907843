"""What nodes tell each other about materials: notices, of which the log holds a salted hash alone."""

from renkei.border import door as border
from renkei.border.door import Statement, StatementType
from renkei.materials.models import PartnerNotice

NOTICE = "materials.notice"


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
)
"""The statement types of the registry."""
