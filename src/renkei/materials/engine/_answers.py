"""What every answer is made of: an interval, a named input, a score that opens to its inputs."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self, SupportsFloat

from renkei.kit.errors import RenkeiError, gettext_noop

# ISO 3166-1 alpha-3 codes of 2026, and XKX, which statistics use for Kosovo.
COUNTRY_CODES: Final = frozenset(
    [
        "ABW",
        "AFG",
        "AGO",
        "AIA",
        "ALA",
        "ALB",
        "AND",
        "ARE",
        "ARG",
        "ARM",
        "ASM",
        "ATA",
        "ATF",
        "ATG",
        "AUS",
        "AUT",
        "AZE",
        "BDI",
        "BEL",
        "BEN",
        "BES",
        "BFA",
        "BGD",
        "BGR",
        "BHR",
        "BHS",
        "BIH",
        "BLM",
        "BLR",
        "BLZ",
        "BMU",
        "BOL",
        "BRA",
        "BRB",
        "BRN",
        "BTN",
        "BVT",
        "BWA",
        "CAF",
        "CAN",
        "CCK",
        "CHE",
        "CHL",
        "CHN",
        "CIV",
        "CMR",
        "COD",
        "COG",
        "COK",
        "COL",
        "COM",
        "CPV",
        "CRI",
        "CUB",
        "CUW",
        "CXR",
        "CYM",
        "CYP",
        "CZE",
        "DEU",
        "DJI",
        "DMA",
        "DNK",
        "DOM",
        "DZA",
        "ECU",
        "EGY",
        "ERI",
        "ESH",
        "ESP",
        "EST",
        "ETH",
        "FIN",
        "FJI",
        "FLK",
        "FRA",
        "FRO",
        "FSM",
        "GAB",
        "GBR",
        "GEO",
        "GGY",
        "GHA",
        "GIB",
        "GIN",
        "GLP",
        "GMB",
        "GNB",
        "GNQ",
        "GRC",
        "GRD",
        "GRL",
        "GTM",
        "GUF",
        "GUM",
        "GUY",
        "HKG",
        "HMD",
        "HND",
        "HRV",
        "HTI",
        "HUN",
        "IDN",
        "IMN",
        "IND",
        "IOT",
        "IRL",
        "IRN",
        "IRQ",
        "ISL",
        "ISR",
        "ITA",
        "JAM",
        "JEY",
        "JOR",
        "JPN",
        "KAZ",
        "KEN",
        "KGZ",
        "KHM",
        "KIR",
        "KNA",
        "KOR",
        "KWT",
        "LAO",
        "LBN",
        "LBR",
        "LBY",
        "LCA",
        "LIE",
        "LKA",
        "LSO",
        "LTU",
        "LUX",
        "LVA",
        "MAC",
        "MAF",
        "MAR",
        "MCO",
        "MDA",
        "MDG",
        "MDV",
        "MEX",
        "MHL",
        "MKD",
        "MLI",
        "MLT",
        "MMR",
        "MNE",
        "MNG",
        "MNP",
        "MOZ",
        "MRT",
        "MSR",
        "MTQ",
        "MUS",
        "MWI",
        "MYS",
        "MYT",
        "NAM",
        "NCL",
        "NER",
        "NFK",
        "NGA",
        "NIC",
        "NIU",
        "NLD",
        "NOR",
        "NPL",
        "NRU",
        "NZL",
        "OMN",
        "PAK",
        "PAN",
        "PCN",
        "PER",
        "PHL",
        "PLW",
        "PNG",
        "POL",
        "PRI",
        "PRK",
        "PRT",
        "PRY",
        "PSE",
        "PYF",
        "QAT",
        "REU",
        "ROU",
        "RUS",
        "RWA",
        "SAU",
        "SDN",
        "SEN",
        "SGP",
        "SGS",
        "SHN",
        "SJM",
        "SLB",
        "SLE",
        "SLV",
        "SMR",
        "SOM",
        "SPM",
        "SRB",
        "SSD",
        "STP",
        "SUR",
        "SVK",
        "SVN",
        "SWE",
        "SWZ",
        "SYC",
        "SYR",
        "TCA",
        "TCD",
        "TGO",
        "THA",
        "TJK",
        "TKL",
        "TKM",
        "TLS",
        "TON",
        "TTO",
        "TUN",
        "TUR",
        "TUV",
        "TWN",
        "TZA",
        "UGA",
        "UKR",
        "UMI",
        "URY",
        "USA",
        "UZB",
        "VAT",
        "VCT",
        "VEN",
        "VGB",
        "VIR",
        "VNM",
        "VUT",
        "WLF",
        "WSM",
        "YEM",
        "ZAF",
        "ZMB",
        "ZWE",
        "XKX",
    ]
)


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
    found = value if isinstance(value, Bounds) else Bounds.exactly(value)
    for end in (found.low, found.high):
        if not is_number(end) or not least <= end <= most:
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


class Remark(str):
    """What had to be assumed, in English; ``template`` and ``values`` let others say it elsewhere.

    In ``values``, ``stage`` is a stage and ``countries`` holds ISO 3166-1 codes with spaces between.
    """

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, str]

    def __new__(cls, template: str, **values: str) -> Self:
        """Return the sentence with its places filled."""
        made = super().__new__(cls, template.format(**values))
        made.template, made.values = template, values
        return made


def check_countries(codes: Iterable[str]) -> None:
    """Refuse what is no ISO 3166-1 alpha-3 code, with its row.

    ``WLD`` and empty codes are no countries: totals and "other countries" have arguments of
    their own.
    """
    for row, code in enumerate(codes):
        if code not in COUNTRY_CODES:
            raise UnknownCountryError(
                gettext_noop("row {row}: {code!r} is no country: expected an ISO 3166 code as CHN"),
                row=row,
                code=code,
            )


def is_number(value: object) -> bool:
    """Tell whether something is a finite number: "W", "1,000" and None are none."""
    return isinstance(value, SupportsFloat) and math.isfinite(value)


def check_quantities(quantities: Mapping[str, float], *, what: str) -> None:
    """Refuse a quantity that is negative, infinite or not a number, with its country and row."""
    for row, (name, value) in enumerate(quantities.items()):
        if not (is_number(value) and value >= 0):
            raise BadFigureError(
                gettext_noop("row {row}: {what} of {name} is {value}: expected 0 or more"),
                row=row,
                what=what,
                name=name,
                value=value,
            )
