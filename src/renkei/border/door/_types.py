"""The statement types of the border itself."""

from renkei.border import engine
from renkei.border.door import _joint
from renkei.border.door._registry import Statement, StatementType

_OBJECT = {"type": "object"}


def _kept(_statement: Statement) -> None:
    """Nothing more to do: keys are folded from the log when they are needed."""


TYPES: tuple[StatementType, ...] = (
    *_joint.TYPES,
    *(
        StatementType(name=name, schema=_OBJECT, handle=_kept, is_solemn=True)
        for name in engine.KEY_TYPES
    ),
)
