"""One description of a disruption, read by all three engines.

A ``Disruption`` says what stops, where, from when and for how long. ``remaining_trade`` turns it
into what is left of each flow, ``remaining_production`` of each producer, ``remaining_capacity``
of each firm. ``effect`` tells whether anything is hit at all: a scenario of zero effect is a
mistake more often than good news.
"""

import heapq
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._answers import check_countries

DisruptionKind = Literal[
    "export_ban",
    "export_quota",
    "mine_out",
    "refinery_out",
    "strait_closed",
    "cyber_attack",
    "price_shock",
]
KINDS: Final[tuple[str, ...]] = get_args(DisruptionKind)
_SETS: Final = (
    "countries",
    "importers",
    "materials",
    "stages",
    "codes",
    "sites",
    "firms",
    "straits",
)
_STAGE_OF_OUTAGE: Final = {"mine_out": "mine", "refinery_out": "refine"}

# Basins of the sea, and what stands between them: (basin, basin, nautical miles between usual
# ports, strait or ""). Distances are rounded to 500 miles from public port-distance tables:
# they serve to choose a way round, not to plan a voyage.
SEAWAYS: Final[tuple[tuple[str, str, int, str], ...]] = (
    ("persian_gulf", "arabian_sea", 1000, "hormuz"),
    ("red_sea", "arabian_sea", 1500, "bab_el_mandeb"),
    ("red_sea", "mediterranean", 1500, "suez"),
    ("black_sea", "mediterranean", 1000, "bosporus"),
    ("mediterranean", "north_atlantic_east", 2000, "gibraltar"),
    ("baltic", "north_atlantic_east", 1500, "danish_straits"),
    ("north_atlantic_east", "north_atlantic_west", 3500, ""),
    ("north_atlantic_east", "south_atlantic", 4500, ""),
    ("north_atlantic_west", "caribbean", 1500, ""),
    ("caribbean", "south_atlantic", 3500, ""),
    ("caribbean", "pacific_east", 2500, "panama"),
    ("south_atlantic", "pacific_east", 5500, ""),
    ("south_atlantic", "indian_ocean", 4500, ""),
    ("indian_ocean", "arabian_sea", 2500, ""),
    ("arabian_sea", "south_china_sea", 4000, "malacca"),
    ("indian_ocean", "south_china_sea", 5000, "lombok"),
    ("indian_ocean", "australia", 4000, ""),
    ("australia", "south_china_sea", 3500, ""),
    ("australia", "pacific_open", 3500, ""),
    ("south_china_sea", "north_east_asia", 1500, "taiwan_strait"),
    ("south_china_sea", "north_east_asia", 2000, "luzon"),
    ("pacific_open", "north_east_asia", 3000, ""),
    ("pacific_open", "pacific_east", 4500, ""),
    ("north_east_asia", "pacific_east", 5000, ""),
    ("australia", "pacific_east", 7000, ""),
)
STRAITS: Final = frozenset(strait for *_ends, strait in SEAWAYS if strait)
MOST_DAYS: Final = 36_525  # a hundred years; what has no end has no days
KNOTS: Final = 13.0  # usual speed of a laden bulk carrier

# Where a country's ports are. Landlocked countries use their usual neighbours' ports.
_PORTS: Final[Mapping[str, str]] = {
    "persian_gulf": "BHR IRN IRQ KWT QAT ARE",
    "arabian_sea": "OMN IND PAK LKA MDV AFG",
    "red_sea": "ERI SDN DJI ETH JOR SAU YEM EGY",
    "mediterranean": "ALB DZA BIH CYP EGY FRA GIB GRC HRV ISR ITA LBN LBY MAR MKD MLT MNE SMR ESP"
    " SRB SVN SYR TUN TUR XKX AND VAT PSE",
    "black_sea": "BGR GEO MDA ROU RUS UKR ARM AZE TUR",
    "baltic": "DNK EST FIN LTU LVA POL RUS SWE DEU BLR",
    "north_atlantic_east": "AUT BEL CHE CZE DEU DNK ESP FRA FRO GBR GRL HUN IRL ISL LIE LUX MAR"
    " NLD NOR PRT SVK CPV SEN GMB GNB GIN SLE LBR MRT MLI",
    "north_atlantic_west": "CAN USA BMU",
    "caribbean": "ABW ATG BHS BLZ BRB COL CRI CUB CUW CYM DMA DOM GRD GTM GUY HND HTI JAM KNA LCA"
    " MEX NIC PAN SUR TTO VCT VEN USA PRI",
    "south_atlantic": "AGO ARG BEN BFA BOL BRA CAF CIV CMR COD COG GAB GHA GNQ NAM NER NGA PRY STP"
    " TCD TGO URY ZAF",
    "pacific_east": "CAN CHL COL CRI ECU GTM MEX NIC PAN PER SLV USA BOL",
    "indian_ocean": "BDI BWA COM KEN LSO MDG MOZ MUS MWI RWA SOM SSD SWZ SYC TZA UGA ZAF ZMB ZWE"
    " COD",
    "australia": "AUS NZL",
    "pacific_open": "FJI FSM KIR MHL NCL NRU PLW PNG PYF SLB TON TUV VUT WSM",
    "south_china_sea": "BGD BRN BTN HKG IDN KHM LAO MAC MMR MYS NPL PHL SGP THA TLS VNM",
    "north_east_asia": "CHN HKG JPN KOR MNG PRK RUS TWN KAZ KGZ TJK TKM UZB",
}
_BASINS: Final[Mapping[str, tuple[str, ...]]] = {
    country: tuple(basin for basin, found in _PORTS.items() if country in found.split())
    for names in _PORTS.values()
    for country in names.split()
}
# Neighbours that trade by rail, road or pipe whatever happens at sea.
_BY_LAND: Final = frozenset(
    frozenset(pair.split("-"))
    for pair in [
        "CHN-RUS",
        "CHN-KAZ",
        "CHN-MNG",
        "CHN-VNM",
        "CHN-MMR",
        "CHN-LAO",
        "CHN-KGZ",
        "CHN-TJK",
        "CHN-HKG",
        "CHN-PRK",
        "CAN-USA",
        "MEX-USA",
        "DEU-FRA",
        "DEU-POL",
        "DEU-NLD",
        "DEU-BEL",
        "DEU-AUT",
        "DEU-CHE",
        "DEU-CZE",
        "FRA-BEL",
        "FRA-ESP",
        "FRA-ITA",
        "FRA-CHE",
        "ESP-PRT",
        "AUT-ITA",
        "AUT-HUN",
        "RUS-KAZ",
        "RUS-BLR",
        "RUS-UKR",
        "RUS-FIN",
        "NOR-SWE",
        "SWE-FIN",
        "COD-ZMB",
        "ZMB-ZWE",
        "ZWE-ZAF",
        "ZAF-NAM",
        "ZAF-BWA",
        "ZAF-MOZ",
        "IND-NPL",
        "IND-BGD",
        "BRA-ARG",
        "ARG-CHL",
        "PER-BOL",
        "CHL-BOL",
        "THA-LAO",
        "THA-MYS",
        "MYS-SGP",
        "MMR-THA",
        "KAZ-UZB",
        "IRQ-TUR",
        "IRN-TUR",
    ]
)


class BadDisruptionError(RenkeiError):
    """A disruption that cannot be: what is wrong with it is named by its field."""

    code = "materials.bad_disruption"


class ZeroEffectError(RenkeiError):
    """A scenario that hits nothing."""

    code = "materials.zero_effect"


@dataclass(frozen=True, slots=True)
class Disruption:
    """What stops, where, from when, for how long.

    An empty set means "all": no materials named, all materials; no importers named, everybody.

    Attributes:
        kind: ``export_ban``, ``export_quota`` (``severity`` is the share cut), ``mine_out``,
            ``refinery_out``, ``strait_closed``, ``cyber_attack`` (on ``firms``), ``price_shock``
            (``severity`` is the rise of the price: 0.5 is half as much again).
        start: first day.
        days: how long; None is beyond any horizon.
        severity: share of what is named that is lost, 0 … 1; above 1 for a price alone.
        countries: exporters, or where mines, refineries and firms stand; of a closed strait,
            whose ships, none: everybody's.
        importers: to whom exports stop.
        origin_rule: a ban also stops what others re-export (needs origin tracing: ``_flows``).
    """

    kind: DisruptionKind
    start: date
    days: int | None = None
    severity: float = 1.0
    countries: frozenset[str] = frozenset()
    importers: frozenset[str] = frozenset()
    materials: frozenset[str] = frozenset()
    stages: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    firms: frozenset[str] = frozenset()
    straits: frozenset[str] = frozenset()
    origin_rule: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be; sets may be given as any collection of strings."""
        for field in _SETS:
            given: Collection[str] = getattr(self, field)
            if isinstance(given, str):
                raise BadDisruptionError(
                    gettext_noop("{field} is the text {value!r}: expected a collection"),
                    field=field,
                    value=given,
                )
            object.__setattr__(self, field, frozenset(given))
        self._check()

    @property
    def end(self) -> date | None:
        """Return the first day it is over, or None."""
        return None if self.days is None else self.start + timedelta(days=int(self.days))

    def overlap(self, since: date, until: date) -> float:
        """Return the share of a period [since, until) during which it acts, 0 … 1."""
        length = (until - since).days
        if length <= 0:
            return 0.0
        first = max(since, self.start)
        last = until if self.end is None else min(until, self.end)
        return max(0, (last - first).days) / length

    def concerns(self, material: str, stage: str = "", code: str = "") -> bool:
        """Tell whether a material, stage and code are among those named."""
        stage_of_kind = _STAGE_OF_OUTAGE.get(self.kind)
        return (
            (not self.materials or material in self.materials)
            and (not self.stages or not stage or stage in self.stages)
            and (stage_of_kind is None or not stage or stage == stage_of_kind or bool(self.stages))
            and (not self.codes or not code or code in self.codes)
        )

    def _check(self) -> None:
        if self.kind not in KINDS:
            raise BadDisruptionError(
                gettext_noop("kind is {kind!r}: expected one of {kinds}"),
                kind=self.kind,
                kinds=", ".join(KINDS),
            )
        most = math.inf if self.kind == "price_shock" else 1.0
        if not (math.isfinite(self.severity) and 0 <= self.severity <= most):
            raise BadDisruptionError(
                gettext_noop("severity is {severity}: expected 0 to {most}"),
                severity=self.severity,
                most=most,
            )
        if not isinstance(self.start, date) or isinstance(
            self.start, datetime
        ):  # a time of day, or a text, compares with no day
            raise BadDisruptionError(
                gettext_noop("start is {start!r}: expected a date such as date(2027, 1, 1)"),
                start=self.start,
            )
        if self.days is not None and not (
            isinstance(self.days, int | np.integer) and 1 <= self.days <= MOST_DAYS
        ):
            raise BadDisruptionError(
                gettext_noop("days is {days}: expected a whole number from 1 to {most}"),
                days=self.days,
                most=MOST_DAYS,
            )
        check_countries(sorted(self.countries | self.importers))
        if unknown := self.straits - STRAITS:
            raise BadDisruptionError(
                gettext_noop("{strait!r} is no strait we know: expected one of {straits}"),
                strait=min(unknown),
                straits=", ".join(sorted(STRAITS)),
            )
        asked = {
            "strait_closed": (
                self.straits,
                gettext_noop("straits: name the strait that is closed"),
            ),
            "cyber_attack": (self.firms, gettext_noop("firms: name the firms that are attacked")),
            "price_shock": (self.materials, gettext_noop("materials: name whose price rises")),
        }
        named, sentence = asked.get(
            self.kind,
            (self.countries or self.sites, gettext_noop("countries: name where it happens")),
        )
        if not named:
            raise BadDisruptionError(sentence)


@dataclass(frozen=True, slots=True)
class SeaRoute:
    """The shortest way by sea between two countries: miles, and the straits that it passes."""

    miles: float
    straits: frozenset[str]


def sea_route(exporter: str, importer: str, *, closed: Collection[str] = ()) -> SeaRoute | None:
    """Return the shortest way that avoids closed straits, or None where there is no way.

    Countries whose ports we do not know have no route either: callers keep such flows whole and
    say so.
    """
    return _route(exporter, importer, frozenset(closed))


@lru_cache(maxsize=2**18)
def _route(exporter: str, importer: str, closed: frozenset[str]) -> SeaRoute | None:
    # Each pair of countries is asked for in every period, of every material.
    starts, goals = _BASINS.get(exporter, ()), set(_BASINS.get(importer, ()))
    reached: dict[str, tuple[float, frozenset[str]]] = {}
    queue: list[tuple[float, str, tuple[str, ...]]] = [(500.0, basin, ()) for basin in starts]
    heapq.heapify(queue)
    while queue:
        miles, basin, passed = heapq.heappop(queue)
        if basin in reached:
            continue
        reached[basin] = (miles, frozenset(passed))
        if basin in goals:
            return SeaRoute(miles, frozenset(passed))
        for one, other, length, strait in SEAWAYS:
            if strait in closed and strait:
                continue
            if basin in (one, other):
                onward = other if basin == one else one
                way = (*passed, strait) if strait else passed
                heapq.heappush(queue, (miles + length, onward, way))
    return None


def without_ports(countries: Iterable[str]) -> list[str]:
    """Return the countries whose way by sea we do not know: closing a strait spares them."""
    return [country for country in countries if country not in _BASINS]


def detour(exporter: str, importer: str, straits: Collection[str]) -> float:
    """Return the days that closing straits adds to the voyage; infinite if there is no way.

    0 for neighbours by land, for flows that pass elsewhere and for ports we do not know.
    """
    if frozenset((exporter, importer)) in _BY_LAND or exporter == importer:
        return 0.0
    usual = sea_route(exporter, importer)
    if usual is None or not usual.straits & set(straits):
        return 0.0
    found = sea_route(exporter, importer, closed=straits)
    return math.inf if found is None else (found.miles - usual.miles) / (KNOTS * 24)


def remaining_trade(
    disruptions: Sequence[Disruption],
    *,
    material: str,
    stage: str,
    countries: Sequence[str],
    since: date,
    until: date,
    code: str = "",
) -> NDArray[np.float64]:
    """Return the share of each flow that is left in a period, shape (exporters, importers).

    Several disruptions multiply: what is left of one may be hit by the next.
    """
    n = len(countries)
    left = np.ones((n, n))
    for one in disruptions:
        share = one.severity * one.overlap(since, until)
        if share == 0 or not one.concerns(material, stage, code):
            continue
        if one.kind in ("export_ban", "export_quota"):
            left[np.ix_(*_ban(one, countries))] *= 1 - share
        elif one.kind == "strait_closed":
            length = max(1, (until - since).days)
            for i, exporter in enumerate(countries):
                for j, importer in enumerate(countries):
                    if i == j or (one.importers and importer not in one.importers):
                        continue
                    if one.countries and exporter not in one.countries:
                        continue
                    added = detour(exporter, importer, one.straits)
                    # Ships that go round arrive late once: what is at sea longer is missing once.
                    gone = 1.0 if math.isinf(added) else min(1.0, added / length)
                    left[i, j] *= 1 - share * gone
    np.fill_diagonal(left, 1.0)
    return left


def remaining_production(
    disruptions: Sequence[Disruption],
    *,
    material: str,
    stage: str,
    countries: Sequence[str],
    since: date,
    until: date,
    site_shares: Mapping[str, tuple[str, float]] | None = None,
) -> NDArray[np.float64]:
    """Return the share of each country's production that is left, shape (countries,).

    Args:
        site_shares: of each site its country and its share of that country's production at this
            stage; a disruption that names sites takes their share alone.
    """
    left = np.ones(len(countries))
    for one in disruptions:
        share = one.severity * one.overlap(since, until)
        outage = one.kind in _STAGE_OF_OUTAGE or (one.kind == "cyber_attack" and one.sites)
        if share == 0 or not outage or not one.concerns(material, stage):
            continue
        for place, country in enumerate(countries):
            if one.sites:
                part = sum(
                    size
                    for site, (where, size) in (site_shares or {}).items()
                    if site in one.sites and where == country
                )
                left[place] *= 1 - share * min(1.0, part)
            elif country in one.countries:
                left[place] *= 1 - share
    return left


def remaining_demand(
    disruptions: Sequence[Disruption],
    *,
    material: str,
    since: date,
    until: date,
    elasticity: float,
) -> float:
    """Return what is left of demand when prices rise: (1 + rise) ** elasticity, elasticity ≤ 0."""
    left = 1.0
    for one in disruptions:
        if one.kind == "price_shock" and one.concerns(material):
            shrunk = (1 + one.severity) ** min(0.0, elasticity)
            left *= 1 - one.overlap(since, until) * (1 - shrunk)
    return left


def remaining_capacity(
    disruptions: Sequence[Disruption],
    *,
    firms: Sequence[str],
    countries: Sequence[str],
    sectors: Sequence[str],
) -> NDArray[np.float64]:
    """Return the share of each firm's capacity that is left while all disruptions act.

    A firm is hit if it is named, or if its country is named (and its sector is one of
    ``materials``, where those are named). A ban or quota takes the exporting firms of a network
    that knows no importers for hit themselves: the upper bound.
    """
    left = np.ones(len(firms))
    for one in disruptions:
        if one.kind in ("price_shock", "strait_closed"):
            continue
        for place, firm in enumerate(firms):
            if one.firms:
                hit = firm in one.firms
            else:
                hit = countries[place] in one.countries and (
                    not one.materials or sectors[place] in one.materials
                )
            if hit:
                left[place] *= 1 - one.severity
    return left


def timeline(
    disruptions: Iterable[Disruption], *, since: date, until: date
) -> tuple[tuple[date, date], ...]:
    """Return the periods between which nothing starts or ends, in order."""
    cuts = {since, until}
    for one in disruptions:
        cuts |= {day for day in (one.start, one.end) if day is not None and since < day < until}
    return tuple(pairwise(sorted(cuts)))


def refuse_zero_effect(hit: float, disruptions: Sequence[Disruption]) -> None:
    """Refuse a scenario that hits nothing, and say what was looked for.

    Raises:
        ZeroEffectError: ``hit`` is 0.
    """
    if hit > 0:
        return
    raise ZeroEffectError(
        gettext_noop("nothing is hit: no flow, site or firm of the data is among {what}"),
        what="; ".join(described(one) for one in disruptions) or "—",
    )


def described(one: Disruption) -> str:
    """Return a disruption in one line of its own words, for messages and logs."""
    parts: list[str] = [one.kind]
    parts += [
        f"{label}={','.join(sorted(found))}" for label in _SETS if (found := getattr(one, label))
    ]
    end = "" if one.end is None else one.end.isoformat()
    return f"{' '.join(parts)} severity={one.severity:g} {one.start.isoformat()}/{end}"


def _ban(one: Disruption, countries: Sequence[str]) -> tuple[list[int], list[int]]:
    return (
        [place for place, name in enumerate(countries) if name in one.countries],
        [
            place
            for place, name in enumerate(countries)
            if not one.importers or name in one.importers
        ],
    )
