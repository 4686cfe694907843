"""What other programs speak with: ETSI GS QKD 014, and the partner's end of the link."""

from renkei.link.endpoints._api import router
from renkei.link.endpoints._etsi014 import Server, deliver, tls_context
from renkei.link.endpoints._etsi020 import Interop
from renkei.link.endpoints._peer import peer

__all__ = [
    "Interop",
    "Server",
    "deliver",
    "peer",
    "router",
    "tls_context",
]
