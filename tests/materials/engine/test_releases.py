"""Publishers' files: tokens that are no numbers stay tokens, and every fault names its row."""

import csv
import gzip
import io
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.materials import engine

COMMODITIES = {
    ("gallium", "gallium"): "gallium",
    ("rare earths", "rare earths"): "rare_earths",
    ("mica (natural)", "mica (natural)"): "mica",
}
HEADER = (
    "MCS chapter,Section,Commodity,Country,Statistics,Statistics_detail,Unit,Year,Value,Notes,"
    "Is critical mineral 2025,Other notes"
)
WORLD = "World Low-Purity Production and Production Capacity"
SHIPPED = Path(engine.__file__).parent.parent / "data" / "usgs.csv.gz"


def mcs(*rows, header=HEADER):
    return "\n".join([header, *rows, ""]).encode()


def row(country="China", value="600", year=2024, unit="kilograms", detail="Primary production"):
    return f'GALLIUM,{WORLD},Gallium,{country},Production,{detail},{unit},{year},"{value}",,Yes,'


def read(*rows, **options):
    return engine.read_mcs(mcs(*rows, **options), commodities=COMMODITIES)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("1,234", ("", 1234.0)),
        ("0.5", ("", 0.5)),
        ("—", ("zero", 0.0)),
        ("NA", ("NA", None)),
        ("W", ("W", None)),
        ("E", ("E", None)),
        ("XX", ("XX", None)),
        ("s", ("half", None)),
        ("<25", ("<", 25.0)),
        (">95", (">", 95.0)),
        ("<", ("words", None)),
        ("Large", ("words", None)),
        ("700–740", ("words", None)),
        ("1145,500", ("words", None)),  # footnote 11 glued to 45,500
        ("-5", ("", -5.0)),
    ],
)
def test_tokens(raw, expected):
    assert engine.token(raw) == expected


@given(st.text(max_size=20))
def test_no_text_becomes_a_number_unless_it_is_printed_as_one(text):
    sign, number = engine.token(text)
    if number is not None:
        assert any(mark.isdigit() or mark in "—–-" for mark in text)
    else:
        assert sign in {"NA", "W", "E", "XX", "half", "words"}


def test_a_row_of_a_release():
    """USGS MCS 2026, gallium: China 839,000 kg in 2024, printed in row 2551."""
    found = read(
        row(value="839,000"), row("World total", "848,000", detail="Primary production: rounded")
    )
    assert not found.faults
    china, world = found.rows
    assert (china.material, china.stage, china.subject, china.place) == (
        "gallium",
        "refine",
        "production",
        "CHN",
    )
    assert china.tonnes == pytest.approx(839.0)
    assert (world.place, world.detail) == ("WLD", china.detail)
    assert (china.valid_from, china.valid_to) == (date(2024, 1, 1), date(2024, 12, 31))


def test_columns_may_stand_in_another_order():
    reader = list(csv.reader(io.StringIO(mcs(row()).decode())))
    turned = "\n".join(",".join(f'"{cell}"' for cell in reversed(line)) for line in reader).encode()
    assert engine.read_mcs(turned, commodities=COMMODITIES).rows == read(row()).rows


@pytest.mark.parametrize("missing", ["Value", "Country", "Year"])
def test_a_missing_column_refuses_the_file(missing):
    with pytest.raises(engine.MovedColumnsError, match="row 1"):
        read(row(), header=HEADER.replace(missing, "Other"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (row(country="Atlantis"), "unknown country 'Atlantis'"),
        (row(value="-5"), "below zero"),
        (row(unit="bushels"), "unknown unit 'bushels'"),
        (row(year="600"), "no year"),
        (row(value=""), "empty"),
        (row(value="999,999,999,999,999,999"), "more than the world moves"),
        (row().replace("Gallium,China", "Kryptonite,China"), "no commodity 'Kryptonite'"),
        (row()[: row().rindex(",")], "11 cells, expected 12"),
    ],
)
def test_each_fault_is_named_with_its_row(line, said):
    found = read(row("Japan"), line)
    assert [fault.row for fault in found.faults] == [3]
    assert said in str(found.faults[0])
    assert str(found.faults[0]).startswith("row 3:")


def test_a_row_that_is_said_twice():
    found = read(row(), row(), row(value="700"))
    assert [str(fault) for fault in found.faults] == [
        "row 3: says again what row 2 says",
        "row 4: says otherwise about the same as row 2",
    ]
    assert found.doubtful == {0}  # of the two that differ nobody knows which is right


def test_a_country_cannot_make_more_than_the_world():
    found = read(row(value="900"), row("World total", "800"))
    assert "row 2: CHN makes 900, more than the world's 800" in str(found.faults[0])


def test_text_of_windows():
    content = mcs(row(country="Côte d’Ivoire")).decode().encode("cp1252")
    assert engine.read_mcs(content, commodities=COMMODITIES).rows[0].place == "CIV"
    with pytest.raises(engine.UnreadableError, match="NUL"):
        engine.read_mcs(b"MCS\0chapter", commodities=COMMODITIES)


def _known():
    known = {}
    for line in csv.DictReader((SHIPPED.parent / "materials.csv").read_text("utf-8").splitlines()):
        for pair in filter(None, line["mcs"].split("|")):
            chapter, _slash, commodity = pair.partition("/")
            known[chapter.casefold(), commodity.casefold()] = line["slug"]
    return known


def test_the_shipped_release_has_every_row_and_no_fault():
    """8,886 rows of the release, two of them revised on 27 May 2026: both states are kept."""
    found = engine.read_mcs(gzip.decompress(SHIPPED.read_bytes()), commodities=_known())
    assert not found.faults
    assert len(found.rows) == 8_886 + 2
    old, new = [one for one in found.rows if one.row == 6109]
    assert (old.raw, old.known_to, new.raw, new.known_from) == (
        "21,000,000",
        date(2026, 5, 27),
        "11,000,000",
        date(2026, 5, 27),
    )
    numberless = [
        one
        for one in found.rows
        if one.qualifier in {"NA", "W", "E", "XX", "words", "half", "<", ">"}
    ]
    assert len(numberless) == 353 + 224 + 92 + 8 + 75 + 48 + 58 + 88
    assert {one.quantity for one in numberless} == {None}


def test_printed_world_totals_agree_with_the_sums_of_countries():
    """The study found all 82 tables within 5 %; here those of production in which nothing is withheld."""
    watched = set((SHIPPED.parent / "watched.csv").read_text("utf-8").split())
    found = engine.read_mcs(gzip.decompress(SHIPPED.read_bytes()), commodities=_known())
    tables = {}
    for cell in found.rows:
        if cell.subject == "production" and cell.stage and cell.material in watched:
            tables.setdefault(
                (cell.material, cell.stage, cell.detail, cell.valid_from.year), []
            ).append(cell)
    off = {}
    for where, cells in tables.items():
        world = [cell.quantity for cell in cells if cell.place == "WLD" and cell.qualifier == ""]
        rest = [cell.quantity for cell in cells if cell.place != "WLD"]
        if world and world[0] and rest and None not in rest:
            off[where] = abs(sum(rest) / world[0] - 1)
    assert len(off) > 40
    assert max(off.values()) <= 0.05


def flows(*rows, header="t,i,j,k,v,q"):
    return "\n".join([header, *rows, ""]).encode()


CODES = frozenset({"284690", "280530"})


def test_flows_by_numbers_and_codes():
    """CEPII writes 842 for the United States, 490 for other Asia, NA for a missing mass."""
    found = engine.read_baci(
        flows("2024,156,842,284690,10.5,3", "2024,490,392,284690,1,NA", "2024,156,392,010121,1,1"),
        codes=CODES,
    )
    assert not found.faults
    assert [(one.exporter, one.importer, one.tonnes) for one in found.rows] == [
        ("CHN", "USA", 3.0),
        ("S19", "JPN", None),
    ]
    assert found.passed_over == {"code": 1}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2024,XXX,JPN,284690,1,1", "unknown country 'XXX'"),
        ("2024,CHN,JPN,284690,-1,1", "value -1 is below zero"),
        ("2024,CHN,JPN,284690,1,-1", "mass -1 is below zero"),
        ("2024,CHN,JPN,284690,much,1", "value 'much' is no number"),
        ("2024,CHN,JPN,28469x,1,1", "no code of six digits"),
        ("24,CHN,JPN,284690,1,1", "no year"),
        ("2024,CHN,JPN,284690,1e12,1", "not plausible"),
        ("2024,USA,JPN,284690,5,5", "says again what row 2 says"),
        ("2024,USA,JPN,284690,1,1", "says otherwise about the same as row 2"),
        ("2024,WLD,JPN,284690,1,1", "'WLD' is the world, and no country"),
        ("2024,0,JPN,284690,1,1", "'0' is the world, and no country"),
        ("2026,CHN,JPN,284690,1,1", "2026 lies after 2025-01-30"),
    ],
)
def test_faulty_flows(line, said):
    found = engine.read_baci(
        flows("2024,USA,JPN,284690,5,5", line), codes=CODES, until=date(2025, 1, 30)
    )
    assert said in str(found.faults[0])
    assert found.faults[0].row == 3


def reported(**changes):
    line = {
        "month": "2024-03",
        "reporter": "CHN",
        "flow": "export",
        "partner": "JPN",
        "code": "284690",
        "value": "2000",
        "quantity": "500",
        "unit": "kg",
        "currency": "USD",
        "basis": "",
    }
    return line | changes


def customs(*lines):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue().encode()


def test_a_customs_row_is_seen_from_its_reporter():
    found = engine.read_customs(
        customs(
            reported(),
            reported(flow="import", reporter="JPN", partner="CHN", month="202404"),
        ),
        codes=CODES,
    )
    assert [
        (one.exporter, one.importer, one.reporter, one.kusd, one.tonnes, one.valid_to)
        for one in found.rows
    ] == [
        ("CHN", "JPN", "CHN", 2.0, 0.5, date(2024, 3, 31)),
        ("CHN", "JPN", "JPN", 2.0, 0.5, date(2024, 4, 30)),
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"unit": "pieces"}, "unknown unit 'pieces'"),
        ({"currency": "JPY"}, "JPY; US dollars are expected"),
        ({"flow": "transit"}, "unknown flow"),
        ({"month": "2024-13"}, "no year"),
        ({"basis": "guess"}, "expected one of consignment, origin"),
    ],
)
def test_faulty_customs_rows(changes, said):
    found = engine.read_customs(customs(reported(**changes)), codes=CODES)
    assert said in str(found.faults[0])


def test_governance():
    content = b"iso3,year,estimate,std_err\nJPN,2024,1.04,0.2\nJPN,2024,1.04,0.2\nXXX,2024,1,1\nUSA,2024,9,1\nKOR,2024,..,1\n"
    found = engine.read_wgi(content)
    assert found.rows == [(2, "JPN", 2024, 1.04, 0.2)]
    assert [fault.row for fault in found.faults] == [3, 4, 5]
    assert found.passed_over == {"empty": 1}


def test_legal_entities():
    """The checksum of ISO 17442-1: the number of Apple Inc. passes, one changed digit does not."""
    content = (
        b"LEI,Entity.LegalName,Entity.LegalAddress.Country\n"
        b"HWUPKR0MPOU8FGXBT394,Apple Inc.,US\nHWUPKR0MPOU8FGXBT395,Wrong,US\nHWUPKR0MPOU8FGXBT394,Twice,US\n"
    )
    found = engine.read_gleif(content)
    assert [one[1] for one in found.rows] == ["HWUPKR0MPOU8FGXBT394"]
    assert [fault.row for fault in found.faults] == [3, 4]
    assert "check digits" in str(found.faults[0])


def test_a_statistic_that_is_none_is_named():
    """Statistic and detail in each other's column would pass for figures about nothing."""
    moved = row().replace("Production,Primary production", "Primary production,Production")
    found = read(moved)
    assert [str(fault) for fault in found.faults] == [
        "row 2: unknown statistic 'Primary production': have the columns moved?"
    ]


def test_import_sources_of_another_edition():
    """The 2025 edition prints 2020-2023 where that of 2026 prints 2021-2024."""
    sources = (
        "GALLIUM,Import Sources,Gallium,China,Import sources 2020-2023,Metal,percent,2020-2023,"
        '"20",,Yes,'
    )
    found = read(sources)
    assert not found.faults
    assert [(one.subject, one.valid_from.year, one.valid_to.year) for one in found.rows] == [
        ("source", 2020, 2023)
    ]


def test_codes_of_the_world_bank_that_are_not_iso():
    """Of the twenty-four thousand rows of a full release, those of DR Congo matter most to cobalt."""
    text = "code,countryname,year,indicator,estimate,stddev\n" + "".join(
        f"{code},name,2005,pv,-1.5,..\n"
        for code in ("ZAR", "ROM", "TMP", "WBG", "ADO", "KSV", "WLD")
    )
    found = engine.read_wgi(text.encode())
    assert not found.faults
    assert [row[1] for row in found.rows] == ["COD", "ROU", "TLS", "PSE", "AND", "XKK"]
    assert found.passed_over == {"total": 1}


def test_the_table_of_the_databank():
    found = engine.read_wgi(
        b"Country Name,Country Code,Series Name,Series Code,2022 [YR2022],2023 [YR2023]\n"
        b"Japan,JPN,Political Stability: Standard Error,PV.STD.ERR,0.2,..\n"
        b"Japan,JPN,Political Stability: Estimate,PV.EST,1.0,..\n"
    )
    assert found.rows == [(3, "JPN", 2022, 1.0, 0.2)]


def test_places_of_baci_that_are_no_countries_or_no_more():
    found = engine.read_baci(
        b"t,i,j,k,v,q\n2005,697,392,250410,1,1\n2005,736,392,250410,1,1\n",
        codes=frozenset({"250410"}),
    )
    assert [(one.exporter, one.importer) for one in found.rows] == [("SDN", "JPN")]
    assert found.passed_over == {"area": 1}


def test_na_is_no_place_but_where_it_is_said_to_be_one():
    """In a table of trade a missing partner must not become Namibia; GLEIF's two letters are ISO's."""
    text = "month,reporter,flow,partner,code,quantity,unit,value,currency\n"
    found = engine.read_customs(
        (text + "2025-01,JPN,import,NA,250410,1,t,500,USD\n").encode(), codes=frozenset({"250410"})
    )
    assert [str(fault) for fault in found.faults] == ["row 2: unknown country 'NA'"]
    entity = "LEI,Entity.LegalName,Entity.LegalAddress.Country\n5493006MHB84DD0ZWV18,Name,NA\n"
    assert engine.read_gleif(entity.encode()).rows[0][3] == "NA"


WORLD_2025 = (
    "SOURCE,COMMODITY,COUNTRY,TYPE,UNIT_MEAS,PROD_2023,PROD_EST_ 2024,PROD_NOTES,CAP_2023,CAP_EST_ 2024,"
    "CAP_NOTES,RESERVES_2024,RESERVE_NOTES"
)
EARTHS = "Mine production, rare-earth-oxide equivalent"


def wide(*rows, header=WORLD_2025):
    content = "\n".join([header, *rows, ""]).encode("cp1252")
    commodities = COMMODITIES | {
        ("germanium", "germanium"): "germanium",
        ("boron", "boron"): "boron",
        ("iron ore", "iron ore"): "iron_ore",
        ("molybdenum", "molybdenum"): "molybdenum",
    }
    return engine.read_usgs(content, commodities=commodities)


def earths(*cells, country="China", unit="metric tons", source="MCS2025", commodity="Rare earths"):
    return ",".join([source, commodity, country, f'"{EARTHS}"', unit, *cells])


def test_a_column_a_year_says_what_one_cell_a_row_says():
    """The same cell has the same name in both forms of the release: editions are compared by it."""
    found = wide(earths("255000", "270000", "", "", "", "", "44000000", ""))
    long = read(
        'RARE EARTHS,World Mine Production and Reserves,Rare Earths,China,Production,Mine production,metric tons,2024,"270,000",Estimated.,Yes,',
        'RARE EARTHS,World Mine Production and Reserves,Rare Earths,China,Reserves,Reserves,metric tons,2024,"44,000,000",,Yes,',
    )
    assert (found.edition, found.faults) == (2025, [])
    assert [
        (one.subject, one.valid_from.year, one.quantity, one.is_estimated) for one in found.rows
    ] == [
        ("production", 2023, 255_000.0, False),
        ("production", 2024, 270_000.0, True),
        ("reserves", 2024, 44_000_000.0, False),
    ]
    assert [(one.key, one.stage) for one in found.rows[1:]] == [
        (one.key, one.stage) for one in long.rows
    ]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("", "", "NA", "", "", "", "", ""), [("NA", "NA"), ("NA", "NA")]),
        (("", "", "W for 23-24", "", "", "", "", ""), [("W", "W"), ("W", "W")]),
        (("", "7", "na for 2023", "", "", "", "", ""), [("NA", "NA"), ("7", "")]),
        (("", "", "Less than 1/2 unit", "", "", "", "", ""), [("s", "half"), ("s", "half")]),
        (("", "", "", "", "", "", "", "Large"), [("Large", "words")]),
        (("", "", "", "", "", "", "", "NA (Reserve data is thousand metric tons)."), [("NA", "NA")]),
        (("", "", "", "", "", "", '">17,000,000"', ""), [(">17,000,000", ">")]),
        (("W", "<5", "", "", "", "", "E", ""), [("W", "W"), ("<5", "<"), ("E", "E")]),
        (("", "", "Excludes U.S. production.", "", "", "", "", "JORC-compliant"), []),
    ],
)  # fmt: skip
def test_tokens_of_empty_cells_stand_in_the_notes(cells, expected):
    found = wide(earths(*cells))
    assert [(one.raw, one.qualifier) for one in found.rows] == expected
    assert {one.quantity for one in found.rows if one.qualifier} <= {None}


def test_what_is_reported_and_what_is_estimated():
    rows = [
        f'MCS2025,Gemanium,{country},"Primary production, estimated",kilograms,5,6,{note},,,,,'
        for country, note in (("China", ""), ("Japan", "reported"))
    ]
    found = wide(*rows, earths("5", "6", "estimated 2023", "", "", "", "", ""))
    assert [one.is_estimated for one in found.rows] == [True, True, False, False, True, True]
    assert found.rows[0].material == "germanium"


def test_reserves_in_another_unit_than_production():
    found = wide(
        'MCS2025,Iron Ore  ,Brazil,"Mine production, iron content",thousand metric tons,1,2,,,,,15,"Iron Content, million metric tons"',
        'MCS2025,Molybdenum ,Peru,"Mine production, molybdenum content",metric tons,1,2,,,,,15,',
        'MCS2025,Molybdenum ,Iran,"Mine production, molybdenum content",metric tons,1,2,,,,,9, (Reserve data is thousand metric tons).',
    )
    told = [(one.place, one.tonnes) for one in found.rows if one.subject == "reserves"]
    assert told == [("BRA", 15e6), ("PER", 15e3), ("IRN", 9e3)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (earths("1", "2", "", "", "", "", "", "", country="Atlantis"), "unknown country 'Atlantis'"),
        (earths("1", "2", "", "", "", "", "", "", commodity="Unobtainium"), "no commodity 'Unobtainium'"),
        (earths("1", "2", "", "", "", "", "", "", unit=""), "the unit is empty"),
        (earths("1", "2", "", "", "", "", "", "", unit="bushels"), "unknown unit 'bushels'"),
        (earths("-1", "2", "", "", "", "", "", ""), "-1 metric tons is below zero"),
        (earths("about 5", "2", "", "", "", "", "", ""), "'about 5' is no number and no token"),
        (earths("1e9", "2", "", "", "", "", "", ""), "'1e9' is no number and no token"),
        (earths("999999999999", "2", "", "", "", "", "", ""), "more than the world moves"),
        (earths("1", "2", "", "", "", "", "", "", source="MCS2024"), "MCS2024 stands among rows of MCS2025"),
        (earths("255000", "270000", "", "", "", "", "", ""), "says again what row 2 says"),
        (earths("1", "2", "3"), "8 cells, expected 13"),
    ],
)  # fmt: skip
def test_each_faulty_row_of_the_world_tables_is_named(line, said):
    found = wide(earths("255000", "270000", "", "", "", "", "44000000", ""), line)
    assert found.faults[0].row == 3
    assert said in str(found.faults[0])


def test_a_country_of_the_world_tables_cannot_make_more_than_the_world():
    found = wide(
        earths("1", "500000", "", "", "", "", "", ""),
        earths("1", "390000", "", "", "", "", "", "", country="World total (rounded)"),
    )
    assert [str(fault) for fault in found.faults] == [
        "row 2: CHN makes 500,000, more than the world's 390,000"
    ]


def test_the_years_of_the_world_tables_move_with_the_edition():
    header = WORLD_2025.replace("2024", "2023").replace("PROD_2023", "PROD_2022", 1)
    found = wide(earths("1", "2", "", "", "", "", "3", "", source="MCS2024"), header=header)
    assert [one.valid_from.year for one in found.rows] == [2022, 2023, 2023]
    assert found.edition == 2024
    with pytest.raises(engine.MovedColumnsError, match="COMMODITY"):
        wide(header=header.replace("COMMODITY", "MINERAL"))


def test_the_whole_world_release_of_2025(shared):
    """3,123 printed cells; the publisher's own slips are named: a total of a tenth, and a missing unit."""
    with (SHIPPED.parent / "materials.csv").open(encoding="utf-8") as file:
        commodities = {
            tuple(part.casefold() for part in pair.split("/", 1)): row["slug"]
            for row in csv.DictReader(file)
            for pair in filter(None, row["mcs"].split("|"))
        }
    found = engine.read_usgs(shared, commodities=commodities)
    assert [fault.row for fault in found.faults] == [254, 256, 263, 1132]
    assert len(found.rows) == 3_123
    assert not [one for one in found.rows if one.qualifier in {"NA", "W", "XX"} and one.quantity]


@pytest.fixture
def shared():
    for parent in Path(__file__).resolve().parents:
        file = parent.parent / "shared" / "data" / "materials" / "usgs_mcs2025_world.csv"
        if file.exists():
            return file
    pytest.skip("the shared data are not beside the project")
