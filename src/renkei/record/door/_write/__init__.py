"""What officers do to the record. Every verb has an author and a reason and is one transaction."""

from renkei.record.door._write._change import (
    InUseError,
    MissingTranslationError,
    Money,
    Side,
    StaleError,
    TakenError,
    UnknownSubjectError,
    change,
    find,
    state,
)
from renkei.record.door._write._commitments import (
    add_claim,
    add_commitment,
    checked_money,
    edit_commitment,
    project,
    publish_claim,
)
from renkei.record.door._write._deeds import (
    add_disbursement,
    add_milestone,
    add_outcome,
    assess_milestone,
    edit_outcome,
    remove_outcome,
)
from renkei.record.door._write._findings import (
    add_finding,
    reopen_finding,
    resolve_finding,
)
from renkei.record.door._write._organisations import (
    add_organisation,
    add_participation,
    edit_organisation,
    edit_participation,
    remove_organisation,
    remove_participation,
)
from renkei.record.door._write._sources import (
    add_source,
)

__all__ = [
    "InUseError",
    "MissingTranslationError",
    "Money",
    "Side",
    "StaleError",
    "TakenError",
    "UnknownSubjectError",
    "add_claim",
    "add_commitment",
    "add_disbursement",
    "add_finding",
    "add_milestone",
    "add_organisation",
    "add_outcome",
    "add_participation",
    "add_source",
    "assess_milestone",
    "change",
    "checked_money",
    "edit_commitment",
    "edit_organisation",
    "edit_outcome",
    "edit_participation",
    "find",
    "project",
    "publish_claim",
    "remove_organisation",
    "remove_outcome",
    "remove_participation",
    "reopen_finding",
    "resolve_finding",
    "state",
]
