"""Blocks between the two ends with the real engine: key, its absence, and what a crash leaves."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone
from tests.link.ends import CutError, Ends, recover

from renkei.kit.errors import RenkeiError
from renkei.link import door, engine
from renkei.link.door import _distil, _fibre, _meet, _store
from renkei.link.engine import Eavesdropper
from renkei.link.models import Alarm, Link, Run

pytestmark = pytest.mark.django_db
FRAMES = 16  # of 65 536 bits: about the least that gives key at all


class Line:
    """The simulated fibre without its process."""

    def __init__(self):
        self.source = engine.SimulatedLink(
            engine.Protocol(), engine.Fibre(distance_km=20.0), rng=np.random.default_rng(4)
        )
        self.eve = Eavesdropper()
        self.halves = {}
        self.away = set()  # from which nodes

    def half(self, node, number, *, key_bits):
        if node in self.away:
            raise _fibre.FibreAwayError("the fibre is away")
        if number not in self.halves:
            alice, bob = self.source.block(number, key_bits=key_bits, eavesdropper=self.eve)
            self.halves[number] = {"jp": alice.to_bytes(), "us": bob.to_bytes()}
        return self.halves[number][node]


class Way:
    """Bob's channel, straight into what Alice's node would answer; it can be cut at a message.

    ``lost``: from which message on, how many, and whether they are lost before they are heard.
    """

    def __init__(self, ends, alice):
        self.ends, self.alice = ends, alice
        self.heard = []
        self.lost = (0, 0, "ask")
        self.change = None

    def ready(self):
        pass

    def ask(self, kind, body):
        self.heard.append((kind, body))
        since, count, which = self.lost
        is_lost = since <= len(self.heard) < since + count
        if is_lost and which == "ask":
            raise CutError("cut")
        answer = self._answered(kind, body)
        if is_lost:
            raise CutError("cut")
        return answer

    def _answered(self, kind, body):
        if self.change:
            body = self.change(kind, body)
        if kind == "settle":
            return json.dumps(door.hear_settling(self.ends.jp, json.loads(body))).encode()
        return b"" if kind == "ping" else self.alice.answer(body)


@pytest.fixture
def ends(settings, tmp_path, monkeypatch):
    (tmp_path / "keys").mkdir()
    settings.NODE = replace(settings.NODE, folder=tmp_path, demonstration=True)
    door.ensure_kek()
    made = Ends(blocks=0, simulated=True)
    seed = bytes(range(256)) * 4
    made.line = Line()
    for link in (made.us, made.jp):
        door.keep_seed(link, seed)
    monkeypatch.setattr(_distil, "write_curves", lambda: None)
    monkeypatch.setattr(_distil, "FRAMES", FRAMES)
    monkeypatch.setattr(_distil, "CUT_PAUSES_SECONDS", (0, 0, 0))
    begin = _distil._begin

    def begin_at(link, number, reconciler, frames):
        monkeypatch.setattr(
            _fibre,
            "half",
            lambda _keys, number, *, key_bits: made.line.half(link.own, number, key_bits=key_bits),
        )
        return begin(link, number, reconciler, frames)

    monkeypatch.setattr(_distil, "_begin", begin_at)
    made.alice = _distil._Alice(made.jp)
    made.way = Way(made, made.alice)
    return made


def drive(ends, blocks=1, reconciler="ldpc"):
    return door.drive(ends.us, ends.way, blocks=blocks, reconciler=reconciler)


@pytest.mark.parametrize("reconciler", ["ldpc", "cascade"])
def test_a_block_gives_both_ends_the_same_key(ends, reconciler):
    assert drive(ends, reconciler=reconciler) == 1

    assert door.blocks_of(ends.us) == door.blocks_of(ends.jp)
    drawn = ends.draw(number=20)
    fetched = ends.fetch([one.key_id for one in drawn])
    assert [one.key for one in drawn] == [one.key for one in fetched]
    assert all(one.simulated for one in drawn)
    runs = Run.objects.order_by("link")
    assert [run.key_bits > 100_000 for run in runs] == [True, True]
    assert 0.005 < runs[0].qber < 0.03
    assert runs[0].figures["reconciler"] == reconciler


def test_a_block_may_be_larger_and_both_ends_make_the_same(ends):
    door.drive(ends.us, ends.way, blocks=1, reconciler="ldpc", sifted_bits=1_300_000)
    assert {run.sifted_bits for run in Run.objects.all()} == {20 << 16}
    assert door.blocks_of(ends.us) == door.blocks_of(ends.jp) != {}


@pytest.mark.parametrize("bits", [0, 999_999, 10_000_001])
def test_a_block_of_another_size_is_refused_by_either_end(ends, bits):
    with pytest.raises(door.BadBlockError, match="1000000 to 10000000 sifted bits"):
        door.drive(ends.us, ends.way, blocks=1, reconciler="ldpc", sifted_bits=bits)
    asked = json.dumps({"number": 1, "reconciler": "ldpc", "sifted_bits": bits}).encode()
    assert ends.alice.answer(b"B" + asked).startswith(b"!")
    assert not Run.objects.exists()


def test_tags_are_spent_and_filled_up_again(ends):
    seed = door.reserve_of(ends.us)
    drive(ends, 2)
    us, jp = (door.reserve_of(link) for link in (ends.us, ends.jp))
    assert us != seed
    assert us == jp
    left = {Link.objects.get(pk=link.pk).tags_left for link in (ends.us, ends.jp)}
    assert left == {31 - 2 + 2 * 4}


@pytest.fixture
def pads_sent(monkeypatch):
    """Which pad each tag was covered with, by who sent it."""
    sent = []
    tag = engine.Reserve.tag

    def noted(reserve, direction, messages, common):
        said = tag(reserve, direction, messages, common)
        sent.append((direction, said[:8]))
        return said

    monkeypatch.setattr(engine.Reserve, "tag", noted)
    return sent


@pytest.mark.parametrize("end", ["us", "jp"])
@pytest.mark.parametrize("blocks", [1, 3])
def test_an_end_that_was_set_back_covers_no_second_tag_with_a_pad(ends, pads_sent, end, blocks):
    """Two tags under one pad tell who listens the hash key, and with it every tag can be forged."""
    drive(ends)
    rows = ends.copy(getattr(ends, end))
    drive(ends, blocks)
    ends.restore(getattr(ends, end), rows)
    recover(ends)

    assert drive(ends, 2) == 2

    assert len(set(pads_sent)) == len(pads_sent) >= 2 * (3 + blocks)


@pytest.mark.parametrize("end", ["us", "jp"])
def test_an_end_that_was_set_back_into_a_block_covers_no_second_tag_with_a_pad(
    ends, pads_sent, end
):
    """The copy was made after the block had its number and before its tag was sent."""
    drive(ends)
    rows = []

    def copied(kind, body):
        if kind == "distil" and body[:1] == b"M" and not rows:
            rows.extend(ends.copy(getattr(ends, end)))
        return body

    ends.way.change = copied
    drive(ends)
    ends.restore(getattr(ends, end), rows)
    ends.way.change = None
    recover(ends)

    assert drive(ends, 2) == 2
    assert len(set(pads_sent)) == len(pads_sent) >= 8


@pytest.mark.parametrize("away", [{"jp"}, {"us"}])
def test_a_source_that_is_away_for_long_costs_no_pad_and_one_row(ends, away):
    drive(ends)
    before = [door.reserve_of(link) for link in (ends.us, ends.jp)]
    ends.line.away = away
    for _ in range(20):
        with pytest.raises(RenkeiError, match="is away"):
            drive(ends)
    assert [door.reserve_of(link) for link in (ends.us, ends.jp)] == before
    assert max(link.runs.filter(refused="cut").count() for link in (ends.us, ends.jp)) <= 1

    ends.line.away = set()
    assert drive(ends, 2) == 2


def test_a_killed_end_burns_one_pad_a_block(ends, pads_sent):
    """Of a block that nothing is written of nobody knows whether its tag was sent."""
    drive(ends)
    left = ends.fresh(ends.jp).tags_left
    for killed in (1, 2):
        ends.way.lost = (len(ends.way.heard) + 5, FOR_GOOD, "ask")
        with pytest.raises(CutError):
            drive(ends)
        ends.way.lost = (0, 0, "ask")
        ends.alice = ends.way.alice = _distil._Alice(ends.jp)  # another process
        assert drive(ends) == 1
        assert ends.fresh(ends.jp).tags_left == left + (4 - 1 - 1) * killed
    assert len(set(pads_sent)) == len(pads_sent) == 6


@pytest.mark.parametrize(
    ("eve", "refused"),
    [(Eavesdropper(intercept=1.0), "error_rate"), (Eavesdropper(split=1.0), "no_key")],
)
def test_an_eavesdropper_leaves_no_key_and_an_alarm_at_both_ends(ends, eve, refused):
    drive(ends)
    ends.line.eve = eve

    assert drive(ends) == 0

    assert {run.refused for run in Run.objects.filter(number=2)} == {refused}
    assert set(Alarm.objects.filter(cleared_at=None).values_list("link__own", "kind")) == {
        ("us", "qber"),
        ("jp", "qber"),
    }
    assert isinstance(ends.draw(), door.DeliveryStoppedError)
    assert isinstance(ends.draw("jp.b", ["us.a"]), door.DeliveryStoppedError)

    ends.line.eve = Eavesdropper()
    assert drive(ends) == 1
    assert not Alarm.objects.filter(cleared_at=None).exists()
    assert isinstance(ends.draw(), list)


FOR_GOOD = 99


def draw_everything(ends):
    """Draw all there is; each key is the same at both ends, and none comes twice."""
    seen = set()
    while isinstance(drawn := ends.draw(number=64), list):
        fetched = ends.fetch([one.key_id for one in drawn])
        assert [one.key for one in fetched] == [one.key for one in drawn]
        keys = {one.key for one in drawn}
        assert not keys & seen
        seen |= keys
    return seen


@pytest.mark.parametrize("which", ["ask", "answer"])
def test_a_block_whose_line_is_cut_for_a_while_is_finished(ends, which):
    """The words are said again; whoever heard them before answers as before."""
    drive(ends)
    count = len(ends.way.heard)
    for at in range(1, count + 1):
        kind, body = ends.way.heard[at - 1]
        if kind != "distil" or body[:1] not in {b"M", b"C"}:
            continue
        ends.way.heard, heard = [], ends.way.heard
        ends.way.lost = (at, 3, which)
        assert drive(ends) == 1
        ends.way.heard = heard

    assert door.blocks_of(ends.us) == door.blocks_of(ends.jp)
    assert {state for state, _mark in door.blocks_of(ends.us).values()} == {"ready"}
    assert len(draw_everything(ends)) >= 64


@pytest.mark.parametrize("which", ["ask", "answer"])
def test_a_block_whose_line_stays_cut_is_thrown_away_at_both_ends(ends, which):
    drive(ends)
    count = len(ends.way.heard)
    cut = 0
    for at in range(1, count + 1):
        ends.way.heard.clear()
        ends.way.lost = (at, FOR_GOOD, which)
        try:
            drive(ends)
        except CutError:
            cut += 1
        else:
            assert len(ends.way.heard) < at  # this block took fewer messages than the first
    assert cut > 6
    ends.way.lost = (0, 0, "ask")

    assert drive(ends) == 1, [(run.number, run.refused) for run in Run.objects.order_by("pk")]

    assert door.blocks_of(ends.us) == door.blocks_of(ends.jp)
    assert len(draw_everything(ends)) >= 64


def test_a_changed_message_ends_in_no_key_at_both_ends(ends):
    def change(kind, body):
        if kind == "distil" and body[:1] == b"M" and len(body) > 1000:
            return body[:500] + bytes([body[500] ^ 1]) + body[501:]
        return body

    ends.way.change = change
    assert drive(ends) == 0
    assert door.blocks_of(ends.us) == door.blocks_of(ends.jp) == {}
    assert Run.objects.filter(key_bits__gt=0).count() == 0


def test_a_first_block_that_nothing_carried_authenticates_is_signed(ends, monkeypatch):
    """Signatures alone begin; what the block yields authenticates the ones after it."""
    signed = []

    def vouch(purpose, data):
        signed.append(purpose)
        return b"signed " + data

    monkeypatch.setattr(_meet.border, "vouch", vouch)
    monkeypatch.setattr(
        _meet.border, "vouched", lambda name, purpose, data, one: one == b"signed " + data
    )
    monkeypatch.setattr(_distil, "meet", lambda _link: None)
    for link in (ends.us, ends.jp):
        door.forget_reserve(link)

    assert drive(ends) == 1
    assert signed == ["link block 1"] * 2
    assert {Link.objects.get(pk=link.pk).tags_left for link in (ends.us, ends.jp)} == {24}
    assert drive(ends) == 1
    assert signed == ["link block 1"] * 2
    assert len(draw_everything(ends)) >= 64


def test_a_first_block_that_somebody_else_signed_gives_no_key(ends, monkeypatch):
    monkeypatch.setattr(_meet.border, "vouch", lambda _purpose, _data: b"somebody")
    monkeypatch.setattr(_meet.border, "vouched", lambda *_said: False)
    monkeypatch.setattr(_distil, "meet", lambda _link: None)
    for link in (ends.us, ends.jp):
        door.forget_reserve(link)

    assert drive(ends) == 0
    assert door.blocks_of(ends.us) == door.blocks_of(ends.jp) == {}
    assert {run.refused for run in Run.objects.all()} == {"tag"}


def test_an_end_that_nothing_authenticates_meets_the_other_one_first(ends, monkeypatch):
    Link.objects.update(reserve=b"")
    with pytest.raises(RenkeiError, match="keys/border is missing"):  # nothing to sign with
        drive(ends)


def test_a_clock_that_runs_backwards_hides_no_block(ends, monkeypatch):
    """What happened last is what was written last, not what bears the latest time."""
    monkeypatch.setattr(_store, "RUNS_KEPT", 2)
    said = []
    for days in (0, -10, -20, -30):
        now = timezone.now() + timedelta(days=days)
        monkeypatch.setattr(timezone, "now", lambda now=now: now)
        ends.line.eve = Eavesdropper(intercept=1.0 if days == -20 else 0.0)
        door.drive(ends.us, ends.way, blocks=1, reconciler="ldpc", tell=said.append)

    assert [(run.number, bool(run.refused)) for run in said] == [
        (1, False), (2, False), (3, True), (4, False),
    ]  # fmt: skip
    assert [run["number"] for run in door.summary(ends.us)["runs"]] == [4, 3]
    points = [float(point.split(",")[1]) for point in door.history(ends.us)["qber"].split()]
    assert points[0] < points[1]  # the page draws downwards: the disturbed block comes first
    drawn = ends.draw(number=3)
    assert [one.key for one in ends.fetch([one.key_id for one in drawn])] == [
        one.key for one in drawn
    ]
    assert isinstance(ends.fetch([drawn[0].key_id]), door.KeyNotFoundError)


def test_block_numbers_are_never_begun_twice(ends):
    ends.line.eve = Eavesdropper(intercept=1.0)
    drive(ends, 3)
    assert sorted(set(Run.objects.values_list("number", flat=True))) == [1, 2, 3]
    assert {Link.objects.get(pk=link.pk).next_block for link in (ends.us, ends.jp)} == {4}
