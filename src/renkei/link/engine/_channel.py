"""The fibre in numbers: how often a detector clicks, how often wrongly, and what physics allows.

``gain_and_error`` is the closed form that curves are drawn with; ``click_table`` is exact for two
threshold detectors and any photon-number dependent loss, and feeds the simulation.
"""

from dataclasses import dataclass
from math import ceil, comb, exp, expm1, factorial, inf, log, log1p
from typing import Final

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link.engine._finite_key import (
    Counts,
    ImpossibleStatisticsError,
    KeyLength,
    Protocol,
    binary_entropy,
    key_length,
)

_MOST_PHOTONS: Final = 24  # a pulse of mean 2 holds more once in 10^17
_MOST_PULSES: Final = 2.0**55  # a year at 1 GHz


class BadFibreError(RenkeiError):
    """A property of the fibre or of an eavesdropper is out of its range."""

    code = "link.bad_fibre"


class DeadFibreError(RenkeiError):
    """The line gives so few detections that a block would never be full."""

    code = "link.dead_fibre"
    status = 503


def _check(name: str, value: float, least: float, greatest: float) -> None:
    if not least <= value <= greatest:
        raise BadFibreError(
            gettext_noop("{name} is {value}: expected {least} to {greatest}"),
            name=name,
            value=value,
            least=least,
            greatest=greatest,
        )


@dataclass(frozen=True, slots=True)
class Fibre:
    """A fibre with its transmitter and its receiver.

    Attributes:
        distance_km: length, 0 to 1000.
        attenuation_db_per_km: loss, 0 to 10; 0.2 is common, 0.17 good.
        pulse_hz: pulses a second.
        detector_efficiency: from the receiver's input to a click, in (0, 1].
        dark_probability: of one detector in one pulse slot.
        misalignment: share of the light that reaches the wrong detector.
        afterpulse: probability that a click is followed by a false one.
        dead_slots: slots in which both detectors are blind after any click.
        extinction_db: how well the transmitter suppresses the wrong state; adds to misalignment.
        drift: change of the misalignment over one block.
    """

    distance_km: float = 50.0
    attenuation_db_per_km: float = 0.2
    pulse_hz: float = 1e9
    detector_efficiency: float = 0.2
    dark_probability: float = 1e-7
    misalignment: float = 0.01
    afterpulse: float = 0.01
    dead_slots: int = 10
    extinction_db: float = 25.0
    drift: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no fibre is."""
        for name, least, greatest in (
            ("distance_km", 0, 1000),
            ("attenuation_db_per_km", 0, 10),
            ("pulse_hz", 1, 1e12),
            ("detector_efficiency", 1e-6, 1),
            ("dark_probability", 0, 0.1),
            ("misalignment", 0, 0.5),
            ("afterpulse", 0, 0.5),
            ("dead_slots", 0, 1e6),
            ("extinction_db", 0, 200),
            ("drift", -0.5, 0.5),
        ):
            _check(name, getattr(self, name), least, greatest)

    @property
    def loss_db(self) -> float:
        """Loss of the fibre alone."""
        return self.distance_km * self.attenuation_db_per_km

    @property
    def transmittance(self) -> float:
        """Probability that a photon sent makes a click, the detector included."""
        return float(10 ** (-self.loss_db / 10)) * self.detector_efficiency

    @property
    def optical_error(self) -> float:
        """Share of the light at the wrong detector, from misalignment and extinction together."""
        leak = 10 ** (-self.extinction_db / 10)
        return self.misalignment * (1 - leak) + leak * (1 - self.misalignment)


@dataclass(frozen=True, slots=True)
class Eavesdropper:
    """What somebody on the line does; nothing by default. All shares are in [0, 1].

    Attributes:
        intercept: share of the pulses measured in a random basis and sent again.
        split: photon-number splitting: share of the single photons blocked; of more photons one
            is kept and the rest forwarded with little enough loss that the gain looks as before.
        burst_error: error rate added by a disturbance.
        burst_share: share of the block that the disturbance lasts.
    """

    intercept: float = 0.0
    split: float = 0.0
    burst_error: float = 0.0
    burst_share: float = 0.0

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        for name in ("intercept", "split", "burst_error", "burst_share"):
            _check(name, getattr(self, name), 0, 1)


def gain_and_error(mean_photons: float, fibre: Fibre) -> tuple[float, float]:
    """Return (clicks a pulse, errors a pulse) of pulses with this mean photon number.

    Source: Lim et al., arXiv:1311.7129, section V, with the total transmittance in the
    misalignment term, as it must be; dead time is not in it.
    """
    light = -expm1(-fibre.transmittance * mean_photons)
    clicks = light + 2 * fibre.dark_probability * (1 - light)
    errors = fibre.dark_probability + fibre.optical_error * light + fibre.afterpulse * clicks / 2
    return clicks * (1 + fibre.afterpulse), errors


@dataclass(frozen=True, slots=True)
class Rate:
    """A point of a curve.

    Attributes:
        bits_per_second: secret bits a second, 0 if there is no key.
        bits_per_pulse: the same a pulse.
        plob: the most that any protocol without a repeater could have a pulse.
        error_rate: of the key basis.
        seconds: how long a block takes to collect.
        length: the key length and its bounds.
    """

    bits_per_second: float
    bits_per_pulse: float
    plob: float
    error_rate: float
    seconds: float
    length: KeyLength


def plob(loss_db: float) -> float:
    """Return the greatest secret bits a pulse over a loss without a repeater.

    Source: Pirandola, Laurenza, Ottaviani and Banchi, Nat. Commun. 8, 15043 (2017): -log2(1 - η).
    """
    transmittance = 10 ** (-loss_db / 10)
    return inf if transmittance >= 1 else -log1p(-transmittance) / log(2)


def expected_counts(protocol: Protocol, fibre: Fibre, pulses: float) -> tuple[Counts, Counts]:
    """Return the counts of key and test basis to expect from so many pulses."""
    pairs = [gain_and_error(mean, fibre) for mean in protocol.intensities]
    counted = []
    for p_basis in (protocol.p_key_basis, 1 - protocol.p_key_basis):
        sent = [pulses * weight * p_basis**2 for weight in protocol.weights]
        detections = [n * gain for n, (gain, _) in zip(sent, pairs, strict=True)]
        errors = [n * min(wrong, gain) for n, (gain, wrong) in zip(sent, pairs, strict=True)]
        counted.append(Counts((detections[0], detections[1]), (errors[0], errors[1])))
    return counted[0], counted[1]


def secret_rate(
    protocol: Protocol,
    fibre: Fibre,
    *,
    matched: float,
    inefficiency: float = 1.16,
    epsilon_secret: float = 1e-12,
    epsilon_correct: float = 1e-12,
) -> Rate:
    """Return the secret rate to expect from blocks of ``matched`` detections in equal bases.

    ``inefficiency`` is the factor f of reconciliation: f h(error rate) bits a key bit are
    disclosed. A real block uses what it really disclosed.

    Raises:
        ImpossibleStatisticsError: there is no block of so many detections.
    """
    if not (0 < matched < inf):
        raise ImpossibleStatisticsError(
            gettext_noop("a block of {matched} detections: expected a number above 0"),
            matched=matched,
        )
    gain = sum(
        weight * gain_and_error(mean, fibre)[0]
        for mean, weight in zip(protocol.intensities, protocol.weights, strict=True)
    )
    if gain == 0:
        return Rate(0.0, 0.0, plob(fibre.loss_db), 0.0, inf, KeyLength(0, 0.0, 0.5))
    same_basis = protocol.p_key_basis**2 + (1 - protocol.p_key_basis) ** 2
    pulses = matched / (gain * same_basis)
    key, test = expected_counts(protocol, fibre, pulses)
    length = key_length(
        key,
        test,
        protocol,
        disclosed_bits=inefficiency * binary_entropy(key.error_rate) * sum(key.detections),
        epsilon_secret=epsilon_secret,
        epsilon_correct=epsilon_correct,
    )
    # Blind slots after each click stretch the time, not the block.
    seconds = pulses * (1 + gain * fibre.dead_slots) / fibre.pulse_hz
    per_second = length.bits / seconds
    return Rate(
        bits_per_second=per_second,
        bits_per_pulse=per_second / fibre.pulse_hz,
        plob=plob(fibre.loss_db),
        error_rate=key.error_rate,
        seconds=seconds,
        length=length,
    )


def _outcomes(
    mean: float, arriving: NDArray[np.float64], dark: float, wrong_share: float
) -> tuple[float, float, float]:
    """Return (click, error, double click) probabilities of a pulse in the right basis.

    Args:
        mean: mean photon number sent.
        arriving: probability of each number of photons seen, by the number sent, shape (n, n).
        dark: dark probability of one detector.
        wrong_share: share of the light at the wrong detector.
    """
    sent = np.array([exp(-mean) * mean**n / factorial(n) for n in range(_MOST_PHOTONS)])
    seen = sent @ arriving
    numbers = np.arange(_MOST_PHOTONS)
    none_right = (1 - dark) * float(seen @ wrong_share**numbers)
    none_wrong = (1 - dark) * float(seen @ (1 - wrong_share) ** numbers)
    none = (1 - dark) ** 2 * float(seen[0])
    double = 1 - none_right - none_wrong + none
    # A double click becomes a random bit: dropping it would open the door to blinding.
    return 1 - none, none_right - none + double / 2, double


def _thinned(transmittance: float, kept_by_eve: int = 0) -> NDArray[np.float64]:
    """Return the probability of seeing k of n photons, shape (n, k)."""
    table = np.zeros((_MOST_PHOTONS, _MOST_PHOTONS))
    for sent in range(_MOST_PHOTONS):
        left = max(sent - kept_by_eve, 0)
        for seen in range(left + 1):
            table[sent, seen] = (
                comb(left, seen) * transmittance**seen * (1 - transmittance) ** (left - seen)
            )
    return table


def _arrivals(fibre: Fibre, eavesdropper: Eavesdropper, signal: float) -> NDArray[np.float64]:
    honest = _thinned(fibre.transmittance)
    if not eavesdropper.split:
        return honest
    wanted = _outcomes(signal, honest, fibre.dark_probability, 0.0)[0]

    def attacked(transmittance: float) -> NDArray[np.float64]:
        table = _thinned(transmittance, kept_by_eve=1)
        table[:2] = honest[:2]
        # A blocked single photon looks like an empty pulse.
        table[1] = (1 - eavesdropper.split) * honest[1] + eavesdropper.split * honest[0]
        return table

    low, high = 0.0, fibre.detector_efficiency  # she may replace the fibre, not the detectors
    for _ in range(60):
        middle = (low + high) / 2
        if _outcomes(signal, attacked(middle), fibre.dark_probability, 0.0)[0] < wanted:
            low = middle
        else:
            high = middle
    return attacked(high)


def click_table(
    protocol: Protocol, fibre: Fibre, eavesdropper: Eavesdropper, *, place: float
) -> NDArray[np.float64]:
    """Return what happens to a pulse, by intensity; shape (2, 5).

    Args:
        protocol: intensities.
        fibre: losses and noise.
        eavesdropper: what is done on the way.
        place: where in the block, in [0, 1]: drift and bursts depend on it.

    Returns:
        Columns: probability of a click; then, given a click, of an error in equal bases, of a
        double click in equal bases, of a double click in unequal bases, and 1/2, the error in
        unequal bases.
    """
    wrong = min(max(fibre.optical_error + fibre.drift * place, 0.0), 0.5)
    arriving = _arrivals(fibre, eavesdropper, protocol.signal)
    table = np.zeros((2, 5))
    begins = 0.5 - eavesdropper.burst_share / 2
    disturbed = begins <= place < begins + eavesdropper.burst_share
    for row, mean in enumerate(protocol.intensities):
        click, error, double = _outcomes(mean, arriving, fibre.dark_probability, wrong)
        _, _, crossed = _outcomes(mean, arriving, fibre.dark_probability, 0.5)
        rate = error / click
        # Whoever measures in the wrong basis, half of the time, sends a random bit on.
        rate = rate * (1 - eavesdropper.intercept / 2) + eavesdropper.intercept / 4
        if disturbed:
            rate = rate + eavesdropper.burst_error * (1 - 2 * rate)
        table[row] = click, rate, double / click, crossed / click, 0.5
    return table


def pulses_for(protocol: Protocol, fibre: Fibre, key_bits: int) -> int:
    """Return how many pulses give so many key-basis detections in the mean.

    Raises:
        DeadFibreError: if no time would be long enough.
    """
    key, _ = expected_counts(protocol, fibre, 1.0)
    if sum(key.detections) * _MOST_PULSES < key_bits:
        raise DeadFibreError(
            gettext_noop("over {distance_km} km nothing arrives"), distance_km=fibre.distance_km
        )
    return ceil(key_bits / sum(key.detections))
