"""Each publisher's own column forms, in small: what they print is read, and nothing else."""

import json

import pytest

from renkei.materials import engine

CODES = frozenset({"250410", "284690"})
COMTRADE = {
    "typeCode": "C",
    "freqCode": "M",
    "refPeriodId": 20250101,
    "refYear": 2025,
    "refMonth": 1,
    "period": "202501",
    "reporterCode": 392,
    "reporterISO": "JPN",
    "reporterDesc": "Japan",
    "flowCode": "M",
    "flowDesc": "Import",
    "partnerCode": 384,
    "partnerISO": "CIV",
    "partnerDesc": "Côte d'Ivoire",
    "partner2Code": 0,
    "partner2ISO": "W00",
    "classificationCode": "H6",
    "cmdCode": "250410",
    "cmdDesc": "Graphite; natural, in flakes",
    "aggrLevel": 6,
    "customsCode": "C00",
    "mosCode": "0",
    "motCode": 0,
    "motDesc": "TOTAL MOT",
    "qtyUnitCode": 8,
    "qty": 3000.0,
    "netWgt": 3000.0,
    "isNetWgtEstimated": False,
    "cifvalue": 4500.5,
    "fobvalue": None,
    "primaryValue": 4500.5,
    "isAggregate": False,
}
LEGACY = (
    "Classification,Year,Period,Period Desc.,Aggregate Level,Is Leaf Code,Trade Flow Code,Trade Flow,"
    "Reporter Code,Reporter,Reporter ISO,Partner Code,Partner,Partner ISO,2nd Partner Code,2nd Partner,"
    "2nd Partner ISO,Customs Proc. Code,Customs,Mode of Transport Code,Mode of Transport,Commodity Code,"
    "Commodity,Qty Unit Code,Qty Unit,Qty,Alt Qty Unit Code,Alt Qty Unit,Alt Qty,Netweight (kg),"
    "Gross weight (kg),Trade Value (US$),CIF Trade Value (US$),FOB Trade Value (US$),Flag"
)


def rows(**changes):
    told = COMTRADE | changes
    return {name: "" if value is None else str(value) for name, value in told.items()}


def table(*lines, mark=",", end="\n"):
    out = [mark.join(COMTRADE) + "\n"]
    out += [
        mark.join(f'"{cell}"' if mark == "," else cell for cell in line.values()) + end
        for line in lines
    ]
    return "".join(out)


def answer(*lines):
    return json.dumps({"elapsedTime": "0.2 secs", "count": len(lines), "data": lines, "error": ""})


LEGACY_ROW = (
    "H4,2018,201801,January 2018,6,1,1,Imports,392,Japan,JPN,384,Cote,CIV,,,,,,,,250410,Graphite,8,kg,"
    "3000,,,,3000,,4500.5,,,0"
)
LEGACY_ANSWER = {
    "pfCode": "H4",
    "yr": 2018,
    "period": "201801",
    "rgCode": 1,
    "rgDesc": "Import",
    "rtCode": 392,
    "rt3ISO": "JPN",
    "ptCode": 384,
    "pt3ISO": "CIV",
    "ptCode2": None,
    "cstCode": "",
    "motCode": "",
    "cmdCode": "250410",
    "NetWeight": 3000,
    "TradeValue": 4500.5,
}


@pytest.mark.parametrize(
    ("content", "year"),
    [
        (table(rows()), 2025),
        (table(rows(), end=",\n").encode("cp1252"), 2025),  # as the pages give it
        (table(rows(), mark="\t"), 2025),  # bulk files
        (answer(COMTRADE), 2025),
        (answer(COMTRADE | {"reporterISO": None, "partnerISO": None, "partner2ISO": None}), 2025),
        (f"{LEGACY}\r\n{LEGACY_ROW}\r\n", 2018),
        (json.dumps({"validation": {}, "dataset": [LEGACY_ANSWER]}), 2018),
    ],
)
def test_one_flow_in_all_forms_of_comtrade(content, year):
    raw = content if isinstance(content, bytes) else content.encode()
    found = engine.read_comtrade(raw, codes=CODES)
    assert found.faults == []
    (one,) = found.rows
    assert (one.exporter, one.importer, one.reporter) == ("CIV", "JPN", "JPN")
    assert (one.valid_from.year, one.valid_to.month) == (year, 1)
    assert (one.kusd, one.tonnes) == (pytest.approx(4.5005), 3.0)


def test_what_comtrade_breaks_down_is_no_flow():
    found = engine.read_comtrade(
        table(
            rows(),
            rows(motCode=1000),
            rows(mosCode="1"),
            rows(customsCode="C01"),
            rows(partner2Code=842, partner2ISO="USA"),
            rows(partnerCode=0, partnerISO="W00"),
            rows(classificationCode="S3", cmdCode="28469"),
            rows(classificationCode="S3", cmdCode="284690"),
            rows(netWgt=0, partnerISO="CHN"),
        ).encode(),
        codes=CODES,
    )
    assert found.passed_over == {"part": 4, "total": 1, "code": 1, "classification": 1}
    assert [one.tonnes for one in found.rows] == [3.0, None]


def test_the_preview_names_countries_by_number():
    """Other Asia is 490, the United States 842."""
    lines = [
        COMTRADE | {"reporterISO": None, "partnerISO": None, "partnerCode": code}
        for code in (490, 842)
    ]
    found = engine.read_comtrade(answer(*lines).encode(), codes=CODES)
    assert [one.exporter for one in found.rows] == ["S19", "USA"]


WGI_2025 = (
    '"ID variable (economy code/ gov. dimension/ year)",Economy (name),Economy (code),Region,'
    "Income classification,Year,{dimension},Number of sources,"
    '"Governance estimate (approx. -2.5 to +2.5)",Standard error (estimate),Governance score (0-100)\n'
)


@pytest.mark.parametrize(
    "content",
    [
        ("codeindyr,code,countryname,year,indicator,estimate,stddev,nsource,pctrank,pctranklower,pctrankupper\n"
        "JPNpv2001,JPN,Japan,2001,pv,1.1,.2,6,89.1,75,95\nJPNcc2001,JPN,Japan,2001,cc,9,.2,6,89.1,75,95\n"),
        WGI_2025.format(dimension="Governance dimension")
        + "JPNpv2001,Japan,JPN,East Asia & Pacific,High income,2001,pv,6,1.1,.2,77\n"
        + "JPNva2001,Japan,JPN,East Asia & Pacific,High income,2001,va,6,9,.2,77\n",
        ("Country Name,Country Code,Series Name,Series Code,2001 [YR2001]\n"
        "Japan,JPN,Political Stability: Estimate,GOV_WGI_PV.EST,1.1\nJapan,JPN,SE,GOV_WGI_PV.SE,.2\n"
        ",,,,\nData from database: Worldwide Governance Indicators,,,,\nLast Updated: 11/05/2025,,,,\n"),
    ],
)  # fmt: skip
def test_one_estimate_in_all_forms_of_the_world_bank(content):
    found = engine.read_wgi(content.encode())
    assert found.faults == []
    assert found.rows == [(2, "JPN", 2001, 1.1, 0.2)]


def test_an_answer_of_the_world_bank():
    told = {"indicator": {"id": "GOV_WGI_PV.EST", "value": "Political Stability"}, "unit": ""}
    lines = [
        told | {"countryiso3code": "JPN", "date": "2001", "value": 1.1},
        told | {"countryiso3code": "AFE", "date": "2001", "value": None},
        told | {"indicator": {"id": "GOV_WGI_PV.SC"}, "countryiso3code": "JPN", "date": "2001", "value": 80},
    ]  # fmt: skip
    found = engine.read_wgi(json.dumps([{"page": 1, "pages": 1}, lines]).encode())
    assert found.rows == [(2, "JPN", 2001, 1.1, None)]
    assert found.passed_over == {"empty": 1, "indicator": 1}


def test_a_sheet_that_does_not_say_its_dimension_is_refused():
    """All six have one form: nobody may take corruption for stability."""
    content = WGI_2025.format(dimension="x") + "JPNva2001,Japan,JPN,,,2001,va,6,9,.2,77\n"
    with pytest.raises(engine.MovedColumnsError, match="the column indicator"):
        engine.read_wgi(content.encode())


LEI = "5493006MHB84DD0ZWV18"
GOLDEN = [
    *("LEI", "Entity.LegalName", "Entity.LegalName.xmllang"),
    *(f"Entity.OtherEntityNames.OtherEntityName.{n}" for n in range(1, 6)),
    *("Entity.LegalAddress.FirstAddressLine", "Entity.LegalAddress.Country"),
    *(f"Entity.OtherAddresses.OtherAddress.{n}.City" for n in range(1, 200)),
    *("Entity.HeadquartersAddress.Country", "Entity.EntityCategory", "Entity.EntityStatus"),
    "Registration.RegistrationStatus",
]


def golden(lei=LEI, status="ISSUED"):
    cells = dict.fromkeys(GOLDEN, "")
    cells |= {"LEI": lei, "Entity.LegalName": "Alphabet, Inc.", "Entity.LegalAddress.Country": "US"}
    cells |= {"Entity.EntityCategory": "GENERAL", "Registration.RegistrationStatus": status}
    return ",".join(f'"{cell}"' for cell in cells.values())


ENTITY = {
    "legalName": {"name": "Alphabet, Inc.", "language": "en"},
    "otherNames": [{"name": "x"}],
    "legalAddress": {"country": "US", "addressLines": ["1"]},
    "category": "GENERAL",
}
CDF = {
    "LEI": {"$": LEI},
    "Entity": {
        "LegalName": {"@xml:lang": "en", "$": "Alphabet, Inc."},
        "LegalAddress": {"Country": {"$": "US"}},
        "EntityCategory": {"$": "GENERAL"},
    },
}


@pytest.mark.parametrize(
    "content",
    [
        ",".join(f'"{name}"' for name in GOLDEN) + "\n" + golden() + "\n" + golden(status="ANNULLED") + "\n",
        json.dumps({"meta": {}, "data": [{"type": "lei-records", "id": LEI, "attributes": {"lei": LEI, "entity": ENTITY}}]}),
        json.dumps({"data": {"type": "lei-records", "id": LEI, "attributes": {"lei": LEI, "entity": ENTITY}}}),
        json.dumps({"records": [CDF]}),
    ],
)  # fmt: skip
def test_one_entity_in_all_forms_of_gleif(content):
    found = engine.read_gleif(content.encode())
    assert found.faults == []
    assert found.rows == [(2, LEI, "Alphabet, Inc.", "US", "GENERAL")]
