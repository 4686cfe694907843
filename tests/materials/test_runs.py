"""Joint runs: what crosses, what is refused, and the same answer on both sides as in one pool."""

import hashlib
import json
import re
from datetime import date, timedelta

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone
from tests.border.room import found
from tests.materials.engine.test_border import parted
from tests.materials.test_exchange import HOW_TO

from renkei.base.jobs import JobCancelledError
from renkei.border import door as border
from renkei.border import engine as border_engine
from renkei.border.models import Decision, OutgoingBytes
from renkei.materials import door, engine, tasks
from renkei.materials.models import JointMessage, JointRun, Link, Material, Organisation, Trade
from renkei.materials.tasks import _joint

pytestmark = pytest.mark.django_db
DAY = date(2026, 1, 1)
PRODUCTS = ["m0", "m1", "m2", "m3"]
UID = "ab" * 16


@pytest.fixture(autouse=True)
def _no_kept_side():
    """Every test has a network of its own, under the same version of the facts."""
    _joint._kept_side.cache_clear()


@pytest.fixture
def pair(settings, monkeypatch, tmp_path, db):
    return found(settings, monkeypatch, tmp_path)


@pytest.fixture
def agreed(pair):
    """The agreement of the how-to, in force."""
    text = re.search(r"```json\n(.*?)```", HOW_TO.read_text("utf-8"), re.DOTALL)[1]
    whole = border_engine.complete(json.loads(text))
    return border.adopt_agreement(whole, act="act-1")


@pytest.fixture
def network(db):
    """Twelve firms of this node with links, and their trade with JP in two products."""
    rng = np.random.default_rng(7)
    rows = [Material.objects.create(slug=slug, name_en=slug, name_ja=slug) for slug in PRODUCTS]
    firms = [Organisation.objects.create(name=f"F{n}", is_public=False) for n in range(12)]
    for number, seller in enumerate(firms):
        for buyer in rng.choice(12, 3, replace=False):
            if firms[buyer] != seller:
                Link.objects.create(
                    supplier=seller, buyer=firms[buyer], material=rows[number % 4],
                    kusd=float(rng.integers(5, 50)), evidence="e", confidence="low",
                    valid_from=DAY, known_from=DAY,
                )  # fmt: skip
    trade("sells", "m0", firms[0:4])
    trade("buys", "m1", firms[4:9])
    return firms


def trade(direction, material, firms, kusd=20.0):
    for firm in firms:
        Trade.objects.create(
            firm=firm, party="JP", direction=direction, evidence="e", kusd=kusd,
            material=Material.objects.get(slug=material), valid_from=DAY, known_from=DAY,
        )  # fmt: skip


@pytest.fixture
def partner(pair):
    return border.partner("jp")


def theirs():
    """The partner's side: a made-up network of the products that cross."""
    return parted(3, products=2, sectors=4)[0][1]


class Opponent:
    """The partner's node in memory: answers as ``answer_joint`` does, and counts."""

    def __init__(self, side, monkeypatch, *, bend=lambda said, _number: said):
        self.side, self.asked, self.bend = (
            engine.BorderSide(side, np.ones(len(side.sector))),
            [],
            bend,
        )
        self.away = 0
        monkeypatch.setattr(border, "ask_partner", self)

    def __call__(self, to, path, document, *, now, most):
        assert (to.name, path) == ("jp", "/materials/v1/joint")
        body = json.dumps(document, separators=(",", ":")).encode()
        gone = OutgoingBytes.objects.order_by("-pk").first()
        assert (gone.digest, gone.size) == (hashlib.sha256(body).hexdigest(), len(body))
        if self.away:
            self.away -= 1
            raise border.UnreachableError("jp does not answer: away")
        said = engine.read_joint(body)
        self.asked.append(said)
        answer = {key: said[key] for key in ("format", "kind", "run", "step")}
        if said["kind"] == "open":
            answer["products"] = said["products"]
        elif said["kind"] == "turn":
            message = engine.BorderMessage(tuple(said["deliveries"]), tuple(said["orders"]))
            if self.asked[-2:-1] != [said]:
                found = self.side.step(message)
            answer |= {"deliveries": list(found.deliveries), "orders": list(found.orders)}
        elif said["kind"] == "end":
            answer |= {"lost": self.side.told_loss, "rest": said["rest"]}
        return self.bend(answer, len(self.asked))


def run_here(firms, analyst, **more):
    return door.open_joint(
        "jp", title="secret title", firms=[f"N{firms[0].pk}"], severity=0.6, author=analyst,
        **{"now": True} | more,
    )  # fmt: skip


def pooled_loss(firms):
    """Lost output of both sides' firms, had both been one pool."""
    own = tasks.own_side("JP", ["m0", "m1"])
    other = theirs()
    net = engine.pooled(own.side, other)
    capacity = np.ones(net.firms)
    capacity[own.names.index(f"N{firms[0].pk}")] = 0.4
    whole = engine.cascade(net, capacity, tolerance=1e-12, most_iterations=100_000, threads=1)
    lost = net.output * (1 - whole.remaining)
    first = len(own.names)
    return lost[:first], lost[first : first + len(other.sector)], net.output[:first].sum()


def test_a_joint_run_ends_where_the_pool_would(agreed, network, analyst, monkeypatch):
    opponent = Opponent(theirs(), monkeypatch)
    run = run_here(network, analyst)
    ours, others, output = pooled_loss(network)

    assert run.state == "ready"
    assert run.own["lost"] == pytest.approx(ours.sum() / output, abs=1e-6)
    assert opponent.side.lost_by_firm == pytest.approx(others, abs=1e-5)
    assert ours.sum() > 0
    assert others.sum() > 0
    assert run.agreed["products"] == ["m0", "m1"]
    assert [side["party"] for side in run.agreed["sides"]] == ["US", "JP"]
    assert run.turns == len([said for said in opponent.asked if said["kind"] == "turn"])


def test_nothing_but_border_vectors_leaves_and_the_ledger_proves_it(
    agreed, network, analyst, monkeypatch
):
    opponent = Opponent(theirs(), monkeypatch)
    run = run_here(network, analyst)
    crossed = json.dumps(opponent.asked)
    for secret in ("secret", "analyst", f"N{network[0].pk}", "F0", "0.6"):
        assert secret not in crossed
    ledger = list(OutgoingBytes.objects.values("digest", "size", "target", "clause", "recipient"))
    shown = door.joint_messages(run)
    target = door.target("joint")
    assert engine.check_messages(shown, ledger, target=target) == []
    assert {(row["clause"], row["recipient"]) for row in ledger} == {("3", "jp")}
    assert len(ledger) == sum(one["is_sent"] for one in shown) == len(opponent.asked)
    # A firm's row that left under the same target would be seen, and so would a bent message.
    ledger.append(ledger[0] | {"digest": "0" * 64})
    [said] = engine.check_messages(shown, ledger, target=target)
    assert "is no message that is shown" in said
    bent = [shown[0] | {"content": '{"firms":["x"]}'}, *shown[1:]]
    assert len(engine.check_messages(bent, ledger[:-1], target=target)) >= 3


def test_without_an_agreement_nothing_leaves(pair, network, analyst, monkeypatch):
    opponent = Opponent(theirs(), monkeypatch)
    with pytest.raises(door.NotAgreedError, match="no agreement in force"):
        run_here(network, analyst)
    assert (opponent.asked, OutgoingBytes.objects.count()) == ([], 0)
    assert JointRun.objects.get().state == "failed"
    assert Decision.objects.filter(allow=False, asked_by=analyst).exists()


def test_products_of_few_firms_are_not_exchanged(agreed, network, analyst, monkeypatch):
    trade("sells", "m2", network[5:7])
    trade("buys", "m3", [network[1]], kusd=1000.0)
    trade("buys", "m3", network[2:5], kusd=1.0)
    opponent = Opponent(theirs(), monkeypatch)
    run = run_here(network, analyst)
    assert run.agreed["products"] == ["m0", "m1"]
    assert run.own["left_out"] == [["buys", "m3"], ["sells", "m2"]]
    assert "m2" not in json.dumps(opponent.asked)
    Trade.objects.filter(material__slug__in=["m0", "m1"]).delete()
    with pytest.raises(door.NoTradeError, match="three firms or more"):
        run_here(network, analyst)


def test_a_partner_that_is_away_is_waited_for_and_gone_on_with(
    agreed, network, analyst, monkeypatch
):
    monkeypatch.setattr(_joint, "WAITS", (0.0, 0.0))
    opponent = Opponent(theirs(), monkeypatch)
    opponent.away = 1
    run = run_here(network, analyst)
    assert run.state == "ready"
    whole = run.agreed

    class Leaving(Opponent):
        def __call__(self, *args, **more):
            if len(self.asked) == 5 and not getattr(self, "left", False):
                self.away, self.left = 4, True
            return super().__call__(*args, **more)

    leaving = Leaving(theirs(), monkeypatch)
    with pytest.raises(border.UnreachableError):
        run_here(network, analyst)
    run = door.joint_runs().first()
    assert (run.state, run.turns) == ("paused", 4)
    monkeypatch.setattr(_joint, "WAITS", ())
    with pytest.raises(border.UnreachableError):
        tasks.take_to_end(run, lambda _part: None)
    tasks.take_to_end(run, lambda _part: None)
    assert run.state == "ready"
    assert leaving.asked[5]["step"] == 5
    same = [abs(one - other) for a, b in zip(run.agreed["sides"], whole["sides"], strict=True)
            for name in ("deliveries", "orders") for one, other in zip(a[name], b[name], strict=True)]  # fmt: skip
    assert max(same) <= 100  # of 1e10
    with pytest.raises(door.JointRunOverError):
        door.resume_joint(run)


@pytest.mark.parametrize(
    ("kind", "bent"),
    [
        ("open", {"products": ["m9"]}),
        ("open", {"firms": ["x"]}),
        ("open", {"step": 1}),
        ("turn", {"deliveries": [1]}),
        ("turn", {"deliveries": [float("nan"), 1]}),
        ("turn", {"orders": [-1, 1]}),
        ("turn", {"orders": [2 * engine.UNITS, 1]}),
        ("turn", {"run": "0" * 32}),
        ("turn", {"step": 9}),
        ("turn", {"kind": "stop"}),
        ("end", {"rest": "0" * 64}),
        ("end", {"lost": 20_000}),
    ],
)
def test_garbage_of_the_partner_ends_the_run(  # noqa: PLR0917  fixtures and a pair of values
    agreed, network, analyst, monkeypatch, kind, bent
):
    opponent = Opponent(
        theirs(), monkeypatch,
        bend=lambda said, _number: said | bent if said["kind"] == kind else said,
    )  # fmt: skip
    with pytest.raises(engine.BadBorderError):
        run_here(network, analyst)
    run = JointRun.objects.get()
    assert (run.state, run.agreed, run.own) == ("failed", None, None)
    assert opponent.asked[-1]["kind"] == "stop"


def test_a_message_that_rises_ends_the_run(agreed, network, analyst, monkeypatch):
    def rise(said, number):
        full = [engine.UNITS] * 2
        low = {"deliveries": [0, 0], "orders": [0, 0]}
        high = {"deliveries": full, "orders": full}
        return said | (low if number == 2 else high) if said["kind"] == "turn" else said

    Opponent(theirs(), monkeypatch, bend=rise)
    with pytest.raises(engine.BadBorderError, match="rose"):
        run_here(network, analyst)


def test_a_run_is_stopped_between_two_turns(agreed, network, analyst, monkeypatch):
    opponent = Opponent(theirs(), monkeypatch)
    run = run_here(network, analyst, now=False)
    assert run.state == "waiting"
    told = []

    def step(part):
        told.append(part)
        if len(opponent.asked) == 4:
            raise JobCancelledError("stopped")

    with pytest.raises(JobCancelledError):
        tasks.take_to_end(run, step)
    assert run.state == "stopped"
    assert opponent.asked[-1]["kind"] == "stop"
    assert told == sorted(told)
    with pytest.raises(door.JointRunOverError):
        door.stop_joint(run)


def test_links_that_change_on_the_way_end_the_run(agreed, network, analyst, monkeypatch):
    def change(said, number):
        if number == 3:
            Link.objects.first().delete()
            _joint._kept_side.cache_clear()
            raise border.UnreachableError("away")
        return said

    monkeypatch.setattr(_joint, "WAITS", ())
    Opponent(theirs(), monkeypatch, bend=change)
    with pytest.raises(border.UnreachableError):
        run_here(network, analyst)
    run = JointRun.objects.get()
    with pytest.raises(door.LinksChangedError):
        tasks.take_to_end(run, lambda _part: None)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"firms": ["N999999"]}, "is no firm of this node's own network"),
        ({"firms": []}, "expected one firm or more"),
        ({"severity": 0.0}, "expected one firm or more"),
        ({"severity": float("nan")}, "expected one firm or more"),
    ],
)
def test_a_run_that_cannot_be_is_refused(agreed, network, analyst, more, error):
    firms = {"firms": [f"N{network[0].pk}"]}
    with pytest.raises(Exception, match=error):
        door.open_joint("jp", **{"title": "t", "author": analyst} | firms | more)
    assert not JointRun.objects.exists()


# The side that answers


def say(kind, step=0, **parts):
    return json.loads(engine.write_joint(kind, run=UID, step=step, **parts))


def answered(partner, document):
    return json.loads(door.answer_joint(partner, document))


def test_a_partners_run_is_answered_and_ends_where_the_pool_would(agreed, network, partner):
    side = parted(3, products=2, sectors=4)[0][1]
    left = np.ones(len(side.sector))
    left[:5] = 0.2
    opener = engine.BorderSide(side, left)
    assert answered(partner, say("open", products=["m0", "m1"]))["products"] == ["m0", "m1"]
    message, step = None, 0
    while True:
        said = opener.step(message)
        if opener.is_at_rest:
            break
        step += 1
        answer = answered(
            partner, say("turn", step, deliveries=said.deliveries, orders=said.orders)
        )
        message = engine.BorderMessage(tuple(answer["deliveries"]), tuple(answer["orders"]))
    rest = engine.rest_digest(["m0", "m1"], opener.sent, message, step=step)
    with pytest.raises(engine.BadBorderError, match="rest elsewhere"):
        answered(partner, say("end", step + 1, lost=None, rest="0" * 64))
    end = answered(partner, say("end", step + 1, lost=None, rest=rest))
    run = JointRun.objects.get()
    assert (end["rest"], run.agreed["rest"], run.state) == (rest, rest, "ready")
    own = tasks.own_side("JP", ["m0", "m1"])
    net = engine.pooled(own.side, side)
    capacity = np.ones(net.firms)
    capacity[len(own.names) : len(own.names) + len(left)] = left
    whole = engine.cascade(net, capacity, tolerance=1e-12, most_iterations=100_000, threads=1)
    lost = (net.output * (1 - whole.remaining))[: len(own.names)].sum()
    assert lost > 0
    assert run.own["lost"] * net.output[: len(own.names)].sum() == pytest.approx(lost, abs=1e-5)
    assert (run.firms, run.title, run.severity) == ("", "", 0.0)
    ledger = list(OutgoingBytes.objects.values("digest", "size", "target"))
    assert (
        engine.check_messages(door.joint_messages(run), ledger, target=door.target("joint")) == []
    )
    with pytest.raises(door.JointRunOverError):
        answered(partner, say("turn", step + 2, deliveries=(1, 1), orders=(1, 1)))


FULL = (engine.UNITS,) * 2


def test_what_was_said_is_answered_again_in_the_same_bytes_and_not_otherwise(
    agreed, network, partner
):
    answered(partner, say("open", products=["m0"]))
    turn = say("turn", 1, deliveries=(5, engine.UNITS), orders=FULL)
    first = door.answer_joint(partner, turn)
    assert door.answer_joint(partner, turn) == first
    assert JointRun.objects.get().turns == 1
    assert OutgoingBytes.objects.count() == 3  # each time bytes left
    with pytest.raises(engine.BadBorderError, match="was said before, otherwise"):
        answered(partner, say("turn", 1, deliveries=FULL, orders=FULL))


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (lambda: say("turn", 2, deliveries=FULL, orders=FULL), "out of turn"),
        (lambda: say("turn", 1, deliveries=FULL[:1], orders=FULL), "expected 2 whole numbers"),
        (lambda: say("turn", 1, deliveries=FULL, orders=FULL) | {"x": 1}, "does not fit the form"),
        (
            lambda: say("turn", 1, deliveries=FULL, orders=FULL) | {"orders": [float("nan"), 1]},
            "no JSON of whole numbers",
        ),
        (
            lambda: say("turn", 1, deliveries=FULL, orders=FULL) | {"orders": [-1, 1]},
            "does not fit the form",
        ),
        (lambda: say("open", 1, products=["m0"]), "out of turn"),
        (lambda: say("end", 1, lost=1, rest="0" * 64), "before it began"),
        (lambda: say("stop", 1) | {"run": "0" * 32}, "no joint run"),
    ],
)
def test_garbage_of_the_one_who_asks_changes_nothing(agreed, network, partner, document, error):
    answered(partner, say("open", products=["m0"]))
    with pytest.raises(Exception, match=error):
        answered(partner, document())
    run = JointRun.objects.get()
    assert (run.turns, run.state, run.messages.count()) == (0, "running", 2)
    assert answered(partner, say("turn", 1, deliveries=FULL, orders=FULL))["step"] == 1


def test_nobody_is_answered_without_an_agreement(pair, network, partner):
    with pytest.raises(door.NotAgreedError):
        answered(partner, say("open", products=["m0"]))
    assert not JointRun.objects.exists()


def test_runs_are_few_a_day_and_lapse(agreed, network, partner):
    for number in range(door.MOST_JOINT_RUNS_A_DAY):
        answered(partner, say("open", products=["m0"]) | {"run": f"{number:032x}"})
    with pytest.raises(engine.QueryLimitError):
        answered(partner, say("open", products=["m0"]))
    JointRun.objects.update(opened_at=timezone.now() - timedelta(days=2))
    with pytest.raises(door.JointRunOverError):
        answered(partner, say("turn", 1, deliveries=FULL, orders=FULL) | {"run": f"{0:032x}"})
    answered(partner, say("open", products=["m0"]))
    assert JointRun.objects.filter(state="stopped").count() == door.MOST_JOINT_RUNS_A_DAY


def test_either_side_stops(agreed, network, partner):
    answered(partner, say("open", products=["m0"]))
    door.stop_joint(JointRun.objects.get())
    with pytest.raises(door.JointRunOverError):
        answered(partner, say("turn", 1, deliveries=FULL, orders=FULL))
    answered(partner, say("open", products=["m0"]) | {"run": "0" * 32})
    answered(partner, say("stop", engine.MOST_TURNS + 1) | {"run": "0" * 32})
    assert {run.state for run in JointRun.objects.all()} == {"stopped"}


def test_an_unsigned_or_long_message_is_refused(agreed, network):
    where = "/materials/v1/joint"
    refused = Client().post(where, json.dumps(say("open", products=["m0"])), "application/json")
    assert refused.status_code in {400, 401, 403}
    assert Client().post(where, b"x" * (1 << 17), "application/json").status_code == 413


# Pages and API


def test_an_analyst_opens_reads_and_stops_on_the_page(
    agreed, network, analyst, officer, monkeypatch
):
    Opponent(theirs(), monkeypatch)
    browser = Client()
    where = "/en/materials/joint/"
    assert browser.get(where).status_code == 302
    browser.force_login(officer)
    form = {"partner": "jp", "title": "t", "firms": f"N{network[0].pk}", "severity": "1"}
    assert browser.post(f"{where}add/", form).status_code == 403
    browser.force_login(analyst)
    assert browser.post(f"{where}add/", form | {"firms": "N0"}).status_code == 422
    made = browser.post(f"{where}add/", form)
    assert made.status_code == 302
    page = browser.get(made["Location"]).content.decode()
    assert "hx-get" in page
    assert browser.post(f"{made['Location']}do/", {"do": "stop"}).status_code == 302
    assert JointRun.objects.get().state == "stopped"
    run = run_here(network, analyst)
    page = browser.get(f"{where.replace('/en/', '/ja/')}{run.uid}/").content.decode()
    assert run.agreed["rest"] in page
    assert f"N{network[0].pk}" in page
    file = browser.get(f"{where}messages.json").json()
    ledger = list(OutgoingBytes.objects.values("digest", "size", "target"))
    assert engine.check_messages(file["items"], ledger, target=file["target"]) == []
    api = browser.get(f"/node/v1/materials/joint-runs/{run.uid}").json()
    assert api["agreed"] == run.agreed
    assert browser.post(f"/node/v1/materials/joint-runs/{run.uid}/resume").status_code == 409
    assert browser.get(f"/node/v1/materials/joint-runs/{'0' * 32}").status_code == 404
    assert JointMessage.objects.filter(run=run, is_sent=True, decision=None).count() == 0
