"""The pure part of the room: mathematics, formats, protocol steps; no Django, no sockets."""

from renkei.border.engine._agreement import (
    text_hash,
)
from renkei.border.engine._authzen import (
    to_authzen,
)
from renkei.border.engine._canonical import (
    read_canonical,
)
from renkei.border.engine._checkpoint import (
    with_cosignatures,
)
from renkei.border.engine._decision import (
    simulate,
)
from renkei.border.engine._envelope import (
    read_time,
    write_time,
)
from renkei.border.engine._fork import (
    fork_evidence,
)
from renkei.border.engine._http_signature import (
    verify_response,
)
from renkei.border.engine._identity import (
    REVOKED,
    vkeys,
)
from renkei.border.engine._joint import (
    seal_body,
)
from renkei.border.engine._keys import (
    SigningPair,
    read_base64,
)
from renkei.border.engine._merkle import (
    verify_inclusion,
)
from renkei.border.engine._note import (
    encode_base64,
    sign_note,
)
from renkei.border.engine._policy import (
    parse_policy,
)
from renkei.border.engine._proof import (
    TlogProof,
)
from renkei.border.engine._receipt import (
    verify_receipt,
)
from renkei.border.engine._sealing import (
    unseal,
)
from renkei.border.engine._tiles import (
    TILE_HEIGHT,
    tile_hashes,
)
from renkei.border.engine._witness import (
    MAX_ADD_CHECKPOINT_BYTES,
    parse_add_checkpoint,
)

__all__ = [
    "MAX_ADD_CHECKPOINT_BYTES",
    "REVOKED",
    "TILE_HEIGHT",
    "SigningPair",
    "TlogProof",
    "encode_base64",
    "fork_evidence",
    "parse_add_checkpoint",
    "parse_policy",
    "read_base64",
    "read_canonical",
    "read_time",
    "seal_body",
    "sign_note",
    "simulate",
    "text_hash",
    "tile_hashes",
    "to_authzen",
    "unseal",
    "verify_inclusion",
    "verify_receipt",
    "verify_response",
    "vkeys",
    "with_cosignatures",
    "write_time",
]
