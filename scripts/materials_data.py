"""Make the compact tables in ``src/renkei/materials/data`` from the releases they come from.

Usage: ``materials_data.py RELEASES PACKAGES``

RELEASES is a folder with the full files (their origin and licence stand in each table and in
``releases.csv``); PACKAGES is the ``node_modules`` folder that holds ``world-atlas`` 2.0.2 (Natural
Earth 1:110m, public domain, as TopoJSON) and ``i18n-iso-countries`` 7 (names and codes, MIT).
Tables that people wrote (materials, products, rules and so on) are not touched.
"""

import csv
import gzip
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

DATA = Path(__file__).resolve().parent.parent / "src" / "renkei" / "materials" / "data"
LATEST = 2024
FIRST = 2005
PARTNERS = ("JPN", "USA")
TOLERANCE = 0.35  # degrees that an outline may be off: half a pixel of the map
SAYS_MINERALS = (  # a name that says what the body does; most of the release's list does not
    r"(?i)\b(RARE EARTHS?|LITHIUM|COBALT|NICKEL|GRAPHITE|TUNGSTEN|MAGNETS?|MINERALS|MINING|METALS|"
    r"SMELTING|REFINING|SEMICONDUCTORS?|GALLIUM|TITANIUM|COPPER|BATTERY|BATTERIES)\b"
)
SAYS_HOUSES = r"(?i)\b(REIT|REALTY|PROPERT|TERRACES|APARTMENTS|HOLDCO|TRUST|FUND|REAL ESTATE)"
# Two bodies that are no countries, and Guyana, under which the file mixes two countries' rows.
NOT_ONE_COUNTRY = frozenset({"R20", "PUS", "GUY"})
WIDTH, HEIGHT, TOP = 960.0, 440.0, 84.0  # plate carrée without the Antarctic
NAMES = {  # where releases and officials write another name than the ISO list
    "BOL": ("Bolivia", "ボリビア"),
    "CIV": ("Côte d'Ivoire", "コートジボワール"),
    "COD": ("DR Congo", "コンゴ民主共和国"),
    "GBR": ("United Kingdom", "英国"),
    "HKG": ("Hong Kong", "香港"),
    "IRN": ("Iran", "イラン"),
    "KOR": ("Republic of Korea", "韓国"),
    "LAO": ("Laos", "ラオス"),
    "MDA": ("Moldova", "モルドバ"),
    "MMR": ("Myanmar", "ミャンマー"),
    "PRK": ("North Korea", "北朝鮮"),
    "RUS": ("Russia", "ロシア"),
    "SYR": ("Syria", "シリア"),
    "TUR": ("Türkiye", "トルコ"),
    "TWN": ("Taiwan", "台湾"),
    "TZA": ("Tanzania", "タンザニア"),
    "USA": ("United States", "米国"),
    "VEN": ("Venezuela", "ベネズエラ"),
    "VNM": ("Viet Nam", "ベトナム"),
    "CHN": ("China", "中国"),
    "DEU": ("Germany", "ドイツ"),
    "FRA": ("France", "フランス"),
    "IND": ("India", "インド"),
    "MKD": ("North Macedonia", "北マケドニア"),
    "FSM": ("Micronesia", "ミクロネシア"),
    "PSE": ("Palestine", "パレスチナ"),
    "ZAF": ("South Africa", "南アフリカ"),
    "ARE": ("United Arab Emirates", "アラブ首長国連邦"),
    "COG": ("Congo", "コンゴ共和国"),
}
MIDDLES = {  # small places that the coarse outline leaves out, and large ones whose middle misleads
    "USA": (-98.0, 39.0),
    "CAN": (-106.0, 56.0),
    "RUS": (95.0, 61.0),
    "FRA": (2.5, 46.5),
    "NOR": (9.0, 61.5),
    "CHL": (-70.5, -27.0),
    "NZL": (172.0, -41.5),
    "SGP": (103.8, 1.35),
    "HKG": (114.2, 22.3),
    "BHR": (50.5, 26.0),
    "MLT": (14.4, 35.9),
    "MUS": (57.5, -20.2),
}


def write(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table; one that ends in .gz is compressed, alike every time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    content = text.getvalue().encode()
    if name.endswith(".gz"):
        content = gzip.compress(content, 9, mtime=0)
    (DATA / name).write_bytes(content)
    print(f"{name}: {len(content):,} bytes")


def read(file: Path) -> list[dict[str, str]]:
    """Read a table of text."""
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def rings(topology: Mapping[str, Any], geometry: Mapping[str, Any]) -> list[list[list[float]]]:
    """Return the outer rings of a country in degrees."""
    scale, move = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append([x * scale[0] + move[0], y * scale[1] + move[1]])
        arcs.append(points)
    polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    found = []
    for polygon in polygons:
        ring: list[list[float]] = []
        for index in polygon[0]:
            part = arcs[index] if index >= 0 else arcs[~index][::-1]
            ring += part if not ring else part[1:]
        found.append(ring)
    return found


def simplified(points: list[list[float]]) -> list[list[float]]:
    """Drop the points that bring an outline less than the tolerance (Ramer, Douglas, Peucker)."""
    if len(points) < 3:
        return points
    (x0, y0), (x1, y1) = points[0], points[-1]
    dx, dy = x1 - x0, y1 - y0
    length = (dx * dx + dy * dy) ** 0.5
    far, at = -1.0, 0
    for index, (x, y) in enumerate(points[1:-1], 1):
        away = (
            abs(dy * (x - x0) - dx * (y - y0)) / length
            if length > 1e-9
            else ((x - x0) ** 2 + (y - y0) ** 2) ** 0.5
        )
        if away > far:
            far, at = away, index
    if far <= TOLERANCE:
        return [points[0], points[-1]]
    return simplified(points[: at + 1])[:-1] + simplified(points[at:])


def area(ring: Sequence[Sequence[float]]) -> float:
    """Return the area of a ring in square degrees."""
    return abs(
        sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)) / 2
    )


def drawn(ring: list[list[float]]) -> str:
    """Return a ring as an SVG path on the map's canvas."""
    said = []
    for lon, lat in ring[:-1]:
        x, y = (lon + 180) / 360 * WIDTH, (TOP - lat) / 360 * WIDTH
        said.append(f"{x:.1f} {min(y, HEIGHT):.1f}".replace(".0", ""))
    return "M" + "L".join(said) + "Z"


FORMER = [  # places that trade releases name and ISO 3166-1 does not, or no longer
    ["ANT", "AN", "530", "Netherlands Antilles", "オランダ領アンティル", -69.0, 12.2, ""],
    ["ZA1", "", "711", "Southern African Customs Union", "南部アフリカ関税同盟", 24.6, -28.5, ""],
    ["SCG", "CS", "891", "Serbia and Montenegro", "セルビア・モンテネグロ", 20.9, 44.2, ""],
    ["BLX", "", "058", "Belgium and Luxembourg", "ベルギー・ルクセンブルク", 4.6, 50.6, ""],
    ["PUS", "", "849", "US Miscellaneous Pacific Islands", "合衆国領太平洋諸島", "", "", ""],
    ["S19", "", "490", "Other Asia, not specified", "その他のアジア（特定なし）", 121.0, 23.7, ""],
    ["OTH", "", "", "Other countries", "その他の国", "", "", "Other countries"],
    ["WLD", "", "000", "World", "世界", "", "", "World total"],
]


def world(packages: Path, aliases: Mapping[str, set[str]]) -> dict[str, tuple[float, float]]:
    """Write countries and their outlines; return the middle of each."""
    topology = json.loads((packages / "world-atlas" / "countries-110m.json").read_text("utf-8"))
    folder = packages / "i18n-iso-countries"
    codes = json.loads((folder / "codes.json").read_text("utf-8"))
    english = json.loads((folder / "langs" / "en.json").read_text("utf-8"))["countries"]
    japanese = json.loads((folder / "langs" / "ja.json").read_text("utf-8"))["countries"]
    by_number = {number: iso3 for _iso2, iso3, number, *_rest in codes}
    paths, middles = {}, dict(MIDDLES)
    for geometry in topology["objects"]["countries"]["geometries"]:
        iso3 = by_number.get(str(geometry.get("id", "")).zfill(3))
        found = rings(topology, geometry)
        largest = max(found, key=area)
        lons = [point[0] for point in largest]
        lats = [point[1] for point in largest]
        if iso3 == "ATA":
            continue
        if iso3:
            middles.setdefault(iso3, ((min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2))
        kept = [
            ring
            for ring in found
            if (area(ring) > 0.6 or ring is largest)
            # A ring over the whole width crosses the date line: it would be drawn as a stroke.
            and max(lon for lon, _lat in ring) - min(lon for lon, _lat in ring) < 300
        ]
        # A closed ring has no two ends: cut it where it is widest, and simplify both halves.
        shapes = []
        for ring in kept:
            half = len(ring) // 2
            shape = simplified(ring[: half + 1])[:-1] + simplified(ring[half:])
            if len(shape) > 3:
                shapes.append(drawn(shape))
        name = iso3 or geometry["properties"]["name"]
        paths[name] = paths.get(name, "") + "".join(shapes)
    said = {
        "source": "Natural Earth 1:110m cultural vectors (public domain), as packaged by world-atlas "
        "2.0.2; simplified to 0.35 degrees. Borders are Natural Earth's de facto ones and say "
        "nothing about any claim.",
        "width": WIDTH,
        "height": HEIGHT,
        "top": TOP,
        "paths": dict(sorted(paths.items())),
    }
    text = json.dumps(said, ensure_ascii=False, indent=0)
    (DATA.parents[1] / "kit" / "world.json").write_text(text + "\n", "utf-8")
    print(f"world.json: {len(text):,} bytes, {len(paths)} outlines")
    rows = []
    for iso2, iso3, number, *_rest in sorted(codes, key=lambda code: code[1]):
        first = english.get(iso2, iso3)
        en, ja = NAMES.get(
            iso3, (first if isinstance(first, str) else first[0], japanese.get(iso2, iso3))
        )
        ja = ja if isinstance(ja, str) else ja[0]
        lon, lat = middles.get(iso3, ("", ""))
        place = [round(lon, 1), round(lat, 1)] if lon != "" else ["", ""]
        also = "|".join(sorted(aliases.get(iso3, set()) - {en}))
        rows.append([iso3, iso2, number, en, ja, *place, also])
    header = ["iso3", "iso2", "number", "name_en", "name_ja", "lon", "lat", "also"]
    write("countries.csv", header, [*rows, *FORMER])
    return middles


def releases(raw: Path) -> None:
    """Write the tables that come out of releases, with their source in each row."""
    long = read(raw / "usgs_mcs2026_long.csv")
    header = list(long[0])
    write(
        "usgs.csv.gz",
        ["source", *header],
        [["usgs-mcs-2026", *(row[name] for name in header)] for row in long],
    )
    others = [
        row
        for row in read(raw / "facts_production.csv")
        if row["source"].startswith(("IEA", "BGS"))
    ]
    kept = list(others[0])
    write("retyped.csv", kept, [[row[name] for name in kept] for row in others])
    forms = read(DATA / "forms.csv")
    codes = sorted({row["hs92"] for row in forms if row["hs92"]})
    marks = ", ".join(f"'{code}'" for code in codes)
    both = ", ".join(f"'{code}'" for code in PARTNERS)
    flows = duckdb.sql(
        f"""SELECT 'cepii-baci-hs92' AS source, year, exp_iso3, imp_iso3, hs92_6,
        round(value_kusd, 3) AS value_kusd, round(qty_t, 3) AS qty_t
        FROM '{raw / "baci_crm_hs6_1995_2024.parquet"}'
        WHERE hs92_6 IN ({marks}) AND value_kusd >= 1
          AND (year = {LATEST} OR (year >= {FIRST} AND imp_iso3 IN ({both})))
        ORDER BY hs92_6, year, exp_iso3, imp_iso3"""
    ).fetchall()
    write(
        "baci.csv.gz",
        ["source", "year", "exp_iso3", "imp_iso3", "hs92_6", "value_kusd", "qty_t"],
        [["" if cell is None else cell for cell in row] for row in flows],
    )
    wgi = [row for row in read(raw / "wgi_pv_1996_2024.csv") if int(row["year"]) >= 2018]
    write(
        "wgi.csv",
        ["source", "iso3", "year", "estimate", "std_err"],
        [
            [
                "world-bank-wgi",
                row["iso3"],
                row["year"],
                f"{float(row['wgi_political_stability_est']):.4f}",
                f"{float(row['std_err']):.4f}",
            ]
            for row in wgi
            if row["wgi_political_stability_est"] and row["iso3"] not in NOT_ONE_COUNTRY
        ],
    )
    leis = duckdb.sql(
        f"""SELECT DISTINCT lei, legal_name, country_iso2, category
        FROM '{raw / "gleif_lei_minerals_subset.parquet"}'
        WHERE country_iso2 IN ('US', 'JP') AND checksum_ok
          AND regexp_matches(legal_name, '{SAYS_MINERALS}')
          AND NOT regexp_matches(legal_name, '{SAYS_HOUSES}')
        ORDER BY lei"""
    ).fetchall()
    write(
        "gleif.csv.gz",
        ["source", "lei", "legal_name", "country_iso2", "category"],
        [["gleif-2025-10", *row] for row in leis],
    )
    monthly = [
        row
        for row in read(raw / "china_exports_monthly_hs6_2017_2024.csv")
        if row["hs6"] in {"250410", "380110", "811292"}
    ]
    write(
        "monthly.csv",
        ["source", "month", "reporter", "flow", "partner", "code", "value_usd", "mass_kg"],
        [
            [
                "un-comtrade-chn-retyped",
                row["month"][:7],
                "CHN",
                "export",
                "OTH",
                row["hs6"],
                row["value_usd"],
                row["qty_kg"],
            ]
            for row in monthly
        ],
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    printed: dict[str, set[str]] = {}
    for line in read(Path(sys.argv[1]) / "usgs_mcs2026_long.csv"):
        if line["iso3"]:
            printed.setdefault(line["iso3"], set()).add(line["country"])
    world(Path(sys.argv[2]), printed)
    releases(Path(sys.argv[1]))
