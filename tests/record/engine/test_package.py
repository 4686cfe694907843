"""The data files of a record: their format, and the one that the project ships."""

import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from renkei.record import engine

DATA = Path(str(resources.files("renkei.record") / "data"))
CHECKOUT = Path(__file__).parents[3]
LONGEST_RUN = 6  # words: from here on it is a sentence of theirs and not a fact


def shared_sources():
    """Return the folder of the documents themselves, which no checkout holds."""
    for parent in CHECKOUT.parents:
        folder = parent / "shared" / "sources"
        if (folder / "gold.json").is_file():
            return folder
    return None


SOURCES = shared_sources()
needs_sources = pytest.mark.skipif(
    SOURCES is None, reason="the source documents are not beside this checkout (shared/sources)"
)


@pytest.fixture(scope="module")
def package():
    return engine.read_package(DATA)


@pytest.fixture(scope="module")
def gold():
    return json.loads((SOURCES / "gold.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def texts(gold):
    return {
        item["id"]: engine.read((SOURCES / item["file"]).read_bytes()) for item in gold["documents"]
    }


def test_the_shipped_record_is_whole(package):
    counts = {kind: len(items) for kind, items in package.items()}
    assert counts["commitments"] == 80
    assert counts["findings"] == 46
    assert counts["organisations"] == 93
    assert counts["sources"] == 5


def test_the_format_is_a_json_schema():
    text = resources.files("renkei.record.engine").joinpath("schema.json").read_text("utf-8")
    jsonschema.Draft202012Validator.check_schema(json.loads(text))
    assert set(engine.KINDS) < set(json.loads(text)["$defs"])


def test_what_is_written_is_read_again(package):
    for kind, items in package.items():
        content = "".join(engine.serialise(kind, iter(items))).encode()
        assert engine.parse(kind, content, name="x") == items


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "expected format"),
        (b'{"format": "renkei-record/2", "kind": "findings", "items": []}', "expected format"),
        (b'{"format": "renkei-record/1", "kind": "sources", "items": []}', "kind findings"),
        (b'{"format": "renkei-record/1", "kind": "findings", "items": {}}', "expected format"),
        (b'{"format": "renkei-record/1", "kind": "findings", "items": [5]}', "item 0"),
        (b'{"format": "renkei-record/1", "kind": "findings", "items": [{"id": "x"}]}', r"\(x\)"),
    ],
)
def test_what_is_no_data_file_is_refused(content, said):
    with pytest.raises(engine.BadPackageError, match=said):
        engine.parse("findings", content, name="findings.json")


def test_an_unknown_property_is_named(package):
    item = {**package["findings"][0], "colour": "red"}
    content = json.dumps({"format": "renkei-record/1", "kind": "findings", "items": [item]})
    with pytest.raises(engine.BadPackageError, match="colour"):
        engine.parse("findings", content.encode(), name="findings.json")


def test_a_folder_without_files_is_no_record(tmp_path):
    with pytest.raises(engine.BadPackageError, match="holds no record"):
        engine.read_package(tmp_path)


def test_every_value_is_one_that_an_officer_could_enter(package):
    for item in package["commitments"]:
        for claim in item["claims"]:
            engine.check_field(claim["field"])
            if engine.is_money(claim["field"]):
                money = claim["money"]
                assert engine.to_minor(claim["value"], money["currency"]) >= 0
                engine.side(money["side"])
                assert money["nature"] in engine.VOCABULARY["nature"]
                assert money["status"] in engine.VOCABULARY["stage"]
                assert money["relation"] in engine.VOCABULARY["relation"]
            else:
                engine.check_value(claim["field"], claim["value"])


def test_every_name_leads_somewhere(package):
    slugs = {kind: {item["id"] for item in items} for kind, items in package.items()}
    for item in package["commitments"]:
        assert item["source"] in slugs["sources"]
        assert item["part_of"] is None or item["part_of"] in slugs["commitments"]
        assert {claim["source"] for claim in item["claims"]} <= slugs["sources"]
        assert {part["organisation"] for part in item["organisations"]} <= slugs["organisations"]
    for kind in ("clusters", "lookalikes"):
        for item in package[kind]:
            assert set(item["members"]) <= slugs["commitments"]
    for item in package["findings"]:
        assert set(item["commitments"]) <= slugs["commitments"]


def places(package):  # noqa: C901  one loop a kind of place
    """Yield every passage of the record: source and offsets."""
    for item in package["commitments"]:
        for claim in item["claims"]:
            for place in claim["passages"]:
                yield claim["source"], place["start"], place["end"]
        for part in item["organisations"]:
            if part["passage"]:
                yield item["source"], part["passage"]["start"], part["passage"]["end"]
        for milestone in item["milestones"]:
            if milestone["passage"]:
                yield (
                    milestone["source"],
                    milestone["passage"]["start"],
                    milestone["passage"]["end"],
                )
    for item in package["findings"]:
        for side in item["sides"]:
            yield side["source"], side["start"], side["end"]
    for item in package["sources"]:
        for place in [*item["zones"], *item["money_mentions"]]:
            yield item["id"], place["start"], place["end"]


def test_every_passage_lies_inside_its_document(package):
    characters = {item["id"]: item["chars"] for item in package["sources"]}
    found = list(places(package))
    assert len(found) > 500
    for source, start, end in found:
        assert 0 <= start < end <= characters[source]


# Against the documents themselves, where they are


@needs_sources
def test_the_documents_are_the_ones_that_the_record_means(package, gold, texts):
    files = {item["id"]: item["file"] for item in gold["documents"]}
    for item in package["sources"]:
        content = (SOURCES / files[item["id"]]).read_bytes()
        assert engine.digest(content) == item["sha256"]
        assert len(content) == item["bytes"]
        assert len(texts[item["id"]]) == item["chars"]


@needs_sources
def test_the_gold_amounts_are_in_the_record(package, gold):
    ours = {item["id"]: item for item in package["commitments"]}
    assert {item["id"] for item in gold["commitments"]} == ours.keys()
    checked = 0
    for item in gold["commitments"]:
        if "amount" not in item:
            continue
        claims = [
            claim
            for claim in ours[item["id"]]["claims"]
            if claim["field"] == "amount" and claim["source"] == item["doc"]
        ]
        said = {(float(claim["value"]), claim["money"]["currency"]) for claim in claims}
        assert (float(item["amount"]["value"]), item["amount"]["currency"]) in said, item["id"]
        checked += 1
    assert checked > 20


@needs_sources
def test_the_gold_findings_and_organisations_are_in_the_record(package, gold):
    findings = {item["id"]: item for item in package["findings"]}
    for item in gold["contradictions"]:
        mine = findings[item["id"]]
        assert (mine["type"], mine["severity"]) == (item["type"], item["severity"])
        assert {(side["source"], side["start"], side["end"]) for side in mine["sides"]} == {
            (side["doc"], side["start"], side["end"]) for side in item["sides"]
        }
    assert {item["id"] for item in package["organisations"]} == gold["organisations"].keys()


@needs_sources
def test_dates_and_parties_of_the_gold_are_in_the_record(package, gold):
    ours = {item["id"]: item for item in package["commitments"]}
    for item in gold["commitments"]:
        claims = ours[item["id"]]["claims"]
        said = {claim["value"] for claim in claims if claim["field"] == "parties"}
        assert engine.parties(",".join(item["parties"])) in {engine.parties(text) for text in said}
        for name in ("domain", "kind", "status"):
            assert item[name] in {claim["value"] for claim in claims if claim["field"] == name}


@needs_sources
def test_the_shipped_amounts_stand_where_the_record_says(package, texts):
    """A passage of an amount holds a digit, or the words for one."""
    for item in package["commitments"]:
        for claim in item["claims"]:
            if engine.is_money(claim["field"]):
                for place in claim["passages"]:
                    said = texts[claim["source"]][place["start"] : place["end"]]
                    assert re.search(r"\d|billion|million|trillion", said), (item["id"], said)


def runs(text):
    """Return every run of words of a text, and whether it is a name: all words capital.

    Addresses are no prose: what has a slash is left out.
    """
    words = re.findall(r"[^\W_]+", re.sub(r"\S*/\S+", " ", text))
    for at in range(len(words) - LONGEST_RUN + 1):
        run = words[at : at + LONGEST_RUN]
        yield tuple(word.casefold() for word in run), not any(word[0].islower() for word in run)


def prose(value):
    """Yield every text of the record; addresses are locators, not sentences."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from prose(inner)
    elif isinstance(value, str) and not value.startswith("https://"):
        yield value


@needs_sources
def test_no_sentence_of_the_sources_is_shipped(package, gold, texts):
    """No six words in a row of any source stand in any text of the record, outside names."""
    theirs = {run for text in texts.values() for run, is_name in runs(text) if not is_name}
    assert len(theirs) > 3_000
    copied = []
    for kind, items in package.items():
        if kind == "organisations":  # nothing but names
            continue
        for item in items:
            for text in prose(item):
                copied += [
                    (kind, item["id"], " ".join(run))
                    for run, _is_name in runs(text)
                    if run in theirs
                ]
    assert copied == []
