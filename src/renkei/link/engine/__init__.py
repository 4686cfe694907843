"""Quantum key distribution without a server: detections in, keys and their figures out.

Pure: no Django, no sockets, no clock. Chance is an argument (``rng`` for the simulation,
``entropy`` for what must not be guessed).

A block goes like this, each half in a process of its own::

    link = SimulatedLink(protocol, Fibre(distance_km=50), rng=rng)      # the fibre's process
    preparations, detections = link.block(1, key_bits=settings.block_bits)

    alice = AliceSession(settings, preparations, reserve, entropy=os.urandom)
    bob = BobSession(settings, detections, reserve_of_bob)
    message = bob.start()                       # then ``receive`` in turn, until both have
    message = alice.receive(message)            # an ``outcome``: Distilled or Aborted

``receive`` never raises for what a message holds. After a silence Bob sends ``pending`` again and
Alice answers it as before. Store ``dump()`` and the reserve before an answer leaves the process;
``load`` goes on from there. When both sides have stored a block, ``reserve.refill(block, distilled.for_reserve)``.

Beside this stand the key manager's counters and messages, key at rest, and sealed files. What
needs Numba is loaded when it is first asked for: a process that only hands out key stays small.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from renkei.link.engine._allocation import (
    Allocation,
    BadAllocationError,
    Batch,
    BlockState,
    Counters,
    Extent,
    PoolEmptyError,
    Position,
    RolledBackError,
    accept,
    capacity,
    catch_up,
    counters_from_json,
    counters_to_json,
    cut,
    from_json,
    key_id,
    new_prefix,
    parse_key_id,
    place,
    settle,
    to_json,
)
from renkei.link.engine._combiner import (
    SECRET_SEED_BYTES,
    BadPublicKeyError,
    Context,
    Recipient,
    combine,
    encapsulate,
    expand,
)
from renkei.link.engine._etsi014 import (
    KeyRequest,
    Limits,
    RefusedError,
    Target,
    container,
    read_key_ids,
    read_key_request,
    read_path,
    status,
)
from renkei.link.engine._etsi020 import (
    ACK_PATH,
    FAILED,
    FAILED_TO_VOID,
    KEYS_PATH,
    KMAPI,
    NOT_PRESENT,
    RELAYED,
    SIMULATED_EXTENSION,
    VERSIONS_PATH,
    VOID_PATH,
    VOIDED,
    Ack,
    HandedKey,
    InteropRefusedError,
    KeyContainer,
    VoidRequest,
    is_sae_id,
    read_acks,
    read_keys,
    read_void,
    versions,
    write_acks,
    write_keys,
    write_void,
)
from renkei.link.engine._names import (
    FIBRE_FILE,
    SECRETS_FILE,
)
from renkei.link.engine._relay import (
    Hop,
    NoRouteError,
    TamperedError,
    disjoint_paths,
    hop_key_bytes,
    join,
    receive_hop,
    route_rate,
    send_hop,
    split,
)
from renkei.link.engine._rest import (
    KEK_BYTES,
    ONE_TIME_KEY_BYTES,
    AtRest,
    DamagedKeyError,
    one_time_tag,
    split_fingerprint,
)
from renkei.link.engine._sealed import (
    PAD_SUITE,
    QKD_KEY_BYTES,
    Header,
    NotSealedError,
    Policy,
    PolicyError,
    Source,
    pad_bytes,
    read_header,
    seal,
    seal_pad,
    shown_name,
    unseal,
    unseal_pad,
    write_header,
)

if TYPE_CHECKING:
    from renkei.link.engine._amplification import (
        BadAmplificationError,
        amplify,
    )
    from renkei.link.engine._authentication import (
        Authentication,
        BadReserveError,
        EmptyReserveError,
        Reserve,
        Signatures,
    )
    from renkei.link.engine._cascade import (
        CascadeAlice,
        CascadeBob,
        DivergedError,
    )
    from renkei.link.engine._channel import (
        BadFibreError,
        DeadFibreError,
        Eavesdropper,
        Fibre,
        Rate,
        expected_counts,
        gain_and_error,
        plob,
        secret_rate,
    )
    from renkei.link.engine._finite_key import (
        BadProtocolError,
        Counts,
        ImpossibleStatisticsError,
        KeyLength,
        LimBounds,
        Protocol,
        binary_entropy,
        key_length,
        lim_bounds,
        lim_key_length,
        rusca_key_length,
    )
    from renkei.link.engine._polynomials import (
        pack,
        toeplitz,
        unpack,
    )
    from renkei.link.engine._session import (
        REASONS,
        Aborted,
        AliceSession,
        BadSettingsError,
        BobSession,
        Distilled,
        Figures,
        Settings,
    )
    from renkei.link.engine._soak import (
        Soak,
        soak,
        warm,
    )
    from renkei.link.engine._source import (
        SIMULATED,
        BadBlockError,
        Detections,
        Preparations,
        SimulatedLink,
    )
    from renkei.link.engine._verification import (
        verification_tag,
    )

_LATER = {
    "_amplification": ("BadAmplificationError", "amplify"),
    "_authentication": (
        "Authentication",
        "BadReserveError",
        "EmptyReserveError",
        "Reserve",
        "Signatures",
    ),
    "_cascade": ("CascadeAlice", "CascadeBob", "DivergedError"),
    "_channel": (
        "BadFibreError",
        "DeadFibreError",
        "Eavesdropper",
        "Fibre",
        "Rate",
        "expected_counts",
        "gain_and_error",
        "plob",
        "secret_rate",
    ),
    "_finite_key": (
        "BadProtocolError",
        "Counts",
        "ImpossibleStatisticsError",
        "KeyLength",
        "LimBounds",
        "Protocol",
        "binary_entropy",
        "key_length",
        "lim_bounds",
        "lim_key_length",
        "rusca_key_length",
    ),
    "_polynomials": ("pack", "toeplitz", "unpack"),
    "_session": (
        "Aborted",
        "AliceSession",
        "BadSettingsError",
        "BobSession",
        "Distilled",
        "Figures",
        "REASONS",
        "Settings",
    ),
    "_soak": ("Soak", "soak", "warm"),
    "_source": (
        "BadBlockError",
        "Detections",
        "Preparations",
        "SIMULATED",
        "SimulatedLink",
    ),
    "_verification": ("verification_tag",),
}
"""Modules that load Numba, and what they hold."""


def __getattr__(name: str) -> Any:
    """Load a module when something in it is first asked for (PEP 562)."""
    for module, names in _LATER.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ACK_PATH",
    "FAILED",
    "FAILED_TO_VOID",
    "FIBRE_FILE",
    "KEK_BYTES",
    "KEYS_PATH",
    "KMAPI",
    "NOT_PRESENT",
    "ONE_TIME_KEY_BYTES",
    "PAD_SUITE",
    "QKD_KEY_BYTES",
    "REASONS",
    "RELAYED",
    "SECRETS_FILE",
    "SECRET_SEED_BYTES",
    "SIMULATED",
    "SIMULATED_EXTENSION",
    "VERSIONS_PATH",
    "VOIDED",
    "VOID_PATH",
    "Aborted",
    "Ack",
    "AliceSession",
    "Allocation",
    "AtRest",
    "Authentication",
    "BadAllocationError",
    "BadAmplificationError",
    "BadBlockError",
    "BadFibreError",
    "BadProtocolError",
    "BadPublicKeyError",
    "BadReserveError",
    "BadSettingsError",
    "Batch",
    "BlockState",
    "BobSession",
    "CascadeAlice",
    "CascadeBob",
    "Context",
    "Counters",
    "Counts",
    "DamagedKeyError",
    "DeadFibreError",
    "Detections",
    "Distilled",
    "DivergedError",
    "Eavesdropper",
    "EmptyReserveError",
    "Extent",
    "Fibre",
    "Figures",
    "HandedKey",
    "Header",
    "Hop",
    "ImpossibleStatisticsError",
    "InteropRefusedError",
    "KeyContainer",
    "KeyLength",
    "KeyRequest",
    "LimBounds",
    "Limits",
    "NoRouteError",
    "NotSealedError",
    "Policy",
    "PolicyError",
    "PoolEmptyError",
    "Position",
    "Preparations",
    "Protocol",
    "Rate",
    "Recipient",
    "RefusedError",
    "Reserve",
    "RolledBackError",
    "Settings",
    "Signatures",
    "SimulatedLink",
    "Soak",
    "Source",
    "TamperedError",
    "Target",
    "VoidRequest",
    "accept",
    "amplify",
    "binary_entropy",
    "capacity",
    "catch_up",
    "combine",
    "container",
    "counters_from_json",
    "counters_to_json",
    "cut",
    "disjoint_paths",
    "encapsulate",
    "expand",
    "expected_counts",
    "from_json",
    "gain_and_error",
    "hop_key_bytes",
    "is_sae_id",
    "join",
    "key_id",
    "key_length",
    "lim_bounds",
    "lim_key_length",
    "new_prefix",
    "one_time_tag",
    "pack",
    "pad_bytes",
    "parse_key_id",
    "place",
    "plob",
    "read_acks",
    "read_header",
    "read_key_ids",
    "read_key_request",
    "read_keys",
    "read_path",
    "read_void",
    "receive_hop",
    "route_rate",
    "rusca_key_length",
    "seal",
    "seal_pad",
    "secret_rate",
    "send_hop",
    "settle",
    "shown_name",
    "soak",
    "split",
    "split_fingerprint",
    "status",
    "to_json",
    "toeplitz",
    "unpack",
    "unseal",
    "unseal_pad",
    "verification_tag",
    "versions",
    "warm",
    "write_acks",
    "write_header",
    "write_keys",
    "write_void",
]
