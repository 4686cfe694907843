"""The public pages on the shipped record: what they say, what they refuse, what they never add up."""

import csv
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.utils import timezone

from renkei.base import storage
from renkei.record import door, tasks
from renkei.record.models import (
    Agreement,
    Commitment,
    Drawing,
    Finding,
    Organisation,
    Source,
)
from renkei.record.views._shared import ROWS

pytestmark = pytest.mark.usefixtures("shipped")
LISTS = [
    "",
    "record/commitments/",
    "record/organisations/",
    "record/sources/",
    "record/agreements/",
    "record/findings/",
]
THINGS = {
    "commitments": Commitment,
    "organisations": Organisation,
    "sources": Source,
    "agreements": Agreement,
    "findings": Finding,
}


class _Words(HTMLParser):
    """The words of a page, and apart from them those of the panel of wrong figures."""

    VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})

    def __init__(self):
        super().__init__()
        self.words, self.panel, self._depth = [], [], 0

    def handle_starttag(self, tag, attrs):
        if tag in self.VOID:
            return
        if self._depth or dict(attrs).get("id") == "no-grand-total":
            self._depth += 1

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            self._depth = max(0, self._depth - 1)

    def handle_data(self, data):
        (self.panel if self._depth else self.words).append(data)


def words(response):
    parser = _Words()
    parser.feed(response.content.decode())
    return " ".join(" ".join(parser.words).split()), " ".join(" ".join(parser.panel).split())


def get(address, **headers):
    return Client().get(address, headers=headers)


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("path", LISTS)
def test_every_list_answers_in_both_languages(language, path):
    response = get(f"/{language}/{path}")
    assert response.status_code == 200
    assert f'<html lang="{language}"' in response.content.decode()


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("kind", list(THINGS))
def test_every_thing_of_the_record_has_a_page(language, kind):
    title = f"title_{language}"
    for row in THINGS[kind].objects.all():
        response = get(f"/{language}/record/{kind}/{row.slug}/")
        assert response.status_code == 200, row.slug
        text, _ = words(response)
        assert " ".join(getattr(row, title).split()) in text


@pytest.mark.parametrize("path", LISTS)
def test_a_japanese_page_holds_no_english_sentence(path):
    """Whatever the catalogue forgot would stand in English on a Japanese page."""
    text, panel = words(get(f"/ja/{path}"))
    forgotten = re.findall(r"(?:\b[a-z]{2,}\b ){3,}", f"{text} {panel}")
    assert not [said for said in forgotten if "renkei record" not in said], forgotten


def test_the_dashboard_says_how_much_there_is():
    text, _ = words(get("/en/"))
    for said in (
        "80",
        "70 commitments",
        "10 of context",
        "46",
        "4 independent lines of evidence",
        "93",
    ):
        assert said in text, said
    assert "Last proven state: not exchanged yet" in text
    assert "No research outcome has been recorded" in text


CARELESS = ("1,095.6 bn", "69.7 bn", "37.2 bn", "US$30 bn")


def test_careless_sums_stand_in_their_panel_and_are_called_wrong():
    _, panel = words(get("/en/"))
    for figure in CARELESS:
        assert figure in panel, figure
    assert panel.count("Wrong") == 3
    assert "Automated aggregator summary about the Technology Prosperity Deal" in panel
    assert 'href="/en/record/sources/s3/"' in get("/en/").content.decode()


def test_no_page_shows_a_grand_total():
    """No sum over natures, stages or currencies, and none of the careless ones, anywhere else."""
    wrong = {
        "1,095.603",
        "1,095.6",
        "69.703",
        "69.7",
        "37.173",
        "37.2",
        "1,100.856",
        "1兆956億",
        "697億",
        "371億",
        "372億",
    }
    pages = [f"/{language}/{path}" for language in ("en", "ja") for path in LISTS]
    pages += [
        f"/en/record/commitments/{slug}/"
        for slug in Commitment.objects.values_list("slug", flat=True)
    ]
    for page in pages:
        text, _ = words(get(page))
        assert not [figure for figure in wrong if figure in text], page
        assert "grand total" not in text.lower()


def test_careless_sums_follow_the_facts():
    """They are computed: a new commitment changes them."""
    from renkei.record.views._dashboard import careless

    before = careless()
    door.add_claim(
        author=None,
        reason="test",
        commitment="s1-c02",
        field="amount",
        value="1000000000",
        source="s1",
        money=door.Money(currency="USD", side="joint", nature="public", stage="announced"),
    )
    after = careless()
    assert after["added"] - before["added"] == 10**11
    assert after["once"] - before["once"] == 10**11
    assert after["mentioned"] == before["mentioned"]


def test_the_money_table_keeps_stages_and_natures_apart():
    rows = door.CHARTS["money"].rows(timezone.localdate())
    keys = [(r["nature"], r["currency"], r["domain"], r["side"], r["stage"]) for r in rows]
    assert len(keys) == len(set(keys)) == 12
    text = get("/en/").content.decode()
    for row in rows:
        assert f'<data value="{row["amount"]}"' in text


def test_one_commitment_shows_its_evidence():
    text, _ = words(get("/en/record/commitments/s1-c01/"))
    assert "2 independent lines of evidence (3 documents)" in text
    assert "more than US$110 million" in text
    assert "Further evidence" in text
    assert "Do not add these to the whole" in text
    assert "founding record of the project" in text


def test_rivals_stand_beside_the_published_value():
    text, _ = words(get("/en/record/commitments/s3-c01/"))
    published = text.index("U.S.–Japan Technology Prosperity Deal")
    assert published < text.index("U.S.–Japan Strategic Technology Partnership")
    assert "Rival" in text
    assert "Contested" in text


def test_equal_amounts_are_told_apart():
    text, _ = words(get("/en/record/commitments/s1-c06/"))
    assert "Looks the same, is another commitment." in text
    assert "Four different commitments that happen to be worth US$50 million each." in text


def test_a_passage_is_a_place_until_the_document_is_there(tmp_path, settings):
    row = Commitment.objects.get(slug="s1-c01")
    claim = row.claims.get(field="amount")
    start, end = claim.passages[0]
    text, _ = words(get("/en/record/commitments/s1-c01/"))
    assert f"Characters {start:,}–{end:,}" in text
    assert claim.source.sha256[:12] in text
    assert "<mark>" not in get("/en/record/commitments/s1-c01/").content.decode()


def test_an_attached_document_gives_its_words():
    content = (
        "First line.\n" + "padding " * 40 + "<b>US$5 million</b> & more" + " padding" * 40
    ).encode()
    passage = content.decode().index("US$5 million")
    source = door.add_source(
        author=None,
        reason="test",
        title_en="A document",
        title_ja="文書",
        content=content,
        reliability="secondary",
        reliability_reason_en="test",
        reliability_reason_ja="試験",
    )
    door.add_claim(
        author=None,
        reason="test",
        commitment="s1-c02",
        field="name",
        value="A name",
        source=source.slug,
        passages=[(passage, passage + 12)],
    )
    html = get("/en/record/commitments/s1-c02/").content.decode()
    assert "&lt;b&gt;<mark>US$5 million</mark>&lt;/b&gt; &amp; more" in html
    assert "First line" not in html  # far outside the context
    assert "<mark>US$5 million</mark>" in get(f"/en/record/sources/{source.slug}/").content.decode()

    damaged = storage._path(source.sha256)
    damaged.write_bytes(b"something else")
    door.add_outcome(  # any change: the page before was kept
        author=None,
        reason="test",
        commitment="s1-c02",
        kind="software",
        title_en="x",
        title_ja="x",
        identifier="x",
    )
    text, _ = words(get("/en/record/commitments/s1-c02/"))
    assert "The stored document is damaged" in text
    damaged.unlink()


def test_a_corrected_disbursement_stays_readable():
    pay = {"commitment": "s1-c01", "currency": "USD", "side": "US", "nature": "public"}
    day = timezone.localdate()
    first = door.add_disbursement(author=None, reason="test", value="1000", paid_on=day, **pay)
    door.add_disbursement(
        author=None, reason="typing error", value="2000", paid_on=day, corrects=first.pk, **pay
    )
    html = get("/en/record/commitments/s1-c01/").content.decode()
    assert re.search(r'<s><data value="1000"[^>]*>US\$1,000</data></s>', html)
    assert not re.search(r'<s><data value="2000"', html)
    assert "typing error" in html


def test_findings_come_by_severity_and_with_what_was_decided():
    text, _ = words(get("/en/record/findings/"))
    assert "46 entries" in text
    assert (
        text.index("Severity: High 11")
        < text.index("Severity: Medium 14")
        < text.index("Severity: Low 21")
    )
    assert "No officer has decided" in words(get("/en/record/findings/x02/"))[0]
    door.resolve_finding(
        author=None,
        reason="test",
        finding="x02",
        decision_en="Nothing is published.",
        decision_ja="公表しない。",
    )
    assert "Nothing is published." in words(get("/en/record/findings/x02/"))[0]
    assert "公表しない。" in words(get("/ja/record/findings/x02/"))[0]


def test_a_source_says_how_to_attach_it():
    text, _ = words(get("/en/record/sources/s3/"))
    source = Source.objects.get(slug="s3")
    assert f"renkei record attach {source.original_file}" in text
    assert source.sha256 in text


def test_search_shows_the_rest_of_the_record_too():
    html = get("/en/record/commitments/?q=RIKEN").content.decode()
    assert "Elsewhere in the record" in html
    assert "/en/record/organisations/" in html.split('class="h4">Elsewhere in the record')[1]


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("commitments/?page=0", 422, "is not a page"),
        ("commitments/?page=x", 422, "is not a page"),
        ("commitments/?page=5", 404, "the last one is 4"),
        ("commitments/?page=99999999999999999999", 422, "is not a page"),
        ("commitments/?domain=cooking", 422, "is none of"),
        ("commitments/?sort=x", 422, "is none of"),
        ("commitments/?source=s9", 422, "no source"),
        ("commitments/?q=" + "x" * 201, 422, "at most 200"),
        ("commitments/?q=a%00b", 422, "a character that no text has"),
        ("commitments/?q=%ff%fe", 400, "UTF-8"),
        ("commitments.csv?domain=cooking", 422, "is none of"),
        ("commitments/nothing/", 404, "no commitment"),
        ("commitments/..%2f..%2fetc/", 404, ""),
        ("organisations/?kind=x", 422, "is none of"),
        ("organisations/?country=XX", 422, "is none of"),
        ("organisations/?page=3", 404, "the last one is 2"),
        ("organisations/nothing/", 404, "no organisation"),
        ("sources/?reliability=x", 422, "is none of"),
        ("findings/?severity=x", 422, "is none of"),
        ("findings/?page=-1", 422, "is not a page"),
        ("findings/nothing/", 404, "no finding"),
        ("agreements/nothing/", 404, "no agreement"),
        ("charts/nothing.csv", 404, "no chart"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_words(address, status, said):
    response = get(f"/en/record/{address}")
    assert response.status_code == status
    assert said in words(response)[0].replace("&#x27;", "'")
    assert get(f"/ja/record/{address}").status_code == status


def test_a_refusal_is_said_in_the_readers_language():
    text, _ = words(get("/ja/record/findings/nothing/"))
    assert "この記録に所見 'nothing'はありません" in text


def test_an_unchanged_page_is_not_sent_again():
    first = get("/en/record/commitments/")
    again = get("/en/record/commitments/", if_none_match=first["ETag"])
    assert again.status_code == 304
    assert not again.content
    assert get("/ja/record/commitments/")["ETag"] != first["ETag"]
    door.add_milestone(
        author=None, reason="test", commitment="s1-c01", title_en="x", title_ja="x", due="2027"
    )
    assert get("/en/record/commitments/", if_none_match=first["ETag"]).status_code == 200


def test_a_chart_that_was_drawn_changes_the_dashboard():
    """The facts are the same; the page is not."""
    before = get("/en/")
    Drawing.objects.create(
        name="money",
        language="en",
        version=door.state().version,
        drawn_on=timezone.localdate(),
        svg='<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="x"></svg>',
    )
    after = get("/en/", if_none_match=before["ETag"])
    assert after.status_code == 200
    assert "<svg" in after.content.decode().split('id="chart-money"')[1]


def test_a_chart_that_is_missing_or_old_says_so_and_opens_its_table():
    html = get("/en/").content.decode()
    assert html.count("The chart is being drawn. The table below is complete.") == 3
    assert html.count("<details open>") >= 3
    Drawing.objects.create(
        name="money", language="en", version=0, drawn_on=timezone.localdate(), svg="<svg></svg>"
    )
    text, _ = words(get("/en/"))
    assert "The drawing shows version 0 of the facts" in text


def test_drawing_makes_every_chart_in_both_languages():
    version = tasks.draw_now()
    assert version == door.state().version
    drawn = {(row.name, row.language): row for row in Drawing.objects.all()}
    assert set(drawn) == {(name, code) for name in door.CHARTS for code in ("en", "ja")}
    assert "人工知能" in drawn["status", "ja"].svg
    assert "Artificial intelligence" in drawn["status", "en"].svg
    html = get("/ja/").content.decode()
    assert "図を作成中です" not in html
    assert 'id="money-title"' in html


def download(address):
    response = get(address)
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode("utf-8"), response


def test_the_selection_comes_as_csv_and_json():
    text, response = download("/en/record/commitments.csv?domain=quantum&sort=title")
    assert text.startswith("\ufeff")
    assert "attachment" in response["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    selection = door.Selection(domain="quantum", sort="title")
    assert [row["id"] for row in rows] == [row.slug for row in door.select(selection)]
    document = json.loads(download("/en/record/commitments.json?domain=quantum&sort=title")[0])
    assert document["selection"] == {"domain": "quantum", "sort": "title"}
    assert [item["id"] for item in document["items"]] == [row["id"] for row in rows]
    amounts = {item["id"]: item["amount"] for item in document["items"]}
    assert amounts["s1-c06"] == "50000000"


@pytest.mark.parametrize("name", ["money", "status", "milestones"])
def test_the_table_behind_a_chart_comes_as_csv_and_json(name):
    rows = door.CHARTS[name].rows(timezone.localdate())
    table = list(
        csv.DictReader(
            io.StringIO(download(f"/en/record/charts/{name}.csv")[0].removeprefix("\ufeff"))
        )
    )
    items = json.loads(download(f"/en/record/charts/{name}.json")[0])["items"]
    assert len(table) == len(items) == len(rows) > 0
    assert set(table[0]) == set(items[0]) == set(door.CHARTS[name].columns)


def test_a_formula_as_title_is_harmless_in_the_file():
    door.edit_commitment(
        author=None,
        reason="test",
        commitment="s1-c01",
        version=None,
        title_en="=1+1",
        title_ja="＝1+1",
    )
    rows = csv.DictReader(
        io.StringIO(download("/en/record/commitments.csv")[0].removeprefix("\ufeff"))
    )
    row = next(row for row in rows if row["id"] == "s1-c01")
    assert (row["title_en"], row["title_ja"]) == ("'=1+1", "'＝1+1")


@pytest.mark.parametrize("address", ["", "record/commitments/", "record/commitments.csv"])
def test_public_pages_take_no_writes(address):
    assert Client().post(f"/en/{address}").status_code == 405


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_shortened_address_of_the_record_leads_to_the_dashboard(language):
    answer = Client().get(f"/{language}/record/")

    assert (answer.status_code, answer["Location"]) == (302, f"/{language}/")


def test_the_dashboard_asks_once_what_the_other_rooms_show(monkeypatch):
    """Its ETag depends on that, and so does its text."""
    from renkei.record.views import _dashboard

    asked = []
    shown = _dashboard.figures()
    monkeypatch.setattr(_dashboard, "figures", lambda: asked.append(1) or shown)
    get("/en/?fresh=1")  # what the page says is kept by now
    asked.clear()
    get("/en/?fresh=2")

    assert len(asked) == 1


def test_the_dashboard_counts_what_is_and_what_is_context():
    from renkei.record.views import _dashboard

    lines = _dashboard._delivered(tasks.status_rows(timezone.localdate()))
    facts = Commitment.objects.filter(record_class="commitment")
    assert sum(line["commitments"] for line in lines) == facts.count()
    for line in lines:
        here = facts.filter(domain=line["domain"])
        assert line["commitments"] == here.count()
        assert line["completed"] == here.filter(status="completed").count()


def test_findings_are_read_along_their_order():
    """The index is of an expression: a database uses it for exactly that one."""
    from django.db import connection

    from renkei.record.views import _others, _rows

    asked = _rows.WHICH_FINDINGS.format(where="TRUE", order=_others._GRAVEST_FIRST)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute(f"EXPLAIN {asked}", [50, 0])
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {asked}", [50, 0])
        plan = "\n".join(str(row) for row in cursor.fetchall())
    assert "record_finding_gravest" in plan, plan
    assert "TEMP B-TREE" not in plan, plan


def test_an_officer_finds_the_way_to_edit(django_user_model):
    from django.conf import settings

    from renkei.base.models import Grant

    address = "/en/record/commitments/s1-c01/"
    assert "/en/record/commitments/s1-c01/edit/" not in get(address).content.decode()
    user = django_user_model.objects.create_user("officer")
    Grant.objects.create(user=user, party=settings.NODE.party, role="officer")
    client = Client()
    client.force_login(user)
    assert "/en/record/commitments/s1-c01/edit/" in client.get(address).content.decode()


def test_the_catalogue_is_complete_and_compiled():
    """Every message has a Japanese text with the same places, and the compiled file is its equal."""
    from importlib import resources

    import polib

    folder = resources.files("renkei.record") / "locale/ja/LC_MESSAGES"
    catalogue = polib.pofile(str(folder / "django.po"))
    assert catalogue.percent_translated() == 100
    assert not catalogue.fuzzy_entries()
    place = re.compile(r"%\(\w+\)s|\{\w+(?:![rs])?\}")
    for entry in catalogue:
        for said in entry.msgstr_plural.values() or [entry.msgstr]:
            assert set(place.findall(said)) == set(place.findall(entry.msgid)), entry.msgid
    compiled = {
        (entry.msgctxt, entry.msgid): entry.msgstr
        for entry in polib.mofile(str(folder / "django.mo"))
    }
    assert compiled == {(entry.msgctxt, entry.msgid): entry.msgstr for entry in catalogue}


def test_pages_are_served_without_the_drawing_engine():
    """The node's own processes stay small: drawing happens in a process of its own."""
    program = (
        "import django, sys; django.setup(); import renkei.site.urls, renkei.record.views; "
        "assert not {'altair', 'vl_convert'} & set(sys.modules), 'loaded'"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_search_has_pages_for_the_rows_that_it_looked_at_alone(monkeypatch):
    """Of a very common word only the newest hits are looked at: later pages would be empty."""
    from renkei.record.door import _read

    for module in (door, _read):
        monkeypatch.setattr(module, "MOST_HITS", ROWS + 3)

    def rows(number):
        return (
            get(f"/en/record/commitments/?q=us&page={number}")
            .content.decode()
            .count('<th scope="row">')
        )

    assert door.count(door.Selection.parse({"q": "us"})) > 2 * ROWS
    assert (rows(1), rows(2)) == (ROWS, 3)
    assert get("/en/record/commitments/?q=us&page=3").status_code == 404
