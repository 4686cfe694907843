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
Alice answers it as before. Store ``dump()`` and the reserve before an answer leaves the process; ``load`` goes on from there. When
both sides have stored a block, ``reserve.refill(block, distilled.for_reserve)``.
"""

from renkei.link.engine._amplification import BadAmplificationError, amplify
from renkei.link.engine._authentication import (
    Authentication,
    BadReserveError,
    EmptyReserveError,
    Reserve,
    Signatures,
)
from renkei.link.engine._cascade import CascadeAlice, CascadeBob, DivergedError
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
from renkei.link.engine._polynomials import multiply, pack, unpack
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
from renkei.link.engine._soak import Soak, soak, warm
from renkei.link.engine._source import (
    SIMULATED,
    BadBlockError,
    Detections,
    Preparations,
    SimulatedLink,
)
from renkei.link.engine._verification import verification_tag

__all__ = [
    "REASONS",
    "SIMULATED",
    "Aborted",
    "AliceSession",
    "Authentication",
    "BadAmplificationError",
    "BadBlockError",
    "BadFibreError",
    "BadProtocolError",
    "BadReserveError",
    "BadSettingsError",
    "BobSession",
    "CascadeAlice",
    "CascadeBob",
    "Counts",
    "DeadFibreError",
    "Detections",
    "Distilled",
    "DivergedError",
    "Eavesdropper",
    "EmptyReserveError",
    "Fibre",
    "Figures",
    "ImpossibleStatisticsError",
    "KeyLength",
    "LimBounds",
    "Preparations",
    "Protocol",
    "Rate",
    "Reserve",
    "Settings",
    "Signatures",
    "SimulatedLink",
    "Soak",
    "amplify",
    "binary_entropy",
    "expected_counts",
    "gain_and_error",
    "key_length",
    "lim_bounds",
    "lim_key_length",
    "multiply",
    "pack",
    "plob",
    "rusca_key_length",
    "secret_rate",
    "soak",
    "unpack",
    "verification_tag",
    "warm",
]
