"""Customs' own tables, as Japan and the United States print them, loaded by the door."""

import csv
import gzip
import io
import json
from datetime import date

import pytest

from renkei.materials import door, engine
from renkei.materials.models import Flow, Release

pytestmark = pytest.mark.usefixtures("registry")

DAY = date(2026, 6, 30)
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
JAPAN = [
    *("Exp or Imp", "Year", "HS", "Country", "Unit1", "Unit2"),
    *(f"{kind}-{month}" for month in ("Year", *MONTHS) for kind in ("Quantity1", "Quantity2", "Value")),
]  # fmt: skip
RATE = ("JPY=150",)


def line(code, country, *months, flow=2, year=2026, units=("  ", "KG"), total=None):
    """Return a row of Japan's table; ``months`` are (quantity, value), those that follow are 0."""
    told = [*months, *[(0, 0)] * (12 - len(months))]
    total = total or tuple(sum(pair[at] for pair in told) for at in (0, 1))
    cells = [flow, year, f"'{code}", country, *units]
    for quantity, value in (total, *told):
        cells += [0, quantity, value]
    return cells


def japan(*lines, header=JAPAN):
    out = io.StringIO()
    csv.writer(out).writerows([header, *lines])
    return out.getvalue().replace('"', "")


@pytest.fixture
def load(tmp_path):
    def write(text, name="table.csv", **options):
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return door.import_file("customs", file, **{"known_on": DAY, **options})

    return write


def read(text, day=DAY, rates=RATE, **options):
    """Read without a database, up to the sums."""
    codes = frozenset({"250410", "284690", "850511", "261100"})
    rates = engine.rates_of(rates)
    found = engine.read_customs(text.encode(), codes=codes, until=day, rates=rates, **options)
    if not found.faults:
        engine.add_up(found)
    return found


def told(loaded, **where):
    if isinstance(loaded, engine.Read):
        return sorted(
            (
                one.code,
                one.exporter,
                one.importer,
                one.valid_from.month,
                round(one.kusd, 9),
                one.tonnes,
            )
            for one in loaded.rows
        )
    rows = Flow.objects.filter(release__slug=loaded.release, **where)
    return [
        (row.code, row.exporter, row.importer, row.valid_from.month, round(row.kusd, 9), row.tonnes)
        for row in rows.order_by("code", "exporter", "importer", "valid_from")
    ]


def test_two_lines_of_japan_become_one_flow_a_month(load):
    """Nine digits add up to six; thousand yen are dollars at the rate that was stated."""
    loaded = load(
        japan(
            line("250410010", 105, (3_000_000, 600_000), (1_000_000, 150_000)),
            line("250410090", 105, (500_000, 90_000)),
            line("250410010", 304, (0, 0), (20_000, 30_000)),
            line("010121000", 304, (7, 900)),
        ),
        rates=RATE,
    )
    assert told(loaded) == [
        ("250410", "CHN", "JPN", 1, 4_600.0, 3_500.0),
        ("250410", "CHN", "JPN", 2, 1_000.0, 1_000.0),
        ("250410", "USA", "JPN", 1, 0.0, 0.0),
        ("250410", "USA", "JPN", 2, 200.0, 20.0),
    ]
    assert (loaded.rows, loaded.lines) == (4, 6)
    assert loaded.passed_over == {"code": 1, "unpublished": 30}
    row = Flow.objects.filter(release__slug=loaded.release).first()
    assert (row.reporter, row.basis) == ("JPN", "origin")


def test_months_that_nobody_has_published_are_no_zeros():
    """The last month of which any row, of any code, says anything, is the last that is published."""
    loaded = read(
        japan(
            line("250410010", 105, (9_000, 900)),
            line("010121000", 304, (7, 900), (0, 0), (1, 800)),
        ),
        rates=RATE,
    )
    assert told(loaded) == [
        ("250410", "CHN", "JPN", 1, 6.0, 9.0),
        ("250410", "CHN", "JPN", 2, 0.0, 0.0),
        ("250410", "CHN", "JPN", 3, 0.0, 0.0),
    ]


def test_april_as_the_tables_of_2008_write_it():
    header = [name.replace("-Apr", "-Apl") for name in JAPAN]
    months = [(9_000, 900)] * 4
    loaded = read(japan(line("250410010", 105, *months, year=2008), header=header))
    assert [row[3] for row in told(loaded)] == [1, 2, 3, 4]


def test_exports_are_published_before_imports():
    """What one flow says of a month proves nothing about the other."""
    loaded = read(
        japan(
            line("250410010", 105, (9_000, 900)),
            line("250410010", 304, (9_000, 900), (8_000, 800), flow=1),
        )
    )
    assert [(row[1], row[3]) for row in told(loaded)] == [("CHN", 1), ("JPN", 1), ("JPN", 2)]


def test_an_export_goes_to_its_destination():
    loaded = read(japan(line("850511000", 304, (5_000, 75_000), flow=1)))
    assert told(loaded) == [("850511", "JPN", "USA", 1, 500.0, 5.0)]


@pytest.mark.parametrize(
    ("units", "tonnes"),
    [(("  ", "MT"), 40.0), (("KG", "NO"), None), (("  ", "NO"), None), (("  ", "  "), None)],
)
def test_only_a_mass_becomes_tonnes(units, tonnes):
    """Pieces are no tonnes; the first quantity is one where it has a unit of mass and a number."""
    loaded = read(japan(line("284690010", 105, (40, 6_000_000), units=units)))
    assert [row[-1] for row in told(loaded)] == [tonnes]


def test_the_mass_of_goods_that_are_counted_stands_in_the_first_quantity():
    cells = line("850511000", 105, (70, 6_000), units=("KG", "NO"))
    cells[6] = cells[9] = 800
    assert [row[-1] for row in told(read(japan(cells)))] == [0.8]


def test_less_than_a_unit_that_was_paid_for_is_no_zero():
    loaded = read(japan(line("284690010", 105, (0, 300)), line("284690010", 304, (50, 300))))
    assert [row[-1] for row in told(loaded)] == [None, 0.05]


def test_yen_without_a_rate_are_no_dollars(load):
    text = japan(line("250410010", 105, (9_000, 900), (9_000, 900)))
    with pytest.raises(
        engine.NoRateError, match=r"no rate is stated for 2026-01.*--rate JPY=150\.2"
    ):
        load(text)
    with pytest.raises(engine.NoRateError, match="for 2026-02"):
        load(text, rates=("JPY@2026-01=150",))
    loaded = load(text, rates=("JPY@2026-01=150", "JPY@2026-02=100"))
    assert [row[-2] for row in told(loaded)] == [6.0, 9.0]
    release = Release.objects.get(slug=loaded.release)
    assert release.reference == "table.csv; JPY@2026-01=150 JPY@2026-02=100"
    # The same once more changes nothing; at another rate it is another statement.
    assert load(text, rates=("JPY@2026-02=100", "JPY@2026-01=150")).was_loaded
    with pytest.raises(door.OlderReleaseError):
        load(text, rates=("JPY=160",))


@pytest.mark.parametrize(
    "rate", ["150", "JPY=0.0067", "JPY=-1", "JPY@2026=150", "JPY=nan", "jpy=150", "JPY=15000"]
)
def test_what_is_no_rate(rate):
    with pytest.raises(engine.BadRateError):
        engine.rates_of((rate,))


def test_a_rate_is_stated_once():
    with pytest.raises(engine.BadRateError, match="stated twice"):
        engine.rates_of(("JPY=150", "JPY=151"))


def test_rates_serve_the_own_form_too():
    head = "month,reporter,flow,partner,code,quantity,unit,value,currency\n"
    loaded = read(head + "2025-01,DEU,import,CHN,284690,4,t,90000,EUR\n", rates=("EUR=0.9",))
    assert told(loaded) == [("284690", "CHN", "DEU", 1, 100.0, 4.0)]
    found = read(head + "2025-01,DEU,import,CHN,284690,4,t,90000,JPY\n", rates=("EUR=0.9",))
    assert "JPY; US dollars are expected" in str(found.faults[0])


def bad(**changes):
    """Return a row of Japan's table with some cells changed, by column."""
    cells = line("250410010", 105, (3_000, 600), (1_000, 150))
    for name, value in changes.items():
        cells[JAPAN.index(name.replace("_", "-"))] = value
    return cells


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Country": 999}, "row 3: '999' is no country code of Japan's customs"),
        ({"HS": "'25041001"}, "row 3: '25041001' is no code of nine digits"),
        ({"Exp or Imp": 3}, "row 3: unknown flow '3'"),
        ({"Year": "26"}, "row 3: '26' is no year"),
        ({"Unit2": "MT"}, "row 3: 250410010 is counted in 'MT' here and in 'KG' in row 2"),
        ({"Value-Feb": "-150"}, "row 3: the Value-Feb -150 is below zero"),
        ({"Value-Feb": "1.5"}, "row 3: the Value-Feb '1.5' is no number"),
        ({"Quantity2-Jan": ""}, "row 3: the Quantity2-Jan '' is no number"),
        ({"Value-Jan": 900}, "row 3: Value: the months add up to 1050, and the year says 750"),
        ({"Quantity2-Year": 4}, "row 3: Quantity: the months add up to 4000, and the year says 4"),
        ({}, "row 3: says again what row 2 says"),
    ],
)
def test_each_faulty_row_of_japan_is_named(changes, said):
    good = line("250410010", 105, (3_000, 600), (1_000, 150))
    found = read(japan(good, bad(**changes)))
    assert str(found.faults[0]).startswith(said)


def test_a_faulty_file_is_not_loaded_at_all(load):
    before = Flow.objects.count()
    with pytest.raises(door.FaultyReleaseError, match="1 rows are refused"):
        load(japan(line("250410010", 105, (3_000, 600)), bad(Country=999)), rates=RATE)
    assert Flow.objects.count() == before


def test_a_month_after_the_day_of_publication():
    found = read(japan(line("250410010", 105, *[(1_000, 100)] * 7)))
    assert str(found.faults[0]) == (
        "row 2: 2026-07 lies after 2026-06-30, when the file was published"
    )


def test_a_sum_of_which_a_line_is_faulty_is_none(load):
    """Who leaves out the line leaves out the code; another code stays."""
    good = [line("284690010", country, (900, 90_000)) for country in range(201, 212)]
    lines = [
        *good,
        line("250410010", 105, (3_000, 600)),
        line("250410090", 105, (3_000, 600), total=(1, 1)),
        line("250410010", 304, (3_000, 600)),
        line("284690020", 105, *[(900, 90_000)] * 5),
    ]
    loaded = load(japan(*lines), rates=RATE, leave_out=True)
    assert [fault.row for fault in loaded.left_out] == [14]
    assert {row[0] for row in told(loaded)} == {"284690"}
    assert loaded.passed_over["beside a faulty line"] == 10


def test_text_of_windows_in_japan_and_packed(load):
    text = japan(line("250410010", 105, (3_000, 600)), header=[*JAPAN, "備考"])
    text = text.replace("600,0,0,0", "600,0,0,0", 1)
    rows = text.splitlines()
    body = "\n".join([rows[0], rows[1] + ",東京"]) + "\n"
    assert load(gzip.compress(body.encode("cp932")), rates=RATE).rows == 1


def test_tables_of_the_years_alone_and_of_the_first_months(load):
    year = [*JAPAN[:9]]
    text = japan(line("250410010", 105, (3_000, 600), year=2024)[:9], header=year)
    loaded = load(text, rates=RATE)
    row = Flow.objects.get(release__slug=loaded.release)
    assert (row.valid_from, row.valid_to, row.kusd) == (date(2024, 1, 1), date(2024, 12, 31), 4.0)
    with pytest.raises(door.FaultyReleaseError, match="2026 lies after"):
        load(japan(line("250410010", 105, (3_000, 600))[:9], header=year), rates=RATE)
    some = load(
        japan(line("250410010", 105, (3_000, 600), (5, 7))[:15], header=JAPAN[:15]), rates=RATE
    )
    assert [row[3] for row in told(some)] == [1, 2]


@pytest.mark.parametrize(
    "header",
    [
        [name for name in JAPAN if name != "Country"],
        [*JAPAN[:2], "Custom", *JAPAN[2:]],
        [name for name in JAPAN if not name.endswith("-Mar") or name.startswith("Value")],
    ],
)
def test_other_tables_of_japan_are_refused(header):
    """World totals, one customs office, a column that is gone."""
    with pytest.raises(engine.MovedColumnsError):
        read(",".join(header) + "\n")


def test_both_parts_of_a_country_count():
    """The Azores have a code of their own."""
    loaded = read(japan(line("250410010", 217, (10, 300)), line("250410010", 216, (20, 300))))
    assert told(loaded) == [("250410", "PRT", "JPN", 1, 4.0, 0.03)]


def test_every_code_of_the_two_lists_is_a_place_or_says_that_it_is_none():
    from renkei.materials.engine._customs import _places

    known = engine.places()
    for reporter, count in (("JPN", 235), ("USA", 240)):
        codes = _places(reporter)
        assert len(codes) == count
        assert {place for place in codes.values() if place} <= set(known)
    assert [code for code, place in _places("JPN").items() if not place] == [
        "327",
        "701",
        "702",
        "703",
    ]
    assert (_places("JPN")["105"], _places("JPN")["304"]) == ("CHN", "USA")
    assert (_places("USA")["5700"], _places("USA")["5880"]) == ("CHN", "JPN")


# The United States


EXPORTS = ["E_COMMODITY", "CTY_CODE", "ALL_VAL_MO", "QTY_1_MO", "UNIT_QY1", "time"]
CENSUS = ["I_COMMODITY", "CTY_CODE", "CTY_NAME", "GEN_VAL_MO", "GEN_QY1_MO", "UNIT_QY1", "time"]


def census(*rows, header=CENSUS):
    return json.dumps([header, *[[str(cell) for cell in row] for row in rows]])


def us(code="2504101000", country="5700", **changes):
    told = {"value": 2_000_000, "quantity": 900_000, "unit": "KG", "time": "2026-01"} | changes
    return [code, country, "CHINA", *told.values()]


def test_an_answer_of_the_census_bureau(load):
    loaded = load(
        census(
            us(),
            us(code="2504105000", value=100_000, quantity=50, unit="T"),
            us(country="5880", value=300, quantity=10),
            us(country="-"),
            us(country="0003"),
            us(country="5XXX"),
            us(code="2504"),
            us(code="0101210010"),
        ),
        "answer.json",
    )
    assert told(loaded) == [
        ("250410", "CHN", "USA", 1, 2_100.0, 950.0),
        ("250410", "JPN", "USA", 1, 0.3, 0.01),
    ]
    assert loaded.lines == 3
    assert loaded.passed_over == {"total": 1, "area": 2, "heading": 1, "code": 1}
    row = Flow.objects.filter(release__slug=loaded.release).first()
    assert (row.reporter, row.basis) == ("USA", "origin")


def test_exports_by_year_and_month_with_conditions_that_are_told_again():
    header = ["E_COMMODITY", *EXPORTS[1:5], "YEAR", "MONTH", "E_COMMODITY"]
    row = ["2846902082", "5880", "5000", "20", "KG", "2026", "03", "2846902082"]
    loaded = read(census(row, header=header))
    assert told(loaded) == [("284690", "USA", "JPN", 3, 5.0, 0.02)]


@pytest.mark.parametrize("unit", ["NO", "CKG", "CGM", "L", "X", "-", ""])
def test_pieces_and_content_are_no_tonnes_of_goods(unit):
    """Tungsten ore is counted by its content: that is not what crossed the border."""
    loaded = read(census(us(code="2611006000", unit=unit)))
    assert [row[-1] for row in told(loaded)] == [None]


def test_the_second_quantity_may_be_the_mass():
    header = [*CENSUS, "GEN_QY2_MO", "UNIT_QY2", "GEN_QY1_MO_FLAG", "GEN_QY2_MO_FLAG"]
    rows = [
        [*us(code="8505110010", quantity=500, unit="NO"), 700, "KG", "-", "-"],
        [*us(code="8505110010", quantity=0, unit="NO", country="5880"), 0, "KG", "-", "N"],
    ]
    loaded = read(census(*rows, header=header))
    assert [row[-1] for row in told(loaded)] == [pytest.approx(0.7), None]


def test_a_total_beside_its_own_lines_is_not_counted_twice():
    """All levels are answered at once unless one is asked for."""
    lines = [us(), us(code="2504105000", value=100_000, quantity=1)]
    found = read(census(*lines, us(code="250410", value=2_100_000, quantity=0, unit="-")))
    assert told(found) == [("250410", "CHN", "USA", 1, 2_100.0, 900.001)]
    assert found.passed_over == {"total": 1}
    other = read(census(*lines, us(code="250410", value=2_200_000)))
    assert "row 4: 250410 says 2200 thousand US dollars" in str(other.faults[0])
    alone = read(census(us(code="250410", unit="-", quantity=0, time="2026-02")))
    assert told(alone) == [("250410", "CHN", "USA", 2, 2_000.0, None)]


def test_domestic_and_foreign_exports_are_parts():
    def row(kind, value, country="5880"):
        return ["2504101000", country, value, "10", "KG", "2026-01", kind]

    header = [*EXPORTS, "DF"]
    both = read(census(row("1", 5000), row("2", 700), row("1", 300, "5700"), header=header))
    assert told(both) == [
        ("250410", "USA", "CHN", 1, 0.3, 0.01),
        ("250410", "USA", "JPN", 1, 5.7, 0.02),
    ]
    one = read(census(row("1", 5000), header=header))
    assert (one.rows, one.passed_over) == ([], {"part": 1})
    whole = read(census(row("-", 5700), row("1", 5000), row("2", 700), header=header))
    assert told(whole) == [("250410", "USA", "JPN", 1, 5.7, 0.01)]
    again = read(census(row("1", 5), row("2", 7), row("2", 7), header=header))
    assert str(again.faults[0]) == "row 4: says again what row 3 says"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"country": "9999"}, "row 3: '9999' is no country code of the US Census Bureau"),
        ({"value": "-5"}, "row 3: the value -5 is below zero"),
        ({"value": "(D)"}, "row 3: the value '(D)' is no number"),
        ({"time": "2026"}, "row 3: '2026' is no month"),
        ({"time": "2026-07"}, "row 3: 2026-07 lies after 2026-06-30"),
        ({"unit": "T", "country": "5880"}, "row 3: 2504101000 is counted in 'T' here and in 'KG' in row 2"),
        ({"code": "2504101"}, "row 3: '2504101' is no code of six digits"),
        ({}, "row 3: says again what row 2 says"),
        ({"value": 7}, "row 3: says otherwise about the same as row 2"),
    ],
)  # fmt: skip
def test_each_faulty_row_of_the_census_bureau_is_named(changes, said):
    found = read(census(us(), us(**changes)))
    assert str(found.faults[0]).startswith(said)


def test_the_value_for_consumption_is_another_one():
    header = [name.replace("GEN_VAL", "CON_VAL") for name in CENSUS]
    with pytest.raises(engine.MovedColumnsError, match="GEN_VAL_MO"):
        read(census(us(), header=header))


def test_the_same_columns_as_csv():
    out = io.StringIO()
    csv.writer(out).writerows([CENSUS, us(quantity="900000.0")])
    assert told(read(out.getvalue())) == [("250410", "CHN", "USA", 1, 2_000.0, 900.0)]


def test_whose_trade_it_is_is_not_said_twice():
    with pytest.raises(engine.StatedTwiceError, match="says itself whose trade"):
        read(census(us()), given={"reporter": "CHN"})


def test_headings_of_the_trade_commission_are_no_codes():
    """A DataWeb query by HTS-4 cannot be divided."""
    text = "hts4,flow,partner,partner_iso,year,value_usd\n2846,imports,China,CHN,2024,5\n"
    with pytest.raises(engine.HeadingsError, match="four digits"):
        read(text)
