"""Long runs of the whole chain on the simulated link, and the loading of the kernels."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import log, sqrt

import numpy as np

from renkei.link.engine._amplification import amplify
from renkei.link.engine._authentication import Reserve
from renkei.link.engine._channel import Eavesdropper, Fibre
from renkei.link.engine._finite_key import binary_entropy
from renkei.link.engine._session import (
    Aborted,
    AliceSession,
    BobSession,
    Distilled,
    Settings,
)
from renkei.link.engine._source import SimulatedLink
from renkei.link.engine._verification import verification_tag

_CONFIDENCE = 0.95


def _rng_bytes(rng: np.random.Generator) -> Callable[[int], bytes]:
    return rng.bytes


@dataclass(slots=True)
class Soak:
    """What a long run has seen so far; everything from a simulated link.

    Attributes:
        blocks: blocks begun.
        frames: frames reconciled.
        sifted_bits: bits reconciled.
        errors: of these, bits that differed.
        disclosed_bits: told by reconciliation.
        rounds: of reconciliation, all blocks.
        secret_bits: made.
        failed_blocks: blocks that came to nothing, by reason.
        unequal_keys: blocks whose two keys differ; must stay 0.
    """

    blocks: int = 0
    frames: int = 0
    sifted_bits: int = 0
    errors: int = 0
    disclosed_bits: int = 0
    rounds: int = 0
    secret_bits: int = 0
    failed_blocks: dict[str, int] = field(default_factory=dict)
    unequal_keys: int = 0

    @property
    def inefficiency(self) -> float:
        """Inefficiency f over all blocks: disclosed bits over the Shannon limit."""
        rate = self.errors / self.sifted_bits if self.sifted_bits else 0.0
        limit = self.sifted_bits * binary_entropy(rate)
        return self.disclosed_bits / limit if limit else 0.0

    @property
    def bad_frames(self) -> int:
        """Frames that reconciliation left unequal, at least."""
        return sum(self.failed_blocks.get(why, 0) for why in ("verification", "reconciliation"))

    @property
    def frame_error_bound(self) -> float:
        """Greatest frame error rate that fits, with 95 % confidence."""
        if not self.frames:
            return 1.0
        if not self.bad_frames:
            return min(1.0, -log(1 - _CONFIDENCE) / self.frames)
        # Wilson's bound, one-sided
        z, n, p = 1.6449, self.frames, self.bad_frames / self.frames
        middle = p + z * z / (2 * n)
        spread = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return min(1.0, (middle + spread) / (1 + z * z / n))


def distil(
    alice: AliceSession, bob: BobSession
) -> tuple[Distilled | Aborted | None, Distilled | Aborted | None]:
    """Let two sessions talk in one process until they are done; return both outcomes."""
    alice.start()
    message = bob.start()
    while message is not None:
        answer = alice.receive(message)
        message = None if answer is None else bob.receive(answer)
    return alice.outcome, bob.outcome


def soak(
    bits: int,
    *,
    rng: np.random.Generator,
    settings: Settings | None = None,
    fibre: Fibre | None = None,
    eavesdropper: Eavesdropper | None = None,
) -> Iterator[Soak]:
    """Distil blocks until ``bits`` sifted bits have gone through; yield the tally after each.

    Every block goes through the whole chain with two separate sessions, and the keys are compared
    in the end, which only a simulation can do.
    """
    chosen = settings or Settings()
    link = SimulatedLink(chosen.protocol, fibre or Fibre(), rng=rng)
    seed = rng.bytes(1024)
    reserves = Reserve.from_seed(seed), Reserve.from_seed(seed)
    tally = Soak()
    while tally.sifted_bits < bits:
        tally.blocks += 1
        sent, seen = link.block(tally.blocks, key_bits=chosen.block_bits, eavesdropper=eavesdropper)
        alice = AliceSession(chosen, sent, reserves[0], entropy=_rng_bytes(rng))
        bob = BobSession(chosen, seen, reserves[1])
        ends = distil(alice, bob)
        figures = bob.figures
        tally.sifted_bits += figures.sifted_bits or 0
        tally.rounds += figures.rounds or 0
        if figures.disclosed_bits is not None and figures.key_errors is not None:
            tally.frames += figures.frames or 0
            tally.errors += sum(figures.key_errors)
            tally.disclosed_bits += figures.disclosed_bits
        if isinstance(ends[0], Distilled) and isinstance(ends[1], Distilled):
            tally.unequal_keys += ends[0].key != ends[1].key
            tally.secret_bits += ends[0].bits
            for reserve, end in zip(reserves, ends, strict=True):
                if isinstance(end, Distilled):
                    reserve.refill(tally.blocks, end.for_reserve)
        else:
            reasons = [end.reason for end in ends if isinstance(end, Aborted)]
            why = next((one for one in reasons if one != "peer"), "peer")
            tally.failed_blocks[why] = tally.failed_blocks.get(why, 0) + 1
        yield tally


def warm() -> str:
    """Load or compile every kernel; return a digest of what a fixed piece of work came to.

    Takes seconds the first time on a machine and a fraction of one later. The digest is the same
    whichever instructions the processor has.
    """
    digest = hashlib.sha256()
    rng = np.random.default_rng(1)
    for settings in (Settings(frames=1), Settings(reconciler="ldpc", frames=4)):
        last = next(soak(1, rng=rng, settings=settings))
        digest.update(f"{last.disclosed_bits} {last.errors} {last.failed_blocks}".encode())
    key, seed = rng.integers(0, 2**64, (2, 200), dtype=np.uint64)
    digest.update(amplify(key, seed, bits=12_800, out_bits=5_000).tobytes())
    digest.update(verification_tag(key, 12_800, bytes(range(16))))
    return digest.hexdigest()
