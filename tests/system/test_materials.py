"""Two running nodes and one disruption: from a ban to a plan that both parties decided on."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from renkei.border.commands._rig import Rig, until

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
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Return a running pair, shared by the whole file."""
    with Rig(tmp_path_factory.mktemp("materials") / "var") as made:
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
