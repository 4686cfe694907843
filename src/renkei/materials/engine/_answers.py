"""What every answer is made of: an interval, a named input, a score that opens to its inputs."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from renkei.kit.errors import RenkeiError, gettext_noop


class BadFigureError(RenkeiError):
    """A figure that cannot be one: negative, infinite, not a number, outside its range."""

    code = "materials.bad_figure"


class UnknownCountryError(RenkeiError):
    """What stands where a country should is no ISO 3166-1 alpha-3 code."""

    code = "materials.unknown_country"


@dataclass(frozen=True, slots=True)
class Bounds:
    """An interval that holds the true value; both ends are equal when nothing is open."""

    low: float
    high: float

    @property
    def is_exact(self) -> bool:
        """Tell whether there is nothing between the ends."""
        return self.low == self.high

    @classmethod
    def exactly(cls, value: float) -> "Bounds":
        """Return the interval of one value."""
        return cls(value, value)


@dataclass(frozen=True, slots=True)
class Input:
    """One figure that went into a score."""

    name: str
    value: Bounds
    unit: str


@dataclass(frozen=True, slots=True)
class Score:
    """A figure with everything that it was made of.

    ``formula`` names the inputs; ``source`` is where the formula stands; ``is_notable`` tells
    whether the value may reach the published threshold (None: there is no threshold).
    """

    name: str
    value: Bounds
    unit: str
    inputs: tuple[Input, ...]
    formula: str
    source: str
    is_notable: bool | None = None


def bounds(value: "float | Bounds") -> Bounds:
    """Return an interval of a number or of an interval."""
    return value if isinstance(value, Bounds) else Bounds.exactly(float(value))


def figure(
    value: "float | Bounds", *, what: str, least: float = 0.0, most: float = math.inf
) -> Bounds:
    """Return ``value`` as an interval inside ``least`` … ``most``.

    Raises:
        BadFigureError: it is not a finite number there, or its ends are the wrong way round.
    """
    found = bounds(value)
    for end in (found.low, found.high):
        if not math.isfinite(end) or not least <= end <= most:
            raise BadFigureError(
                gettext_noop("{what} is {value}: expected a number from {least} to {most}"),
                what=what,
                value=end,
                least=least,
                most=most,
            )
    if found.low > found.high:
        raise BadFigureError(
            gettext_noop("{what}: the lower bound {low} is above the upper bound {high}"),
            what=what,
            low=found.low,
            high=found.high,
        )
    return found


def check_countries(codes: Iterable[str]) -> None:
    """Refuse what is not shaped like an ISO 3166-1 alpha-3 code, with its row.

    ``WLD`` and empty codes are no countries: totals and "other countries" have arguments of
    their own.
    """
    for row, code in enumerate(codes):
        shaped = len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()
        if not shaped or code == "WLD":
            raise UnknownCountryError(
                gettext_noop("row {row}: {code!r} is no country: expected an ISO 3166 code as CHN"),
                row=row,
                code=code,
            )


def check_quantities(quantities: Mapping[str, float], *, what: str) -> None:
    """Refuse a quantity that is negative, infinite or not a number, with its country and row."""
    for row, (name, value) in enumerate(quantities.items()):
        if not (math.isfinite(value) and value >= 0):
            raise BadFigureError(
                gettext_noop("row {row}: {what} of {name} is {value}: expected 0 or more"),
                row=row,
                what=what,
                name=name,
                value=value,
            )
