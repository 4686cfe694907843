"""Choosing commitments: the same answer as asking the facts one by one, and clear refusals."""

import itertools

import pytest
from django.utils.translation import override

from renkei.kit.errors import NotFoundError
from renkei.record import door, engine
from renkei.record.door import _read
from renkei.record.models import Commitment

pytestmark = pytest.mark.usefixtures("shipped")


def by_hand(**chosen):
    """The same selection, row by row in Python."""
    rows = Commitment.objects.select_related("source").prefetch_related("findings")
    kept = set()
    for row in rows:
        party = chosen.get("party")
        wanted = {
            "record_class": row.record_class,
            "domain": row.domain,
            "kind": row.kind,
            "status": row.status,
            "scope": row.scope,
            "source": row.source.slug,
            "nature": row.amount_nature,
            "finding": "any" if row.findings.all() else "none",
        }
        if party and party not in row.parties.split(","):
            continue
        if all(wanted[key] == value for key, value in chosen.items() if key != "party"):
            kept.add(row.slug)
    return kept


CHOICES = {
    "record_class": ["commitment", "context"],
    "domain": ["quantum", "general", "5g-digital"],
    "kind": ["funding", "agreement"],
    "status": ["announced", "signed"],
    "scope": ["bilateral", "national"],
    "party": ["US", "KR", "G7", "FR"],
    "source": ["s1", "s5"],
    "nature": ["public", "contract"],
    "finding": ["any", "none"],
}


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(CHOICES, 2)))
def test_a_selection_is_what_the_facts_say(first, second):
    for one, two in itertools.product(CHOICES[first], CHOICES[second]):
        chosen = {first: one, second: two}
        selection = door.Selection(**chosen)
        expected = by_hand(**chosen)
        assert {row.slug for row in door.select(selection)} == expected
        assert door.count(selection) == len(expected)
        listed = door.listed(selection, offset=0, limit=100)
        assert [row.slug for row in listed] == [row.slug for row in door.select(selection)]


@pytest.mark.parametrize("chosen", [{}, {"domain": "quantum"}, {"q": "RIKEN"}, {"source": "s5"}])
def test_the_number_beside_a_choice_is_what_choosing_it_gives(chosen):
    """Also for another value of a facet that is chosen already."""
    selection = door.Selection(**chosen)
    seen = 0
    for name, choices in door.facets(selection).items():
        for choice in choices:
            if choice.count is None:
                assert name in {"source", "nature", "finding"}
                continue
            picked = door.Selection(**{**chosen, name: choice.value})
            assert door.count(picked) == choice.count, (name, choice)
            seen += 1
    assert seen >= 7


@pytest.mark.parametrize("sort", door.SORTS)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_leafing_through_shows_each_commitment_once(sort, language):
    with override(language):
        selection = door.Selection(sort=sort)
        seen = [
            row.slug
            for offset in range(0, 90, 7)
            for row in door.listed(selection, offset=offset, limit=7)
        ]
        assert seen == [row.slug for row in door.select(selection)]
    assert len(set(seen)) == len(seen) == 80


EVERY_WAY = {
    "as they are": {},
    "walk to the hits": {"BESIDE": 10**6},
    "walk too short a way": {"BESIDE": 10**6, "SHARE": 0},
    "fetch all hits": {"BESIDE": 0, "SOUGHT": 0},
    "walk by columns": {"BESIDE": 10**6, "SOUGHT": 10**6, "FAR": 10**6, "MOST_COUNTED": 5},
    "ask the search index": {"BESIDE": 0, "FAR": 0, "MOST_COUNTED": 5},
}
"""How a page of a list can be found: which way is shorter depends on the size of the record."""


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize("sort", door.SORTS)
def test_every_way_to_the_rows_gives_the_same(way, sort, monkeypatch):
    chosen = [
        {},
        {"domain": "quantum"},
        {"party": "JP", "scope": "bilateral"},
        {"nature": "public"},
        {"finding": "any", "status": "announced"},
        {"finding": "none"},
        {"source": "s5", "party": "US"},
    ]
    if "MOST_COUNTED" not in EVERY_WAY[way]:  # of a search, fewer hits are looked at than counted
        chosen += [{"q": "quantum"}, {"q": "研究", "finding": "any"}]
    for name, value in EVERY_WAY[way].items():
        monkeypatch.setattr(_read, name, value)
    for cached in (_read._count, _read._keys):
        cached.cache_clear()
    seen = 0
    for language, kept in itertools.product(("en", "ja"), chosen):
        with override(language):
            selection = door.Selection(**kept, sort=sort)
            expected = [row.slug for row in door.select(selection)]
            pieces = [
                [row.slug for row in door.listed(selection, offset=offset, limit=6)]
                for offset in range(0, len(expected) + 6, 6)
            ]
        assert [slug for piece in pieces for slug in piece] == expected, (kept, language)
        seen += len(expected)
    assert seen > 200
    for cached in (_read._count, _read._keys):
        cached.cache_clear()


def test_orders():
    amounts = [row.amount_minor for row in door.select(door.Selection(sort="amount"))]
    stated = [amount for amount in amounts if amount is not None]
    assert stated == sorted(stated, reverse=True)
    assert amounts[: len(stated)] == stated  # what has no amount comes last
    dates = [row.dated for row in door.select(door.Selection(sort="date"))]
    assert dates == sorted(dates, reverse=True)
    with override("ja"):
        titles = [row.title_ja for row in door.select(door.Selection(sort="title"))]
    assert titles == sorted(titles)


@pytest.mark.parametrize("query", ["量子", "quantum", "ｑｕａｎｔｕｍ", "理研", "Keio", "慶應"])
def test_search_finds_in_both_languages(query):
    assert 0 < door.count(door.Selection(q=query)) < 80


def test_search_for_signs_alone_finds_nothing():
    """Every commitment would be a wrong answer to a question that names none."""
    assert door.count(door.Selection(q='"*(')) == 0


def test_parameters_lead_back_to_the_selection():
    selection = door.Selection.parse(
        {"q": " chips ", "class": "commitment", "party": "US", "sort": "title", "utm": "x"}
    )
    assert selection.record_class == "commitment"
    assert selection.q == "chips"
    assert door.Selection.parse(selection.parameters) == selection


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"domain": "cooking"}, "domain: 'cooking' is none of ai, quantum"),
        ({"class": "x"}, "class: 'x' is none of commitment, context"),
        ({"party": "XX"}, "party: 'XX'"),
        ({"party": "kr"}, "neither a country code in capitals, such as US or JP, nor one of ASEAN"),
        ({"source": "s9"}, "no source 's9'"),
        ({"source": "s1\x00"}, "no source"),
        ({"nature": "gold"}, "nature: 'gold'"),
        ({"finding": "1"}, "finding: '1' is none of any, none"),
        ({"sort": "x"}, "sort: 'x' is none of recent"),
        ({"q": "x" * 201}, "the search has 201 characters: at most 200"),
        ({"q": "a\x00b"}, "a character that no text has"),
        ({"q": "\ud800"}, "a character that no text has"),
    ],
)
def test_what_the_record_does_not_know_is_refused(given, said):
    with pytest.raises(door.BadSelectionError, match=said):
        door.Selection.parse(given)


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "1.5", "²", "１", "99999999999", "1e3", " 1"])
def test_a_page_has_a_plain_number(text):
    with pytest.raises(door.BadSelectionError, match="is not a page"):
        door.page_number(text, last=4)


def test_a_page_beyond_the_last_is_not_there():
    assert door.page_number("4", last=4) == 4
    with pytest.raises(NotFoundError, match="no page 5: the last one is 4"):
        door.page_number("5", last=4)


def test_a_list_ends_where_leafing_becomes_slow():
    with pytest.raises(door.TooDeepError):
        door.listed(door.Selection(), offset=door.DEEPEST_ROW + 1, limit=10)


def test_numbers_follow_a_change_at_once():
    """The kept counts are those of one version of the facts."""
    before = door.count(door.Selection(domain="quantum"))
    door.add_commitment(
        author=None,
        reason="test",
        title_en="One more",
        title_ja="もう一件",
        source="s1",
        domain="quantum",
        kind="agreement",
        status="signed",
        parties="US,JP",
    )
    assert door.count(door.Selection(domain="quantum")) == before + 1
    chosen = {choice.value: choice for choice in door.facets(door.Selection())["domain"]}
    assert chosen["quantum"].count == before + 1


def test_vocabulary_and_parameters_agree():
    assert set(door.PARAMETER.values()) >= {"class", "q", "sort", "party"}
    assert set(engine.VOCABULARY["class"]) == {"commitment", "context"}
