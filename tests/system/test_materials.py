"""Two running nodes and one disruption: from a ban to a plan that both parties decided on."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from stdnum.iso7064 import mod_97_10
from tests.conftest import CHROMIUM

from renkei.border import engine
from renkei.border.commands._rig import Rig, until
from renkei.materials.engine import OWN_COLUMNS, check_messages

LIMIT_SECONDS = 60.0
pytestmark = pytest.mark.timeout(600)
BAN = {
    "title": "China stops rare-earth compounds",
    "kind": "export_ban",
    "materials": ["rare_earths"],
    "countries": ["CHN"],
    "importers": ["JPN", "USA"],
    "starts_on": "2027-01-01",
}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, founded: Callable[[Path], Path]) -> Iterator[Rig]:
    """Return a running pair, shared by the whole file."""
    with Rig(founded(tmp_path_factory.mktemp("materials") / "var")) as made:
        yield made


def token(rig: Rig, name: str, role: str) -> str:
    """Return the token of a demonstration account."""
    rows = json.loads((rig.var / "demo.json").read_text("utf-8"))
    return next(row["token"] for row in rows if (row["node"], row["role"]) == (name, role))


def told(rig: Rig, name: str, path: str, **more: Any) -> Any:
    """Return what a node answers, as its officer."""
    status, body = rig.ask(name, "GET", f"/node/v1/materials/{path}", **more)
    return json.loads(body) if status == 200 else {}


def plan_at(rig: Rig, name: str, uid: str) -> Any:
    """Return a joint plan as a node shows it, or nothing."""
    return next((row for row in told(rig, name, "plans") if row["uid"] == uid), {})


def page(rig: Rig, name: str, path: str) -> str:
    """Return a page as a stranger sees it."""
    status, body = rig.ask(name, "GET", path, token="")
    assert status == 200, path
    return body.decode()


def test_a_ban_becomes_a_plan_that_both_nodes_keep(rig: Rig) -> None:
    assert until(rig.is_even, 90)
    begun = time.monotonic()
    status, body = rig.ask(
        "us", "POST", "/node/v1/materials/scenarios", BAN, token=token(rig, "us", "analyst")
    )
    assert status == 202, body
    slug = json.loads(body)["slug"]
    where = f"scenarios/{slug}"
    assert until(lambda: told(rig, "us", where).get("state") != "waiting", LIMIT_SECONDS)
    assert told(rig, "us", where)["state"] == "ready"

    status, body = rig.ask(
        "us", "POST", f"/node/v1/materials/{where}/proposal", {"reason": "imports stop"}
    )
    assert status == 201, body
    plan = json.loads(body)
    uid = plan["uid"]
    assert until(lambda: plan_at(rig, "jp", uid), LIMIT_SECONDS)
    assert time.monotonic() - begun <= LIMIT_SECONDS  # from the ban to the plan on both nodes

    listed = page(rig, "jp", "/ja/border/acts/")
    assert "輸出禁止：中国から日本・米国へ（レアアース）" in listed
    assert f"/ja/materials/plans/{plan['uid']}/" in page(
        rig, "jp", f"/ja/border/acts/{plan['uid']}/"
    )
    for name in rig.names:
        assert plan_at(rig, name, uid)["stage"] == "approved_by_one"
        assert not plan_at(rig, name, uid)["is_kept"]

    act = rig.act("jp", plan["uid"])
    assert act["content"] == plan["content"]
    assert rig.answer("jp", act) == 200
    for name in rig.names:
        assert until(lambda name=name: plan_at(rig, name, uid).get("is_kept"), LIMIT_SECONDS)
        assert plan_at(rig, name, uid)["stage"] == "witnessed"
        assert plan["uid"] in page(rig, name, "/en/materials/rare_earths/")
        assert "Witnessed by all" in page(rig, name, f"/en/materials/plans/{plan['uid']}/")


@pytest.fixture
def officers(rig: Rig, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Return a browser page of each node's officer, signed in, each in a context of its own."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is absent: install chromium")
    chromium = request.getfixturevalue("chromium")
    rows = json.loads((rig.var / "demo.json").read_text("utf-8"))
    pages = {}
    for name, lang, width in (("us", "en", 1280), ("jp", "ja", 390)):
        account = next(r for r in rows if (r["node"], r["role"]) == (name, "officer"))
        context = chromium.new_context(
            base_url=rig.address(name), viewport={"width": width, "height": 900}
        )
        page = pages[name] = context.new_page()
        page.goto(f"/{lang}/materials/")
        page.get_by_role("link", name={"en": "Sign in", "ja": "ログイン"}[lang]).first.click()
        page.locator("input[name=login]").fill(account["name"])
        page.locator("input[type=password]").fill(account["password"])
        page.locator("input[type=password]").press("Enter")
        page.wait_for_url(f"**/{lang}/materials/")
    yield pages
    for page in pages.values():
        page.context.close()


def test_officers_ask_propose_and_approve_in_the_browser(
    rig: Rig, officers: dict[str, Any]
) -> None:
    """An officer asks what if from the registry's first page; the partner's approves in Japanese."""
    assert until(rig.is_even, 90)
    us, jp = officers["us"], officers["jp"]
    begun = time.monotonic()
    us.get_by_role("link", name="What if", exact=True).click()
    us.get_by_role("link", name="Build a scenario").click()
    us.get_by_label("Title").fill("China stops exporting rare-earth compounds")
    us.get_by_label("Materials").select_option(label="Rare earths")
    us.get_by_label("Where it happens").select_option(label="China")
    year = date.today().year + 1  # noqa: DTZ011  the browser's day
    assert us.get_by_label("First day").input_value() == f"{year}-01-01"
    chosen = us.get_by_label("Whom it hits").locator("option:checked")
    assert sorted(chosen.all_inner_texts()) == ["Japan", "United States"]
    us.get_by_role("button", name="Answer it").click()
    us.get_by_role("heading", name="Products that are hit").wait_for(timeout=60_000)
    answer = us.locator("main").inner_text()
    for part in (
        "No diversion",
        "Free diversion",
        "With caps",
        "Neodymium magnet",
        "not in this time",
    ):
        assert part in answer
    table = us.get_by_role("table", name="What each party misses, and until when its stock lasts")
    assert "69.9 %" in table.get_by_role("row", name="Japan").inner_text()
    assert us.locator(".materials-map svg").count() == 1
    assert us.get_by_role("table", name="Value of one more tonne").is_visible()

    us.get_by_label("Reason for the partner").fill("imports stop")
    us.get_by_role("button", name="Propose to the partner").click()
    us.wait_for_url("**/materials/plans/*/")
    uid = us.url.rstrip("/").rpartition("/")[2]
    assert until(lambda: plan_at(rig, "jp", uid), LIMIT_SECONDS)
    assert time.monotonic() - begun <= LIMIT_SECONDS

    jp.get_by_role("link", name="共同計画").first.click()
    jp.locator(f'a[href*="plans/{uid}"]').first.click()
    jp.get_by_role("heading", name="輸出禁止：中国から日本・米国へ（レアアース）").wait_for()
    assert jp.evaluate("document.documentElement.scrollWidth") <= 390
    jp.get_by_role("link", name="提案に回答する").click()
    jp.get_by_role("button", name="承認する").click()
    for name, page, said in (("us", us, "in the registry"), ("jp", jp, "登録済み")):
        assert until(lambda name=name: plan_at(rig, name, uid).get("is_kept"), LIMIT_SECONDS)
        page.goto(f"/{'en' if name == 'us' else 'ja'}/materials/plans/{uid}/")
        assert said in page.locator(".badges").inner_text()
        act = rig.act(name, uid)
        assert act["stage"] == "witnessed"
        assert set(plan_at(rig, name, uid)["approvals"].values()) == {True}


def test_a_run_is_stopped_in_the_browser(rig: Rig, officers: dict[str, Any]) -> None:
    us = officers["us"]
    us.goto("/en/materials/scenarios/add/")
    us.get_by_label("Title").fill("all of China's exports")
    us.get_by_label("Where it happens").select_option(label="China")
    us.get_by_role("button", name="Answer it").click()
    us.get_by_role("button", name="Stop").click()
    us.get_by_text("The run was stopped.").wait_for(timeout=30_000)


def test_the_command_proposes_and_the_partner_may_say_no(rig: Rig) -> None:
    made = rig.renkei(
        "jp", "materials", "disrupt", "rare_earths", "--from", "CHN", "--to", "JPN",
        "--start", "2027-01-01", "--title", "by command", "--json",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    slug = json.loads(made.stdout)["slug"]
    nobody = rig.renkei(
        "jp", "materials", "respond", slug, "--propose", "--officer", "nobody", "--reason", "r"
    )
    assert nobody.returncode == 1
    assert "officer" in nobody.stderr
    done = rig.renkei(
        "jp", "materials", "respond", slug, "--propose", "--officer", "jp-officer",
        "--reason", "a drill", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert until(lambda: rig.act("us", plan["uid"]), LIMIT_SECONDS)
    assert rig.answer("us", rig.act("us", plan["uid"]), approve=False) == 200
    uid = plan["uid"]
    for name in rig.names:
        assert until(
            lambda name=name: plan_at(rig, name, uid).get("stage") == "rejected", LIMIT_SECONDS
        )
        assert not plan_at(rig, name, uid)["is_kept"]


SUPPLY = (("read", "supply-disruption", "notices"), ("compute", "shared-suppliers", "suppliers"))
JOINT = (("compute", "joint-simulation", "joint"),)


def agreement(
    us: str, jp: str, name: str, clauses: tuple[tuple[str, str, str], ...]
) -> dict[str, Any]:
    """Return an agreement of one party: action, purpose and subject of each clause."""
    own = us.lower()
    return {
        "@context": "https://w3id.org/dspace/2025/1/context.jsonld",
        "@type": "Agreement",
        "@id": f"urn:renkei:agreement:{name}-{own}",
        "profile": "urn:renkei:agreement:1",
        "version": 1,
        "title": {"en": "Supply", "ja": "供給"},
        "assigner": us,
        "assignee": jp,
        "target": [f"urn:{own}:materials:{subject}" for _action, _purpose, subject in clauses],
        "timestamp": "2026-04-01T00:00:00Z",
        "permission": [
            {
                "@id": str(number),
                "action": action,
                "constraint": [
                    {"leftOperand": "purpose", "operator": "eq", "rightOperand": purpose}
                ],
                "text": {"en": f"May {action}.", "ja": f"{action} を認める。"},
            }
            for number, (action, purpose, _subject) in enumerate(clauses, 1)
        ],
    }


def agree(rig: Rig, by: str, other: str, content: dict[str, Any], key: str) -> None:
    """Bring an agreement into force on both nodes."""
    whole = engine.complete(content)
    status, body = rig.ask(
        by,
        "POST",
        "/node/v1/border/acts",
        {"kind": "border.agreement", "key": key, "content": whole, "reason": "supply"},
    )
    assert status == 201, body
    act = json.loads(body)
    assert until(lambda: rig.act(other, act["uid"]), LIMIT_SECONDS)
    assert rig.answer(other, act) == 200
    for name in (by, other):
        assert until(
            lambda name=name: rig.act(name, act["uid"]).get("stage") in {"sealed", "witnessed"},
            LIMIT_SECONDS,
        )


def links(folder: Path, first: int, last: int) -> str:
    """Write a table of made-up suppliers."""
    rows = [",".join(OWN_COLUMNS["links"])]
    for number in range(first, last):
        stem = f"5299{number:014d}"
        lei = stem + mod_97_10.calc_check_digits(stem)
        rows.append(f"{lei},S{number},,Buyer,rare_earths,10,,,example,low,2026-01-01")
    file = folder / f"links-{first}.csv"
    file.write_text("\n".join(rows) + "\n", "utf-8")
    return str(file)


def test_notices_and_shared_suppliers_cross_under_agreements_alone(
    rig: Rig, tmp_path: Path
) -> None:
    analyst = token(rig, "us", "analyst")
    status, body = rig.ask(
        "us", "POST", "/node/v1/materials/cases", {"title": "secret title"}, token=analyst
    )
    assert status == 201, body
    where = f"/node/v1/materials/cases/{json.loads(body)['slug']}/notices"
    notice = {
        "text": "exports fall",
        "effect": "capacity-reduction",
        "start_expected": "2027-01-01",
        "send": True,
    }
    refused, body = rig.ask("us", "POST", where, notice, token=analyst)
    assert refused == 403, body
    for name, first, last in (("us", 0, 40), ("jp", 30, 70)):
        done = rig.renkei(name, "materials", "import", "links", links(tmp_path, first, last))
        assert done.returncode == 0, done.stderr
    denied = rig.ask("us", "POST", "/node/v1/materials/overlaps", {"partner": "jp"})
    assert denied[0] == 403, denied

    agree(rig, "us", "jp", agreement("US", "JP", "supply", SUPPLY), "supply-us")
    status, body = rig.ask("us", "POST", where, notice, token=analyst)
    assert status == 201, body
    assert until(
        lambda: any(
            row["fields"] and row["fields"]["text"] == "exports fall" and row["party"] == "US"
            for row in told(rig, "jp", "notices")
        ),
        LIMIT_SECONDS,
    )
    assert "secret title" not in json.dumps(told(rig, "jp", "notices"))
    half = rig.ask("us", "POST", "/node/v1/materials/overlaps", {"partner": "jp"})
    assert half[0] == 403, half  # the partner's own agreement lacks still

    agree(rig, "jp", "us", agreement("JP", "US", "supply", SUPPLY), "supply-jp")
    status, body = rig.ask("us", "POST", "/node/v1/materials/overlaps", {"partner": "jp"})
    assert status == 201, body
    assert (json.loads(body)["size"], json.loads(body)["shared"]) == (40, 10)
    [row] = told(rig, "jp", "overlaps")
    assert (row["is_asked_here"], row["size"], row["shared"]) == (False, 40, None)


def trade(folder: Path, name: str, party: str, sells: str, buys: str) -> str:
    """Write what made-up firms of a node sell to the partner's country, and buy there."""
    rows = [",".join(OWN_COLUMNS["trade"])]
    worth = {"gallium": 100, "tungsten": 50}
    for number in range(4):
        seller, buyer = (f"X{number}", f"X{number}" if name == "jp" else f"Y{number}")
        rows += [
            f",{seller},{party},sells,{sells},{worth[sells]},example,2026-01-01",
            f",{buyer},{party},buys,{buys},{worth[buys]},example,2026-01-01",
        ]
    file = folder / f"trade-{name}.csv"
    file.write_text("\n".join(rows) + "\n", "utf-8")
    return str(file)


def run_of(rig: Rig, name: str, uid: str) -> Any:
    """Return a joint run as a node shows it, or nothing."""
    return told(rig, name, f"joint-runs/{uid}")


def open_run(rig: Rig, title: str) -> str:
    """Open a joint run at the first node: its exporters of gallium lose half."""
    firms = [f"N{key}" for key in exporters(rig)]
    asked = {"partner": "jp", "title": title, "firms": firms, "severity": 0.5}
    analyst = token(rig, "us", "analyst")
    status, body = rig.ask("us", "POST", "/node/v1/materials/joint-runs", asked, token=analyst)
    assert status == 202, body
    return str(json.loads(body)["uid"])


def exporters(rig: Rig) -> list[int]:
    """Return the keys of the first node's exporters: its database numbers firms without an LEI."""
    with sqlite3.connect(rig.folder("us") / "node.sqlite3") as database:
        rows = database.execute("SELECT id FROM materials_organisation WHERE name LIKE 'X_'")
        return [key for (key,) in rows]


def ready(rig: Rig, uid: str, state: str = "ready") -> bool:
    """Wait until a run of the first node is in a state."""
    return until(lambda: run_of(rig, "us", uid).get("state") == state, LIMIT_SECONDS)


def test_a_joint_run_crosses_by_border_vectors_alone(rig: Rig, tmp_path: Path) -> None:
    for name, party, sells, buys in (
        ("us", "JP", "gallium", "tungsten"),
        ("jp", "US", "tungsten", "gallium"),
    ):
        done = rig.renkei(
            name, "materials", "import", "trade", trade(tmp_path, name, party, sells, buys)
        )
        assert done.returncode == 0, done.stderr
    denied = rig.ask(
        "us",
        "POST",
        "/node/v1/materials/joint-runs",
        {"partner": "jp", "firms": [f"N{exporters(rig)[0]}"]},
        token=token(rig, "us", "analyst"),
    )
    assert denied[0] == 403, denied
    agree(rig, "us", "jp", agreement("US", "JP", "joint", JOINT), "joint-us")
    agree(rig, "jp", "us", agreement("JP", "US", "joint", JOINT), "joint-jp")

    uid = open_run(rig, "secret title")
    assert ready(rig, uid), run_of(rig, "us", uid)
    ours, theirs = run_of(rig, "us", uid), run_of(rig, "jp", uid)
    # Half of gallium is gone and its own rest stands in for half of that; then tungsten likewise.
    assert ours["agreed"] == theirs["agreed"]
    assert ours["agreed"]["products"] == ["gallium", "tungsten"]
    us, jp = ours["agreed"]["sides"]
    assert us["deliveries"][0] / 1e10 == pytest.approx(0.75, abs=1e-6)
    assert jp["deliveries"][1] / 1e10 == pytest.approx(1 - 0.25 / 3, abs=1e-6)
    assert [len(one["own"]["hit"]) for one in (ours, theirs)] == [8, 4]
    assert us["lost"] == round(1e4 * ours["own"]["lost"]) > 0
    assert jp["lost"] == round(1e4 * theirs["own"]["lost"]) > 0
    assert (theirs["title"], theirs["firms"]) == ("", [])
    check_ledgers(rig, tmp_path)

    rig.links["us", "jp"].cut()
    try:
        away = open_run(rig, "away")
        assert ready(rig, away, "paused")
    finally:
        rig.links["us", "jp"].heal()
    where = f"/node/v1/materials/joint-runs/{away}"
    analyst = token(rig, "us", "analyst")
    assert rig.ask("us", "POST", f"{where}/resume", token=analyst)[0] == 202
    assert ready(rig, away)
    assert run_of(rig, "jp", away)["agreed"] == run_of(rig, "us", away)["agreed"]
    assert rig.ask("us", "POST", f"{where}/stop", token=analyst)[0] == 409


def check_ledgers(rig: Rig, folder: Path) -> None:
    """Check as a third party would, on both nodes, that border vectors alone crossed."""
    for name in rig.names:
        messages, ledger = (
            json.loads(rig.ask(name, "GET", path)[1])
            for path in ("/en/materials/joint/messages.json", "/en/border/outgoing.json")
        )
        files = [folder / f"messages-{name}.json", folder / f"ledger-{name}.json"]
        files[0].write_text(json.dumps(messages), "utf-8")
        files[1].write_text(json.dumps(ledger), "utf-8")
        done = rig.command("materials", "check-joint", *map(str, files))
        assert done.returncode == 0, done.stdout + done.stderr
        assert " 0 faults" in done.stderr
        assert "secret" not in json.dumps(messages)
        hidden = [row for row in ledger["items"] if not row["target"].endswith(":joint")]
        assert check_messages(messages["items"], hidden, target=messages["target"])


def stocks(folder: Path, name: str, rows: dict[str, dict[str, float]]) -> str:
    """Write a table of made-up stocks of tungsten: tonnes by class and holder."""
    lines = [",".join(OWN_COLUMNS["stocks"])]
    lines += [
        f"{owner},tungsten,{kind},0,{tonnes},,2026-01-01,example"
        for kind, holders in rows.items()
        for owner, tonnes in holders.items()
    ]
    file = folder / f"stocks-{name}.csv"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return str(file)


def test_what_one_node_holds_back_is_told_by_neither(rig: Rig, tmp_path: Path) -> None:
    many = {"K": 10.0, "L": 11.0, "M": 12.0}
    tables = {
        "us": {"government": {"USA": 50.0}, "industry": many, "producer": many, "transit": many},
        "jp": {"government": many, "industry": {"N": 40.0}, "producer": many, "transit": many},
    }
    for name, table in tables.items():
        done = rig.renkei(name, "materials", "import", "stocks", stocks(tmp_path, name, table))
        assert done.returncode == 0, done.stderr

    def publish(name: str) -> Any:
        return rig.renkei(
            name, "materials", "release", "--publish", "--officer", f"{name}-officer", "--json"
        )

    first = publish("us")
    assert first.returncode == 1
    assert "before jp has said so" in first.stderr
    assert rig.renkei("us", "materials", "export", "stocks", "--json").stdout.strip() == "[]"
    assert until(lambda: b"tungsten/government" in leaving(rig, "jp"), LIMIT_SECONDS)
    waiting = ["jp", "us"]
    begun = time.monotonic()
    while waiting and time.monotonic() - begun < LIMIT_SECONDS:
        waiting = [name for name in waiting if publish(name).returncode]
    assert not waiting
    told = {}
    for name in rig.names:
        rows = json.loads(rig.renkei(name, "materials", "export", "stocks", "--json").stdout)
        told[name] = {row["kind"] for row in rows if row["material"] == "tungsten"}
    assert told["us"] == told["jp"]
    assert not told["us"] & {"government", "industry"}
    assert told["us"]  # not everything is held back


def leaving(rig: Rig, name: str) -> bytes:
    """Return the page of what may leave a node, as its officer sees it."""
    return rig.ask(name, "GET", "/en/materials/leaving/")[1]
