"""One decoy intensity against two: the table of docs/explain/one-decoy.md.

``python bench/link/decoys.py`` optimises the settings of both protocols for each block size and
distance and prints the ratio of their key rates, with a quiet and with a noisy detector.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from scipy.optimize import differential_evolution

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from renkei.link import engine

SECRET, CORRECT, INEFFICIENCY, VACUUM = 1e-9, 1e-15, 1.16, 2e-4
DETECTORS = {
    "dark counts 1e-8, no afterpulses": {"dark_probability": 1e-8, "afterpulse": 0.0},
    "dark counts 6e-7, afterpulses 4 %": {"dark_probability": 6e-7, "afterpulse": 0.04},
}


def one_decoy(x: Sequence[float], fibre: engine.Fibre, bits: float) -> float:
    """Return the key a pulse of the protocol of Rusca et al. 2018."""
    try:
        protocol = engine.Protocol(*x)
    except engine.BadProtocolError:
        return 0.0
    pulses = bits / sum(engine.expected_counts(protocol, fibre, 1.0)[0].detections)
    key, test = engine.expected_counts(protocol, fibre, pulses)
    told = INEFFICIENCY * engine.binary_entropy(key.error_rate) * bits
    length = engine.rusca_key_length(
        key, test, protocol, disclosed_bits=told, epsilon_secret=SECRET, epsilon_correct=CORRECT
    )
    return max(length, 0.0) / pulses


def two_decoys(x: Sequence[float], fibre: engine.Fibre, bits: float) -> float:
    """Return the key a pulse of the protocol of Lim et al. 2014."""
    signal, decoy, p_signal, p_decoy, p_key = x
    means, weights = (signal, decoy, VACUUM), (p_signal, p_decoy, 1 - p_signal - p_decoy)
    if weights[2] <= 1e-3 or signal <= decoy + VACUUM:
        return 0.0
    pairs = [engine.gain_and_error(mean, fibre) for mean in means]
    shares = [w * gain for w, (gain, _) in zip(weights, pairs, strict=True)]
    wrong = [w * errors for w, (_, errors) in zip(weights, pairs, strict=True)]
    pulses = bits / (p_key**2 * sum(shares))
    in_test = pulses * (1 - p_key) ** 2
    bounds = engine.lim_bounds(
        [pulses * p_key**2 * share for share in shares],
        [in_test * share for share in shares],
        [in_test * share for share in wrong],
        means=means,
        weights=weights,
        epsilon_secret=SECRET,
    )
    told = INEFFICIENCY * engine.binary_entropy(sum(wrong) / sum(shares)) * bits
    length = engine.lim_key_length(
        bounds, disclosed_bits=told, epsilon_secret=SECRET, epsilon_correct=CORRECT
    )
    return max(length, 0.0) / pulses


def best(rate: Callable[..., float], bounds: list[tuple[float, float]], *more: object) -> float:
    """Return the best rate over the settings."""
    found = differential_evolution(
        lambda x: -rate(x, *more), bounds, maxiter=120, popsize=12, seed=2, tol=1e-7
    )
    return float(-found.fun)


def main() -> int:
    """Print the tables."""
    distances = (50, 100, 150)
    for name, detector in DETECTORS.items():
        print(f"\n{name}\n\n| sifted bits | " + " | ".join(f"{d} km" for d in distances) + " |")
        print("| --- " * (len(distances) + 1) + "|")
        for power in (5, 6, 7, 8):
            cells = []
            for distance_km in distances:
                fibre = engine.Fibre(
                    distance_km=distance_km, detector_efficiency=0.1, misalignment=0.005,
                    dead_slots=0, extinction_db=200.0, **detector,
                )  # fmt: skip
                one = best(
                    one_decoy, [(0.2, 0.95), (0.02, 0.5), (0.05, 0.97), (0.3, 0.995)],
                    fibre, 10.0**power,
                )  # fmt: skip
                two = best(
                    two_decoys,
                    [(0.2, 0.9), (0.02, 0.4), (0.05, 0.95), (0.03, 0.8), (0.3, 0.995)],
                    fibre, 10.0**power,
                )  # fmt: skip
                cells.append(f"{one / two:.2f}" if two else "no key")
            print(f"| 10^{power} | " + " | ".join(cells) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
