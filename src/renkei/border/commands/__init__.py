"""``renkei border``: the border on the command line."""

from renkei.border.commands._group import border
from renkei.border.commands._log import audit, fingerprint, rebuild, receipt, scrub, status, verify

__all__ = [
    "audit",
    "border",
    "fingerprint",
    "rebuild",
    "receipt",
    "scrub",
    "status",
    "verify",
]
