"""Quantum key distribution without a server: detections in, keys and their figures out.

Pure: no Django, no sockets, no clock. Chance is an argument (``rng`` for the simulation,
``entropy`` for what must not be guessed). What follows is the face that callers program against;
names appear in ``__all__`` as they come to exist.

Source (hardware and simulation alike)::

    Protocol(signal=0.5, decoy=0.15, p_signal=0.7, p_key_basis=0.9)    # public, both agree
    Fibre(distance_km=50.0, attenuation_db_per_km=0.2, pulse_hz=1e9, detector_efficiency=0.2,
          dark_probability=1e-7, misalignment=0.01, afterpulse=0.01, dead_slots=10,
          extinction_db=25.0, drift=0.0)                               # physics of the simulation
    Eavesdropper(intercept=0.0, split=0.0, burst_error=0.0, burst_share=0.0)   # all in [0, 1]
    SimulatedLink(protocol, fibre, rng=numpy Generator)
        .block(number, *, key_bits, eavesdropper=Eavesdropper()) -> (Preparations, Detections)
    Preparations, Detections: .block .pulses .label .slots .tags, .to_bytes(), .from_bytes(data)
        label == "simulated" for everything that this simulator makes, and travels to the key.

Authentication::

    Reserve.from_seed(seed: bytes)       # the carried seed, >= 112 bytes, the same on both sides
        .tags_left(direction) -> int     # direction: "alice" or "bob" (who sends)
        .refill(block, material)         # Distilled.for_reserve, once the peer confirmed the block
        .to_bytes() / Reserve.from_bytes(data)     # store it durably BEFORE sending a tag
    Signatures(sign=callable, verify=callable)     # ML-DSA for a first block without a seed

Distillation of one block, for two real processes; strictly alternating messages::

    Settings(protocol, frames=16, reconciler="cascade" | "ldpc", epsilon_secret=1e-12,
             epsilon_correct=1e-12, reserve_tags=64, greatest_error_rate=0.11)
    AliceSession(settings, preparations, authentication, entropy=os.urandom)
    BobSession(settings, detections, authentication)
        .start() -> bytes | None         # Bob speaks first; Alice returns None
        .receive(message) -> bytes | None  # answer to send; None: nothing to say. Never raises for
                                         # what a peer says: a bad message ends in an abort. A
                                         # duplicate returns the last answer again (stop and wait).
        .pending -> bytes | None         # what was said last, to say again after a silence
        .outcome -> None | Distilled | Aborted
        .figures -> Figures              # filled as the block goes; JSON by .as_dict()
        .dump() -> bytes; AliceSession.load(data, settings, authentication, ...)  # resume
    Distilled: .block .key (bytes) .bits .for_reserve (bytes) .label .figures
    Aborted: .block .reason .figures    # reason: one of REASONS, "error_rate", "no_key", "tag", ...
        a message that aborts is also sent to the peer.

Whole numbers::

    secret_rate(...), plob(...), key_length(...)     # finite-key lengths, curves of the pages
    soak(bits=..., rng=...) -> figures               # for ``renkei link bench --soak N``
    warm()                                           # compile or load the kernels, at start
"""
