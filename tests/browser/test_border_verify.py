"""The page that checks receipts, in a real browser that is cut off from everything.

The page's own template and scripts are served by the test itself under the node's content security
policy, so that nothing here depends on a node.
"""

import json
import random
import re
from base64 import b64encode
from pathlib import Path

import pytest
from django.conf import settings
from tests.border.engine.pair import CONTENT, OFFICERS, Node, act, receipt

from renkei.border import engine

BORDER = Path(engine.__file__).parents[1]
ORIGIN = "http://verify.test"
POLICY = "; ".join(
    f"{name} {' '.join(values)}"
    for name, values in settings.CONTENT_SECURITY_POLICY["DIRECTIVES"].items()
)
KINDS = {".js": "text/javascript", ".html": "text/html; charset=utf-8"}


def page_text():
    """The page's own part of its template, in English."""
    source = (BORDER / "templates" / "border" / "verify.html").read_text("utf-8")
    body = source.partition("{% block content %}")[2].partition("{% endblock %}")[0]
    said = re.sub(r'{% translate "([^"]*)" %}', r"\1", body)
    assert "{%" not in said
    return (
        f'<!doctype html><html lang="en"><title>Check</title><main>{said}</main>'
        '<script type="module" src="/static/border/verify.js"></script></html>'
    )


@pytest.fixture
def page(chromium):
    """The page, loaded; then the network is gone."""
    asked = []
    context = chromium.new_context(viewport={"width": 1280, "height": 900})

    def answer(route):
        asked.append(route.request.url)
        path = route.request.url.removeprefix(ORIGIN)
        if path == "/":
            body, kind = page_text(), KINDS[".html"]
        else:
            file = BORDER / path.removeprefix("/")
            body, kind = file.read_text("utf-8"), KINDS[file.suffix]
        route.fulfill(body=body, headers={"Content-Type": kind, "Content-Security-Policy": POLICY})

    context.route("**/*", answer)
    page = context.new_page()
    problems = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{ORIGIN}/")
    page.wait_for_load_state("networkidle")
    context.set_offline(True)
    loaded = len(asked)
    yield page
    assert asked[loaded:] == [], "the page asked somebody"
    assert [text for text in problems if "favicon" not in text] == []
    context.close()


@pytest.fixture(scope="module")
def files():
    """Genuine and spoiled files of every kind, by name."""
    us, jp = Node("us", "US"), Node("jp", "JP")
    us.fill(9)
    us.rotate_log("second", overlap=3)
    refs = act(us, jp)
    good = receipt(us, jp, refs=refs)
    second = act(us, jp, content=CONTENT | {"amount": "1.00"})
    found = {"receipt": good}
    found["two seals"] = engine.compose_receipt(
        [us.receipt_log([refs[-1], second[-1]])], kind=engine.TWO_SEALS
    )
    one, two = Node("us", "US"), Node("us", "US")
    one.fill(6)
    two.fill(8)
    one.say("record.note.made", {"said": "to Tokyo"}, signers=[one.keys.log.ed25519])
    found["fork"] = engine.compose_fork(
        one.founded, engine.fork_evidence(one.checkpoint(), two.checkpoint(), two.read)
    )
    us.rotate_log("third")
    found["just rotated"] = receipt(us, jp, refs=refs)
    found |= {f"spoiled {n}": data for n, data in enumerate(_spoiled(good))}
    found |= {
        f"byte {seed}": _one_byte(found[kind], seed)
        for seed, kind in enumerate(["receipt"] * 5 + ["fork"] * 3 + ["two seals"] * 2)
    }
    found |= {
        "empty": b"",
        "no object": b"[]",
        "no JSON": b"renkei",
        "no UTF-8": b"\xff\xfe",
        "deep": b"[" * 1_000_000,
        "float": b'{"kind":1.5}',
        "minus zero": b'{"kind":-0}',
        "twice": b'{"kind":1,"kind":1}',
        "surrogate": b'{"kind":"\\ud800"}',
        "large": b" " * (1024 * 1024 + 1),
        "spaces": good.replace(b",", b", ", 1),
    }
    return found


def _spoiled(good):
    """Files in which one thing is wrong that a signature alone does not tell."""

    def entries(document):
        return document["logs"][0]["entries"]

    changes = [
        lambda d: entries(d).pop(0),
        lambda d: entries(d).pop(1),
        lambda d: entries(d).pop(-1),
        lambda d: entries(d)[1].update(index=entries(d)[1]["index"] + 1),
        lambda d: entries(d)[1]["path"].pop(),
        lambda d: entries(d)[1].update(path=entries(d)[1]["path"] * 9),
        lambda d: d["logs"].pop(1),
        lambda d: d["logs"].reverse(),
        lambda d: d["logs"].append(d["logs"][0]),
        lambda d: d["logs"][0].update(checkpoint=d["logs"][1]["checkpoint"]),
        lambda d: d["logs"][0].update(checkpoint=_without_line(d["logs"][0]["checkpoint"], 0)),
        lambda d: d["logs"][0].update(checkpoint=_without_line(d["logs"][0]["checkpoint"], 1)),
        lambda d: d["logs"][0].update(checkpoint=_without_line(d["logs"][0]["checkpoint"], 2)),
        lambda d: d["logs"][0].update(checkpoint=_without_line(d["logs"][0]["checkpoint"], 3)),
        lambda d: d["logs"][1]["identity"].update(party="US"),
        lambda d: d["logs"][1]["identity"].update(protocols=[]),
        lambda d: d["disclosed"][0].update(content="Somebody Else"),
        lambda d: d["disclosed"][0].update(salt=""),
        lambda d: d.update(kind=engine.TWO_SEALS),
        lambda d: d.update(kind=engine.FORK),
        lambda d: d.update(more=None),
    ]
    for change in changes:
        document = json.loads(good)
        change(document)
        yield engine.canonical(document)


def _without_line(note, number):
    text, _, signatures = note.partition("\n\n")
    lines = signatures.split("\n")
    del lines[number]
    return f"{text}\n\n" + "\n".join(lines)


def _one_byte(data, seed):
    chance = random.Random(seed)
    at = chance.randrange(len(data))
    return data[:at] + bytes([chance.choice(b'aA0"}')]) + data[at + 1 :]


def test_the_page_says_what_the_engine_checks():
    """Every sentence of a check stands in the template, word for word, and no other."""
    said = dict(re.findall(r'<p data-code="(\w+)">([^<]*)</p>', page_text()))

    assert said == engine.CHECKS


def test_the_browser_finds_what_the_engine_finds(page, files):
    """Two programs, one written from the formats alone: the same checks, the same verdicts."""
    different = {}
    for name, data in files.items():
        theirs = page.evaluate(
            """async (text) => {
              const { verifyReceipt } = await import('/static/border/receipt.js')
              return verifyReceipt(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)))
            }""",
            b64encode(data).decode(),
        )
        report = engine.verify_receipt(data)
        ours = [(check.code, check.subject, check.passed) for check in report.checks]
        found = [(check["code"], check["subject"], check["passed"]) for check in theirs["checks"]]
        verdicts = (report.kind, report.passed, report.pinned, report.said)
        if ours != found or verdicts != tuple(
            theirs[key] for key in ("kind", "passed", "pinned", "said")
        ):
            different[name] = sorted({*ours} ^ {*found}, key=str)

    assert different == {}
    assert engine.verify_receipt(files["receipt"]).passed
    assert sum(not engine.verify_receipt(data).passed for data in files.values()) > 35


def choose(page, data, pins=""):
    page.locator("#receipt").set_input_files(
        {"name": "act.receipt", "mimeType": "application/json", "buffer": data}
    )
    page.locator("#pins").fill(pins)
    page.get_by_role("button", name="Check").click()


def test_an_officer_checks_a_receipt(page, files):
    us, jp = Node("us", "US"), Node("jp", "JP")
    pins = "\n\n".join(engine.format_fingerprint(node.founded.fingerprint) for node in (us, jp))

    choose(page, files["receipt"], pins)

    page.get_by_text("The receipt is genuine").wait_for()
    for text in (CONTENT["title_ja"], OFFICERS["JP"], "record.commitment/us/c-17"):
        assert page.locator("#report").get_by_text(text).count() >= 1
    assert page.locator("#report tr[data-passed=true]").count() > 20
    assert page.locator("#report tr:not([data-passed=true])").count() == 0


def test_a_stranger_is_told_to_compare(page, files):
    choose(page, files["receipt"])

    page.get_by_text("The receipt is genuine if").wait_for()
    shown = engine.format_fingerprint(Node("jp", "JP").founded.fingerprint).replace("\n", " ")
    assert page.locator("#report tr[data-passed=null]").get_by_text(shown).count() == 1


def test_a_spoiled_receipt_is_refused_and_says_why(page, files):
    choose(page, files["receipt"].replace(b"12500000.00", b"12500000.01"))

    page.get_by_text("This file proves nothing").wait_for()
    assert page.locator("#report tr[data-code=proposal][data-passed=false]").count() == 1
    assert page.get_by_text("What was agreed").count() == 0


def test_a_fork_is_shown(page, files):
    choose(page, files["fork"])

    page.get_by_text("The misconduct is proven if").wait_for()
    assert page.get_by_text("us.example/log").count() >= 1


def test_a_wrong_fingerprint_is_told_before_anything_is_checked(page, files):
    choose(page, files["receipt"], "12345 67890")

    page.get_by_text("This is no fingerprint").wait_for()
    assert page.locator("#report").is_hidden()


def test_what_a_file_says_is_never_markup(page):
    us, jp = Node("us", "US"), Node("jp", "JP")
    evil = "<img src=x onerror=document.title='owned'>"
    data = receipt(us, jp, refs=act(us, jp, content={"title": evil}))

    choose(page, data)

    page.locator("#report pre").get_by_text(evil).wait_for()
    assert page.locator("#report img").count() == 0
    assert page.title() == "Check"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("language", "look", "genuine"),
    [
        ("en", ("light", 1280), "is genuine if"),
        ("ja", ("dark", 390), "一致すれば、受領証は真正です"),
    ],
)
def test_the_node_s_own_page_has_no_barrier(open_page, axe, files, language, look, genuine):  # noqa: PLR0917
    """As the node serves it, in both languages: whole on a phone, also with the result shown."""
    theme, width = look
    page = open_page(theme=theme, width=width)
    page.goto(f"/{language}/border/verify/")
    axe(page)

    page.locator("#receipt").set_input_files(
        {"name": "act.receipt", "mimeType": "application/json", "buffer": files["receipt"]}
    )
    page.locator("#verify button").click()

    page.locator("#report").get_by_text(genuine).wait_for()
    axe(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
