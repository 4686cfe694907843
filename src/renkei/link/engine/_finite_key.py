"""How many secret bits a block holds: decoy-state BB84 with finite statistics.

Used for keys is ``key_length``: one decoy intensity, after Wiesemann, Krause, Tupkary, Lütkenhaus,
Rusca and Walenta (arXiv:2405.16578v3), who mend flaws of earlier analyses, with the bits that were
really disclosed. The formulas of Lim et al. (2014) and Rusca et al. (2018) stand beside it for
comparison only. The physics of a fibre is in ``_channel``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, factorial, floor, isfinite, log, log2, sqrt
from typing import Final

from renkei.kit.errors import RenkeiError, gettext_noop

_TERMS: Final = 15  # in how many parts the proof of the one-decoy bound splits epsilon
_TERMS_LIM: Final = 21
_TERMS_RUSCA: Final = 19


class ImpossibleStatisticsError(RenkeiError):
    """Counts that no block can have: more errors than detections, or less than nothing."""

    code = "link.impossible_statistics"


class BadProtocolError(RenkeiError):
    """Intensities or probabilities that are no decoy-state protocol."""

    code = "link.bad_protocol"


@dataclass(frozen=True, slots=True)
class Protocol:
    """What both sides agree on and anybody may know.

    Attributes:
        signal: mean photon number of a signal pulse, in (decoy, 2].
        decoy: mean photon number of a decoy pulse, above 0.
        p_signal: probability that a pulse is a signal, in (0, 1).
        p_key_basis: probability of the key basis, the same for both sides, in (0, 1).
    """

    signal: float = 0.4
    decoy: float = 0.14
    p_signal: float = 0.5
    p_key_basis: float = 0.76

    def __post_init__(self) -> None:
        """Refuse what is no protocol."""
        if not 0 < self.decoy < self.signal <= 2:
            raise BadProtocolError(
                gettext_noop(
                    "signal {signal} and decoy {decoy} photons a pulse: "
                    "expected 0 < decoy < signal <= 2"
                ),
                signal=self.signal,
                decoy=self.decoy,
            )
        for name, value in (("p_signal", self.p_signal), ("p_key_basis", self.p_key_basis)):
            if not 0 < value < 1:
                raise BadProtocolError(
                    gettext_noop("{name} is {value}: expected a probability between 0 and 1"),
                    name=name,
                    value=value,
                )

    @property
    def intensities(self) -> tuple[float, float]:
        """Mean photon numbers: signal, decoy."""
        return self.signal, self.decoy

    @property
    def weights(self) -> tuple[float, float]:
        """Probabilities of the intensities: signal, decoy."""
        return self.p_signal, 1 - self.p_signal


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted in one basis, by intensity (signal, decoy).

    Attributes:
        detections: events in which both sides used this basis.
        errors: those of them in which the bits differ.
    """

    detections: tuple[float, float]
    errors: tuple[float, float]

    def __post_init__(self) -> None:
        """Refuse what cannot be counted."""
        for seen, wrong in zip(self.detections, self.errors, strict=True):
            if not (isfinite(seen) and 0 <= wrong <= seen):
                raise ImpossibleStatisticsError(
                    gettext_noop(
                        "{errors} errors in {detections} detections: "
                        "expected 0 <= errors <= detections"
                    ),
                    errors=wrong,
                    detections=seen,
                )

    @property
    def error_rate(self) -> float:
        """Errors a detection, 0 where nothing was detected."""
        return sum(self.errors) / sum(self.detections) if sum(self.detections) else 0.0


@dataclass(frozen=True, slots=True)
class KeyLength:
    """How long the secret key is, and the bounds that it rests on.

    Attributes:
        bits: secret bits, 0 if the block holds none.
        single_photons: least number of single-photon events in the key basis.
        phase_error: greatest phase error rate of these; 0.5 when nothing is known.
    """

    bits: int
    single_photons: float
    phase_error: float


def binary_entropy(p: float) -> float:
    """Return h(p) in bits; 0 at 0 and 1."""
    return 0.0 if p <= 0 or p >= 1 else -p * log2(p) - (1 - p) * log2(1 - p)


def _photons(number: int, intensities: Sequence[float], weights: Sequence[float]) -> float:
    """Probability that a pulse holds ``number`` photons, over all intensities."""
    return sum(
        weight * exp(-mean) * mean**number / factorial(number)
        for mean, weight in zip(intensities, weights, strict=True)
    )


def _deviation(count: float, epsilon: float) -> float:
    return sqrt(count * log(1 / epsilon) / 2)


def _clipped(value: float, greatest: float) -> float:
    return min(max(value, 0.0), greatest)


def _single_photons(counts: Counts, protocol: Protocol, epsilon: float) -> float:
    """Least number of single-photon events in a basis (one decoy)."""
    high, low = protocol.intensities
    weights = protocol.weights
    total = sum(counts.detections)
    spread, error_spread = _deviation(total, epsilon), _deviation(sum(counts.errors), epsilon)
    tau_0, tau_1 = (_photons(n, protocol.intensities, weights) for n in (0, 1))
    vacuum = min(
        2 * (tau_0 * exp(mean) * _clipped(wrong + error_spread, total) / weight + spread)
        for mean, weight, wrong in zip(protocol.intensities, weights, counts.errors, strict=True)
    )
    return (
        high * tau_1 / (low * (high - low))
        * (
            exp(low) * _clipped(counts.detections[1] - spread, total) / weights[1]
            - (low / high) ** 2 * exp(high) * _clipped(counts.detections[0] + spread, total)
            / weights[0]
            - (high**2 - low**2) / (high**2 * tau_0) * _clipped(vacuum, total)
        )
    )  # fmt: skip


def _single_photon_errors(
    counts: Counts, protocol: Protocol, epsilon: float, *, clip: bool = True
) -> float:
    """Greatest number of errors among the single-photon events of a basis (one decoy).

    ``clip``: use that there are no fewer than no errors, as later analyses do.
    """
    high, low = protocol.intensities
    total = sum(counts.detections)
    spread = _deviation(sum(counts.errors), epsilon)
    most, least = counts.errors[0] + spread, counts.errors[1] - spread
    if clip:
        most, least = _clipped(most, total), _clipped(least, total)
    more = exp(high) * most / protocol.weights[0]
    less = exp(low) * least / protocol.weights[1]
    return _photons(1, protocol.intensities, protocol.weights) / (high - low) * (more - less)


def key_length(
    key: Counts,
    test: Counts,
    protocol: Protocol,
    *,
    disclosed_bits: float,
    epsilon_secret: float = 1e-12,
    epsilon_correct: float = 1e-12,
    verification_bits: float | None = None,
) -> KeyLength:
    """Return how many secret bits can be taken from a block.

    Args:
        key: what was counted in the key basis.
        test: what was counted in the test basis, all of it made public.
        protocol: intensities and probabilities.
        disclosed_bits: what reconciliation really told about the key.
        epsilon_secret: failure probability of secrecy, in (0, 1).
        epsilon_correct: failure probability of correctness, in (0, 1).
        verification_bits: bits of the verification tag; log2(2 / epsilon_correct) if not given.

    Returns:
        The length and its bounds. The vacuum term of the formula is left out, as its authors do.

    Source: arXiv:2405.16578v3 (one decoy); the terms are those of the code published with it.
    """
    epsilon = epsilon_secret / _TERMS
    ones = _single_photons(key, protocol, epsilon)
    tested = _single_photons(test, protocol, epsilon)
    if ones <= 0 or tested <= 0:
        return KeyLength(0, max(ones, 0.0), 0.5)
    # Serfling: from the errors of the test basis to those that the key basis would have shown
    wrong = max(_single_photon_errors(test, protocol, epsilon), 0.0) / tested
    spread = (ones + tested) / (ones * tested) * (tested + 1) / tested * log(1 / epsilon)
    phase_error = wrong + sqrt(spread)
    if phase_error >= 0.5:
        return KeyLength(0, ones, 0.5)
    verified = log2(2 / epsilon_correct) if verification_bits is None else verification_bits
    bits = (
        ones * (1 - binary_entropy(phase_error))
        - disclosed_bits
        - verified
        - 4 * log2(_TERMS / (epsilon_secret * 2**0.25))
    )
    return KeyLength(max(0, floor(bits)), ones, phase_error)


# --- for comparison: the formulas that most published curves were drawn with


def _gamma(epsilon: float, ratio: float, key: float, test: float, terms: int) -> float:
    """Random sampling without replacement, Lim et al., equation (5)."""
    spread = (key + test) * (1 - ratio) * ratio / (key * test * log(2))
    return sqrt(
        max(
            0.0,
            spread
            * log2((key + test) / (key * test * (1 - ratio) * ratio) * (terms / epsilon) ** 2),
        )
    )


@dataclass(frozen=True, slots=True)
class LimBounds:
    """What Lim et al. bound: vacuum and single-photon events of the key basis, phase error."""

    vacuum: float
    single_photons: float
    phase_error: float


def _lim_counts(
    detections: Sequence[float], means: Sequence[float], weights: Sequence[float], epsilon: float
) -> tuple[float, float]:
    """Least vacuum and single-photon events of a basis, Lim et al., equations (2) and (3)."""
    spread = _deviation(sum(detections), epsilon)
    factor = [exp(mean) / weight for mean, weight in zip(means, weights, strict=True)]
    more = [f * (n + spread) for f, n in zip(factor, detections, strict=True)]
    less = [f * (n - spread) for f, n in zip(factor, detections, strict=True)]
    one, two, three = means
    tau_0, tau_1 = (_photons(n, means, weights) for n in (0, 1))
    vacuum = max(0.0, tau_0 * (two * less[2] - three * more[1]) / (two - three))
    ones = (
        tau_1 * one
        * (less[1] - more[2] - (two**2 - three**2) / one**2 * (more[0] - vacuum / tau_0))
        / (one * (two - three) - two**2 + three**2)
    )  # fmt: skip
    return vacuum, max(0.0, ones)


def lim_bounds(
    key_detections: Sequence[float],
    test_detections: Sequence[float],
    test_errors: Sequence[float],
    *,
    means: Sequence[float],
    weights: Sequence[float],
    epsilon_secret: float,
) -> LimBounds:
    """Return the two-decoy bounds of Lim et al. (arXiv:1311.7129); all arguments by intensity.

    Args:
        key_detections: events of the key basis for the three intensities.
        test_detections: events of the test basis.
        test_errors: errors of the test basis.
        means: mean photon numbers, falling.
        weights: their probabilities.
        epsilon_secret: failure probability of secrecy.
    """
    epsilon = epsilon_secret / _TERMS_LIM
    vacuum, ones = _lim_counts(key_detections, means, weights, epsilon)
    _, tested = _lim_counts(test_detections, means, weights, epsilon)
    spread = _deviation(sum(test_errors), epsilon)
    more = exp(means[1]) / weights[1] * (test_errors[1] + spread)
    less = exp(means[2]) / weights[2] * (test_errors[2] - spread)
    wrong = _photons(1, means, weights) * (more - less) / (means[1] - means[2])
    if ones <= 0 or tested <= 0:
        return LimBounds(vacuum, ones, 0.5)
    ratio = max(wrong, 0.0) / tested
    if not 0 < ratio < 0.5:
        return LimBounds(vacuum, ones, 0.0 if ratio <= 0 else 0.5)
    return LimBounds(
        vacuum, ones, min(0.5, ratio + _gamma(epsilon_secret, ratio, tested, ones, _TERMS_LIM))
    )


def lim_key_length(
    bounds: LimBounds, *, disclosed_bits: float, epsilon_secret: float, epsilon_correct: float
) -> float:
    """Return the key length of Lim et al., equation (1), not rounded; negative: no key."""
    return (
        bounds.vacuum
        + bounds.single_photons * (1 - binary_entropy(bounds.phase_error))
        - disclosed_bits
        - 6 * log2(_TERMS_LIM / epsilon_secret)
        - log2(2 / epsilon_correct)
    )


def rusca_key_length(
    key: Counts,
    test: Counts,
    protocol: Protocol,
    *,
    disclosed_bits: float,
    epsilon_secret: float,
    epsilon_correct: float,
) -> float:
    """Return the one-decoy key length of Rusca et al. 2018 (arXiv:1801.03443), not rounded."""
    epsilon = epsilon_secret / _TERMS_RUSCA
    high, low = protocol.intensities
    ones = _single_photons(key, protocol, epsilon)
    tested = _single_photons(test, protocol, epsilon)
    if ones <= 0 or tested <= 0:
        return 0.0
    spread = _deviation(sum(key.detections), epsilon)
    less = exp(low) / protocol.weights[1] * (key.detections[1] - spread)
    more = exp(high) / protocol.weights[0] * (key.detections[0] + spread)
    tau_0 = _photons(0, protocol.intensities, protocol.weights)
    vacuum = max(0.0, tau_0 / (high - low) * (high * less - low * more))
    ratio = max(_single_photon_errors(test, protocol, epsilon, clip=False) / tested, 1e-12)
    if ratio >= 0.5:
        return 0.0
    phase_error = ratio + _gamma(epsilon_secret, ratio, tested, ones, _TERMS_RUSCA)
    if phase_error >= 0.5:
        return 0.0
    return (
        vacuum
        + ones * (1 - binary_entropy(phase_error))
        - disclosed_bits
        - 6 * log2(_TERMS_RUSCA / epsilon_secret)
        - log2(2 / epsilon_correct)
    )
