"""The numbers of the link's engine beside those of its peers, on one pinned core, in CPU seconds.

Every speed is the best of several runs of ``time.process_time``; f is never printed without frame
errors, nor Mbit/s without saying whose work it is. ``RENKEI_BENCH_SIZE=small`` runs fewer frames.
"""

import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from bench.rows import Row, keep, row

from renkei.link import engine
from renkei.link.engine import _cascade, _ldpc, _source
from renkei.link.engine._vectors import HAS_WIDE_CLMUL

SMALL = os.environ.get("RENKEI_BENCH_SIZE") == "small"
TURNS = 4  # of LDPC, each frame
RATE = 0.02
MEBI = 1e6


def seconds(work: Callable[[], object], *, least: int = 3) -> float:
    """Return the CPU seconds of the best of several runs."""
    best = float("inf")
    for _ in range(least):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def frames(count: int, bits: int, rng: np.random.Generator) -> tuple[Any, Any, float]:
    """Return Alice's and Bob's words and the rate at which they really differ."""
    errors = (rng.random(count * bits) < RATE).astype(np.uint8)
    alice = rng.integers(0, 2**64, count * bits // 64, dtype=np.uint64)
    return alice, alice ^ engine.pack(errors), float(errors.mean())


def reconcile(alice: Any, bob: Any) -> Any:
    """Run Cascade to its end; return Bob's machine."""
    answers = engine.CascadeAlice(alice)
    machine_ = engine.CascadeBob(bob, error_rate=RATE)
    while not machine_.finished:
        machine_.absorb(answers.answer(machine_.questions))
    return machine_


def cascade(rng: np.random.Generator) -> list[Row]:
    """Measure Cascade beside the Rust core of ``qkd``."""
    blocks, count = (3 if SMALL else 16), 32
    best, told, limit, bad, rounds = float("inf"), 0, 0.0, 0, 0
    for _ in range(blocks):
        alice, bob, rate = frames(count, _cascade.FRAME_BITS, rng)
        began = time.process_time()
        done = reconcile(alice, bob)
        best = min(best, time.process_time() - began)
        bad += int((done.words() != alice).reshape(count, -1).any(axis=1).sum())
        told += done.disclosed
        rounds += done.rounds
        limit += alice.size * 64 * engine.binary_entropy(rate)
    from qkd import reconcile as peer

    peer_frames = 32 if SMALL else 256
    peer_seconds, peer_told, peer_bad = float("inf"), 0.0, 0
    for seed in range(1, 4):
        began = time.process_time()
        mean, left = peer.run_cascade(RATE, frames=peer_frames, seed=seed)
        peer_seconds = min(peer_seconds, time.process_time() - began)
        peer_told += mean / 3
        peer_bad += left
    size = peer.Cascade().frame
    speed = count * _cascade.FRAME_BITS / best / MEBI
    peer_speed = peer_frames * size / peer_seconds / MEBI
    f, peer_f = told / limit, peer_told / (size * engine.binary_entropy(RATE))
    sample = f"{bad} of {blocks * count} frames of 65 536 bits left wrong"
    return [
        row("Cascade, QBER 2 %, both parties", speed, "Mbit/s sifted", ">= 60", peer="qkd 0.2.0",
            peer_value=peer_speed, ratio=speed / peer_speed,
            note=f"f {f:.4f}; {sample}; {rounds / blocks:.0f} rounds"),
        row("Cascade, ratio to the peer at like f", speed / peer_speed, "times", ">= 6.7",
            note=f"ours f {f:.4f}, {sample}; theirs f {peer_f:.4f}, {peer_bad} of "
                 f"{3 * peer_frames} frames of {size} bits; theirs counts parities, ours also "
                 "corrects and encodes messages"),
        row("Cascade, f", f, f"with {sample}", "<= 1.04", peer="qkd 0.2.0", peer_value=peer_f,
            ratio=f / peer_f, limit="Shannon", limit_value=1.0),
        row("Cascade, frame errors", bad / (blocks * count), "of frames", "<= 0.001",
            note=f"{sample}; at most {3 / (blocks * count):.1e} with 95 % confidence if none"),
    ]  # fmt: skip


def ldpc(rng: np.random.Generator) -> list[Row]:
    """Measure LDPC beside the belief propagation of PyPI's ``ldpc`` on the same matrix."""
    count = 4 if SMALL else 64
    rows = _ldpc.rows_for(RATE)
    checks = _ldpc.code(rows)
    decoder = _ldpc.Decoder(rows, error_rate=RATE)
    tried = [frames(1, _ldpc.FRAME_BITS, rng) for _ in range(count)]
    spent, told, limit, bad, retried = [float("inf")] * count, 0, 0.0, 0, 0
    for again in range(TURNS):  # apart in time: others may be on the machine for a while
        for at, (alice, bob, rate) in enumerate(tried):
            began = time.process_time()
            sent = [_ldpc.syndrome(alice, checks)]
            while (found := decoder.decode(bob, sent)) is None and len(sent) <= _ldpc.MOST_SPLITS:
                sent.append(_ldpc.syndrome(alice, _ldpc.halves(rows, len(sent))))
            spent[at] = min(spent[at], time.process_time() - began)
            if again:
                continue
            bad += found is None or bool((found != alice).any())
            retried += len(sent) > 1
            told += 64 * sum(part.size for part in sent)
            limit += _ldpc.FRAME_BITS * engine.binary_entropy(rate)
    peer_speed, peer_note = ldpc_peer(checks, rng)
    speed = _ldpc.FRAME_BITS / float(np.median(spent)) / MEBI
    f = told / limit
    sample = f"{bad} of {count} frames of 262 144 bits wrong"
    mean = count * _ldpc.FRAME_BITS / sum(spent) / MEBI
    note = (f"f {f:.4f}; {sample}; {retried} needed a second syndrome; median of the frames, each the best of {TURNS}, the mean "
            f"is {mean:.1f}")  # fmt: skip
    return [
        row("LDPC one way, QBER 2 %, both parties", speed, "Mbit/s sifted", ">= 40",
            peer="ldpc 2.4", peer_value=peer_speed, ratio=speed / peer_speed,
            note=f"{note}; {peer_note}"),
        row("LDPC, ratio to the peer", speed / peer_speed, "times", ">= 300", note=peer_note),
        row("LDPC, f", f, f"with {sample}", "<= 1.16", limit="Shannon", limit_value=1.0),
    ]  # fmt: skip


def ldpc_peer(checks: _ldpc.Code, rng: np.random.Generator) -> tuple[float, str]:
    """Return Mbit/s of the peer's product-sum decoder and what it managed."""
    from ldpc import BpDecoder
    from scipy.sparse import csr_matrix

    z = np.arange(_ldpc.CIRCULANT)
    of_row = np.repeat(np.arange(checks.rows), np.diff(checks.starts))
    down = (of_row[:, None] * _ldpc.CIRCULANT + z).ravel()
    across = (
        checks.columns[:, None] * _ldpc.CIRCULANT + (z + checks.shifts[:, None]) % _ldpc.CIRCULANT
    ).ravel()
    shape = (checks.rows * _ldpc.CIRCULANT, _ldpc.FRAME_BITS)
    matrix = csr_matrix((np.ones(down.size, np.uint8), (down, across)), shape=shape)
    decoder = BpDecoder(matrix, error_rate=RATE, bp_method="product_sum", max_iter=60)
    errors = (rng.random(_ldpc.FRAME_BITS) < RATE).astype(np.uint8)
    syndrome = (matrix @ errors % 2).astype(np.uint8)
    began = time.process_time()
    found = decoder.decode(syndrome)
    spent = time.process_time() - began
    right = bool((found == errors).all())
    return (
        _ldpc.FRAME_BITS / spent / MEBI,
        f"theirs: product-sum on the same matrix, one frame, Bob alone, "
        f"{'decoded' if right else 'not decoded'}",
    )


def amplification(rng: np.random.Generator) -> list[Row]:
    """Measure privacy amplification beside randextract and pyFFTW."""
    made = []
    for bits, target in ((1_000_000, ">= 250"), (10_000_000, ">= 70")):
        out = bits // 2
        key = rng.integers(0, 2**64, -(-bits // 64), dtype=np.uint64)
        seed = rng.integers(0, 2**64, -(-bits // 64), dtype=np.uint64)
        spent = seconds(
            lambda key=key, seed=seed, bits=bits, out=out: engine.amplify(
                key, seed, bits=bits, out_bits=out
            ),
            least=7 if bits == 1_000_000 else 4,
        )
        fft = bits / fft_seconds(bits, out, rng) / MEBI
        way = "carry-less, VPCLMULQDQ" if HAS_WIDE_CLMUL else "FFT"
        made.append(
            row(f"privacy amplification, {bits:.0e} to half".replace("e+0", "e"), bits / spent / MEBI,
                "Mbit/s in, one party", target, peer="pyFFTW, same hash", peer_value=fft,
                ratio=bits / spent / MEBI / fft, note=way)
        )  # fmt: skip
    theirs = randextract_speed(rng)
    made.append(
        row("privacy amplification, ratio to randextract", made[0]["value"] / theirs, "times",
            ">= 17", peer="randextract 0.2.2", peer_value=theirs,
            ratio=made[0]["value"] / theirs, note="1e6 bits, modified Toeplitz, peer in Mbit/s")
    )  # fmt: skip
    return made


def fft_seconds(bits: int, out: int, rng: np.random.Generator) -> float:
    """Return CPU seconds of the same product by pyFFTW with planned transforms."""
    import pyfftw

    length = pyfftw.next_fast_len(bits - 1)
    real = [pyfftw.empty_aligned(length, "float64") for _ in range(2)]
    complex_ = [pyfftw.empty_aligned(length // 2 + 1, "complex128") for _ in range(2)]
    # Measuring plans of ten million points takes minutes.
    flags = ("FFTW_MEASURE" if bits <= 1_000_000 else "FFTW_ESTIMATE",)
    forth = [pyfftw.FFTW(a, b, flags=flags) for a, b in zip(real, complex_, strict=True)]
    back = pyfftw.FFTW(complex_[0], real[0], direction="FFTW_BACKWARD", flags=flags)
    key = rng.integers(0, 2, bits, dtype=np.uint8)
    seed = rng.integers(0, 2, bits - 1, dtype=np.uint8)
    rest = bits - out

    def work() -> Any:
        real[0][: bits - 1], real[0][bits - 1 :] = seed, 0
        real[1][:rest], real[1][rest:] = key[out:], 0
        for plan in forth:
            plan()
        np.multiply(complex_[0], complex_[1], out=complex_[0])
        product = back()
        kept = np.rint(product[rest - 1 : rest - 1 + out]).astype(np.int64) & 1
        return kept.astype(np.uint8) ^ key[:out]

    return seconds(work)


def randextract_speed(rng: np.random.Generator) -> float:
    """Return Mbit/s of randextract at 10^6 bits."""
    from galois import GF2
    from randextract import ModifiedToeplitzHashing

    bits = 1_000_000
    extractor = ModifiedToeplitzHashing(bits, bits // 2)
    key = GF2(rng.integers(0, 2, bits, dtype=np.uint8))
    seed = GF2(rng.integers(0, 2, bits - 1, dtype=np.uint8))
    return bits / seconds(lambda: extractor.extract(key, seed)) / MEBI


def chain(rng: np.random.Generator) -> list[Row]:
    """Measure reconciliation, verification and amplification together, then whole sessions."""
    best, best_out = float("inf"), 0
    bits = 32 * _cascade.FRAME_BITS
    for _ in range(3 if SMALL else 9):
        alice, bob, _rate = frames(32, _cascade.FRAME_BITS, rng)
        seed = rng.integers(0, 2**64, bits // 64, dtype=np.uint64)
        key = rng.bytes(16)
        began = time.process_time()
        done = reconcile(alice, bob)
        corrected = done.words()
        equal = engine.verification_tag(alice, bits, key) == engine.verification_tag(
            corrected, bits, key
        )
        # every bit from one photon, phase errors a tenth above the bit errors: what the codes cost
        out = int(bits * (1 - engine.binary_entropy(1.1 * RATE)) - done.disclosed - 128)
        ours = engine.amplify(alice, seed, bits=bits, out_bits=out)
        theirs = engine.amplify(corrected, seed, bits=bits, out_bits=out)
        spent = time.process_time() - began
        if not equal or (ours != theirs).any():
            raise SystemExit("the chain made unequal keys")
        if spent < best:
            best, best_out = spent, out
    peer = qkdsec_speed()
    speed = bits / best / MEBI
    whole, whole_out, note = sessions(rng)
    one_photon = (
        "Cascade, verification, amplification; every bit from one photon; no loss of blocks"
    )
    return [
        row("sifted to secret, both parties, in", speed, "Mbit/s sifted", ">= 40",
            peer="qkdsec 0.3.0", peer_value=peer, ratio=speed / peer, note=one_photon),
        row("sifted to secret, both parties, out", best_out / best / MEBI, "Mbit/s secret", ">= 28",
            note=one_photon),
        row("sifted to secret, ratio to qkdsec", speed / peer, "times", ">= 600",
            note="theirs with its photon simulation and a key of 256 bits"),
        row("whole sessions, both parties, in", whole, "Mbit/s sifted", note=note),
        row("whole sessions, both parties, out", whole_out, "Mbit/s secret", note=note),
    ]  # fmt: skip


def sessions(rng: np.random.Generator) -> tuple[float, float, str]:
    """Return Mbit/s in and out of whole sessions with decoys, finite key, tags and messages."""
    settings = engine.Settings()
    link = engine.SimulatedLink(settings.protocol, engine.Fibre(), rng=rng)
    seed = rng.bytes(512)
    best, out = float("inf"), 0
    for number in range(1, 5):
        sent, seen = link.block(number, key_bits=settings.block_bits)
        reserves = [engine.Reserve.from_seed(seed) for _ in range(2)]
        began = time.process_time()
        alice = engine.AliceSession(settings, sent, reserves[0], entropy=rng.bytes)
        bob = engine.BobSession(settings, seen, reserves[1])
        message = bob.start()
        while message is not None:
            answer = alice.receive(message)
            message = None if answer is None else bob.receive(answer)
        spent = time.process_time() - began
        if isinstance(bob.outcome, engine.Distilled) and spent < best:
            best, out = spent, bob.outcome.bits
    note = (
        "simulated link, 50 km, one decoy, 2^20 sifted bits, epsilon 1e-12, all messages and tags"
    )
    return settings.block_bits / best / MEBI, out / best / MEBI, note


def qkdsec_speed() -> float:
    """Return Mbit/s of sifted bits of qkdsec's simulator."""
    from qkdsec.sim.bb84 import BB84Protocol

    pulses = 40_000
    protocol = BB84Protocol(error_rate=RATE, backend="classical")
    return pulses / 2 / seconds(lambda: protocol.run(pulses), least=2) / MEBI


def source(rng: np.random.Generator) -> list[Row]:
    """Measure the simulated link beside drawing every pulse."""
    protocol, fibre = engine.Protocol(), engine.Fibre()
    link = engine.SimulatedLink(protocol, fibre, rng=rng)
    bits = 1 << 20
    best, events, pulses = float("inf"), 0, 0
    for number in range(1, 6):
        began = time.process_time()
        _, seen = link.block(number, key_bits=bits)
        spent = time.process_time() - began
        if spent < best:
            best, events, pulses = spent, seen.slots.size, seen.pulses
    share = events / pulses
    each = per_pulse_seconds(protocol, fibre, rng)
    return [
        row("simulated source, 50 km", events / best / MEBI, "M detections/s, both halves", ">= 10",
            peer="drawing every pulse (NumPy)", peer_value=share / each / MEBI,
            ratio=events / best * each / share, note=f"{pulses / best / 1e9:.2f} G pulses/s"),
    ]  # fmt: skip


def per_pulse_seconds(
    protocol: engine.Protocol, fibre: engine.Fibre, rng: np.random.Generator
) -> float:
    """Return CPU seconds a pulse of the plain way: four random numbers for each."""
    count = 1_000_000
    clicks = np.array([engine.gain_and_error(mean, fibre)[0] for mean in protocol.intensities])

    def work() -> Any:
        decoy = (rng.random(count) >= protocol.p_signal).astype(np.int64)
        click = rng.random(count) < clicks[decoy]
        tags = (rng.random(count) < 1 - protocol.p_key_basis) * np.uint8(_source.BASIS)
        tags |= rng.integers(0, 2, count, dtype=np.uint8)
        return np.flatnonzero(click), tags[click]

    return seconds(work) / count


def main() -> int:
    """Run everything and write the rows."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    warnings.simplefilter("ignore")  # of peers
    engine.warm()
    rng = np.random.default_rng(20_261_122)
    reconcile(*frames(1, _cascade.FRAME_BITS, rng)[:2])
    for part in (cascade, ldpc, amplification, chain, source):
        keep("link", part(rng))
    return 0


if __name__ == "__main__":
    sys.exit(main())
