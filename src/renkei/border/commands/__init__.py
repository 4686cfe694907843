"""``renkei border``: the border on the command line."""

from renkei.border.commands._agreements import agreements, decide, draft, simulate
from renkei.border.commands._drill import drill
from renkei.border.commands._group import border
from renkei.border.commands._log import (
    audit,
    evidence,
    fingerprint,
    rebuild,
    receipt,
    rotate,
    scrub,
    status,
    verify,
)

__all__ = [
    "agreements",
    "audit",
    "border",
    "decide",
    "draft",
    "drill",
    "evidence",
    "fingerprint",
    "rebuild",
    "receipt",
    "rotate",
    "scrub",
    "simulate",
    "status",
    "verify",
]
