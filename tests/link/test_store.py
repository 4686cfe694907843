"""Each key to its master once and to each slave once, whatever is lost, killed or restored."""

import itertools
import json
import os
import random
from dataclasses import replace
from types import SimpleNamespace

import pytest
from tests.link.ends import (
    CutError,
    Ends,
    everyday,
    names,
    recover,
    refuse_anything_twice,
    secret,
)

from renkei.link import door, engine
from renkei.link.door import _channel
from renkei.link.models import Alarm, Block, Held, Leaf, Link, Sae

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _kek(settings, tmp_path):
    from dataclasses import replace

    (tmp_path / "keys").mkdir()
    settings.NODE = replace(settings.NODE, folder=tmp_path)
    door.ensure_kek()


@pytest.fixture
def ends():
    return Ends()


def test_master_and_slave_have_the_same_keys_once(ends):
    drawn = ends.draw(number=3)
    fetched = ends.fetch(names(drawn))

    assert secret(drawn) == secret(fetched)
    assert names(drawn) == names(fetched)
    assert len(set(secret(drawn))) == 3
    assert all(len(key) == 32 for key in secret(drawn))
    assert isinstance(ends.fetch(names(drawn)), door.KeyNotFoundError)
    assert not Held.objects.exists()


def test_both_directions_draw_from_their_own_halves(ends):
    one = ends.draw("us.a", ["jp.b"], number=100)
    other = ends.draw("jp.b", ["us.a"], number=100)

    assert not set(secret(one)) & set(secret(other))
    assert secret(ends.fetch(names(other), slave="us.a", master="jp.b")) == secret(other)
    assert secret(ends.fetch(names(one))) == secret(one)


def test_keys_are_fetched_one_by_one_in_any_order_and_what_was_fetched_is_gone(ends):
    drawn = ends.draw(number=10)
    for one in random.sample(drawn, 10):
        assert ends.fetch([one.key_id])[0].key == one.key
        stored = b"".join(
            door.at_rest().open(bytes(row.sealed), what=door._store._held_what(row))
            for row in Held.objects.all()
        )
        assert one.key not in stored
    assert not Held.objects.exists()


def test_several_slaves_get_the_same_key_each_once(ends):
    drawn = ends.draw(slaves=["jp.b", "jp.d", "us.c"], number=2)

    for slave in ("jp.b", "jp.d", "us.c"):
        assert secret(ends.fetch(names(drawn), slave=slave)) == secret(drawn)
        assert isinstance(ends.fetch(names(drawn), slave=slave), door.KeyNotFoundError)
    assert not Held.objects.exists()


def test_a_key_of_others_is_refused_and_still_there_for_its_owner(ends):
    drawn = ends.draw()

    assert isinstance(ends.fetch(names(drawn), slave="jp.d"), door.NotYoursError)
    assert isinstance(ends.fetch(names(drawn), slave="jp.b", master="us.c"), door.NotYoursError)
    assert secret(ends.fetch(names(drawn))) == secret(drawn)


def test_a_batch_with_one_unknown_key_gives_none_and_takes_none(ends):
    drawn = ends.draw(number=2)
    unknown = engine.key_id(engine.new_prefix(bytes(14)), 0)

    assert isinstance(ends.fetch([*names(drawn), unknown]), door.KeyNotFoundError)
    assert isinstance(ends.fetch([*names(drawn), "nonsense"]), door.KeyNotFoundError)
    beyond = engine.key_id(engine.parse_key_id(drawn[0].key_id)[0], 2)
    assert isinstance(ends.fetch([beyond]), door.KeyNotFoundError)
    assert secret(ends.fetch(names(drawn))) == secret(drawn)


def test_a_key_named_twice_in_one_request_is_given_to_nobody(ends):
    """An identifier is no other one for being written in capitals."""
    drawn = ends.draw(number=2)
    name = drawn[0].key_id

    for twice in ([name, name], [name, name.upper()], [*names(drawn), name.upper()]):
        assert isinstance(ends.fetch(twice), door.KeyNotFoundError)
    assert secret(ends.fetch([name.upper()])) == secret(drawn[:1])
    assert isinstance(ends.fetch([name]), door.KeyNotFoundError)
    assert secret(ends.fetch(names(drawn[1:]))) == secret(drawn[1:])


def test_a_loopback_sae_draws_for_itself_and_others_may_not(ends):
    ends.sae("us.probe", loopback=True)
    drawn = ends.draw("us.probe", ["us.probe"])

    assert secret(ends.fetch(names(drawn), slave="us.probe", master="us.probe")) == secret(drawn)
    refused = ends.draw("us.a", ["us.a"])
    assert isinstance(refused, door.UnknownSaeError)
    assert "us.a may not draw keys for itself" in str(refused)


def test_keys_are_counted_for_applications_that_are_known(ends):
    """Of its own applications a node knows which there are; of the partner's, the partner does."""
    dispenser = door.Dispenser(ends.us, lambda _link: None)

    def ask(caller, slave):
        waiting = door._dispense._Waiting(door.Caller(caller, caller), door.Count(32, slave))
        dispenser._answer([waiting], None)
        return waiting.result

    assert ask("us.a", "jp.b") == ask("us.a", "us.c") == 312  # half of 20 000 bytes
    assert isinstance(ask("us.a", "us.nobody"), door.UnknownSaeError)
    assert isinstance(ask("us.nobody", "jp.b"), door.NotYoursError)


@pytest.mark.parametrize("slave", ["jp.nobody", "us.nobody", "nowhere.x"])
def test_an_unknown_slave_is_refused(ends, slave):
    assert isinstance(ends.draw(slaves=[slave]), door.UnknownSaeError)
    assert not Held.objects.exists()


def test_a_revoked_sae_draws_nothing(ends):
    door.revoke_sae("us.a")
    assert isinstance(ends.draw(), door.NotYoursError)


def test_an_empty_pool_refuses_all_and_goes_on_when_there_is_key_again(ends):
    everything = door.stored(ends.fresh(ends.us), size=32)
    assert isinstance(ends.draw(number=everything + 1), engine.PoolEmptyError)
    assert len(ends.draw(number=everything)) == everything
    assert isinstance(ends.draw(), engine.PoolEmptyError)
    assert door.levels(ends.us)["own"] < 32

    ends.add_block()

    assert len(ends.draw()) == 1


def test_keys_go_on_in_the_next_block(ends):
    ends.add_block()
    seen = set()
    while not isinstance(drawn := ends.draw(number=64, size=100), engine.PoolEmptyError):
        assert secret(ends.fetch(names(drawn))) == secret(drawn)
        seen |= set(secret(drawn))
    half = (20_000 - 32) // 2
    assert len(seen) == 2 * (half // 100) // 64 * 64
    assert len(seen) % 64 == 0


def test_used_blocks_are_forgotten(ends):
    for _ in range(3):
        for master, slave in (("us.a", "jp.b"), ("jp.b", "us.a")):
            while not isinstance(ends.draw(master, [slave], number=40), engine.PoolEmptyError):
                pass
            ends.draw(master, [slave], number=1)
        ends.add_block()
    assert ends.us.blocks.count() <= 3


def test_an_hours_quota_is_kept(ends):
    Sae.objects.filter(name="us.a").update(quota_bytes_per_hour=100)

    assert len(ends.draw(number=3)) == 3
    assert isinstance(ends.draw(), door.QuotaError)
    assert isinstance(ends.draw("us.c"), list)

    from datetime import timedelta

    from django.utils import timezone

    for begun in (timedelta(hours=-1), timedelta(days=9)):  # then: the clock was set back
        Sae.objects.filter(name="us.a").update(window_started_at=timezone.now() + begun)
        assert len(ends.draw(number=3)) == 3
        assert isinstance(ends.draw(), door.QuotaError)


def test_the_source_that_is_asked_for_is_given_or_nothing(ends):
    assert isinstance(ends.draw(source="simulated"), door.UnmetError)
    assert isinstance(ends.draw(source="quantum"), list)


def test_simulated_key_is_refused_where_there_is_no_demonstration(ends, settings):
    with pytest.raises(door.SimulatedRefusedError):
        door.take_in(ends.us, 9, bytes(1000), simulated=True)
    with pytest.raises(door.SimulatedRefusedError):
        door.found_link("jp", simulated=True)


def test_simulated_key_of_an_earlier_demonstration_is_given_to_nobody(settings):
    settings.NODE = replace(settings.NODE, demonstration=True)
    ends = Ends(simulated=True)
    for_slave = ends.draw()
    settings.NODE = replace(settings.NODE, demonstration=False)

    for refused in (ends.draw(), ends.draw(source="simulated"), ends.fetch(names(for_slave))):
        assert isinstance(refused, door.DeliveryStoppedError)
        assert "no demonstration" in str(refused)
    assert door.summary(ends.us)["keys_ready"] == 0

    settings.NODE = replace(settings.NODE, demonstration=True)
    assert secret(ends.fetch(names(for_slave))) == secret(for_slave)


def test_a_partner_that_is_no_demonstration_holds_no_simulated_key(settings):
    settings.NODE = replace(settings.NODE, demonstration=True)
    ends = Ends(simulated=True)
    send = ends.send_from(ends.us)

    def there(said):
        settings.NODE = replace(settings.NODE, demonstration=False)
        answer = send(said)
        settings.NODE = replace(settings.NODE, demonstration=True)
        return answer

    draw = door.Draw("us.a", ("jp.b",), 32, 1)
    door.serve(ends.us, [draw], there)
    assert isinstance(draw.result, door.DeliveryStoppedError)
    assert not Held.objects.exists()


def test_simulated_key_says_so_to_both(settings):
    from dataclasses import replace

    settings.NODE = replace(settings.NODE, demonstration=True)
    ends = Ends(simulated=True)
    drawn = ends.draw()
    assert drawn[0].simulated
    assert ends.fetch(names(drawn))[0].simulated


def test_a_low_reserve_stops_delivery(ends):
    door.keep_reserve(ends.us, b"hash keys and pads", tags_left=1)
    assert door.reserve_of(ends.us) == b"hash keys and pads"
    assert b"pads" not in bytes(ends.fresh(ends.us).reserve)
    assert isinstance(ends.draw(), door.DeliveryStoppedError)

    door.keep_reserve(ends.us, b"more", tags_left=50)

    assert isinstance(ends.draw(), list)
    assert door.reserve_of(ends.jp) == b""


def test_an_alarm_about_errors_stops_delivery_until_it_is_cleared(ends):
    drawn = ends.draw()
    door.raise_alarm(ends.us, door.QBER_ALARM, "25 %")
    door.raise_alarm(ends.us, door.QBER_ALARM, "25 %")

    assert isinstance(ends.draw(), door.DeliveryStoppedError)
    assert isinstance(ends.fetch(names(drawn)), list)
    door.clear_alarm(ends.us, door.QBER_ALARM)
    assert isinstance(ends.draw(), list)
    assert Alarm.objects.count() == 1


def test_a_person_clears_the_alarms_that_do_not_clear_themselves(ends):
    for kind in (door.QBER_ALARM, "partner-silent", "rolled-back", "downgrade"):
        door.raise_alarm(ends.us, kind, "")
    assert door.put_right(ends.us) == 2
    left = Alarm.objects.filter(cleared_at=None).values_list("kind", flat=True)
    assert set(left) == {door.QBER_ALARM, "partner-silent"}


# At rest


def test_at_rest_there_is_only_ciphertext(ends):
    block = bytes(range(256)) * 80
    ends.add_block(block=block)
    ends.draw(number=2)

    stored = b"".join(bytes(row.sealed) for row in (*Leaf.objects.all(), *Held.objects.all()))
    assert not any(block[at : at + 16] in stored for at in range(256))


def test_a_damaged_piece_is_burned_and_the_rest_goes_on(ends):
    leaf = ends.us.leaves.filter(share=ends.us.own_share).order_by("offset").first()
    leaf.sealed = bytes(leaf.sealed[:-1]) + bytes([leaf.sealed[-1] ^ 1])
    leaf.save()

    assert isinstance(ends.draw(), engine.DamagedKeyError)
    results = [ends.draw(number=64) for _ in range(4)]
    good = [keys for keys in results if isinstance(keys, list)]
    assert good
    for keys in good:
        assert secret(ends.fetch(names(keys))) == secret(keys)
    assert Alarm.objects.filter(link=ends.us, kind="damaged-key").exists()


def test_a_piece_moved_to_another_place_does_not_open(ends):
    one, other = ends.us.leaves.filter(share=ends.us.own_share).order_by("offset")[:2]
    one.sealed = other.sealed
    one.save()
    assert isinstance(ends.draw(), engine.DamagedKeyError)


# Intake


def test_a_block_number_is_used_once(ends):
    with pytest.raises(door.BadBlockError, match="was there already"):
        door.take_in(ends.us, 1, bytes(1000), simulated=False)


@pytest.mark.parametrize("length", [0, 63, (8 << 20) + 1])
def test_a_block_of_an_impossible_length_is_refused(ends, length):
    with pytest.raises(door.BadBlockError, match="bytes, expected"):
        door.take_in(ends.us, 9, bytes(length), simulated=False)


def test_blocks_that_differ_are_destroyed_on_both_sides(ends):
    one = bytes(range(200)) * 25
    other = one[:-1] + b"\1"
    mark = door.take_in(ends.us, 2, one, simulated=False)
    other_mark = door.take_in(ends.jp, 2, other, simulated=False)

    assert not door.confirm(ends.jp, 2, mark)
    assert not door.confirm(ends.us, 2, other_mark)
    assert not Block.objects.filter(number=2).exists()
    assert not Leaf.objects.filter(number=2).exists()
    assert Alarm.objects.filter(kind="unequal").count() == 2


def test_a_pending_block_gives_no_key(ends):
    ends.draw(number=door.stored(ends.fresh(ends.us), size=32))
    door.take_in(ends.us, 2, bytes(5000), simulated=False)
    assert isinstance(ends.draw(), engine.PoolEmptyError)


def test_after_a_crash_both_sides_settle_on_what_both_hold(ends):
    same = bytes(range(200)) * 30
    door.take_in(ends.us, 2, same, simulated=False)
    door.take_in(ends.jp, 2, same, simulated=False)  # the confirmation was lost
    door.take_in(ends.us, 3, same, simulated=False)  # the other side died before it stored it
    us, jp = door.blocks_of(ends.us), door.blocks_of(ends.jp)

    door.settle(ends.us, jp)
    door.settle(ends.jp, us)

    assert set(door.blocks_of(ends.us)) == set(door.blocks_of(ends.jp)) == {1, 2}
    assert all(state == "ready" for state, _mark in door.blocks_of(ends.jp).values())
    drawn = ends.draw(number=128, size=80)
    assert secret(ends.fetch(names(drawn))) == secret(drawn)


# Loss, crash, restore


@pytest.mark.parametrize("cut", ["ask", "answer"])
def test_what_nobody_confirms_is_burned(ends, cut):
    ends.cut = cut
    assert isinstance(ends.draw(), CutError)
    lost = set(ends.us.leaves.values_list("offset", flat=True))
    ends.cut = ""

    drawn = ends.draw()

    assert lost
    assert secret(ends.fetch(names(drawn))) == secret(drawn)
    assert ends.fresh(ends.us).counters.allocated.offset == 64
    assert ends.fresh(ends.jp).remembered.allocated.offset == 64


def test_a_lost_answer_to_a_slave_burns_its_key(ends):
    drawn = ends.draw()
    ends.cut = "answer"
    assert isinstance(ends.fetch(names(drawn)), CutError)
    ends.cut = ""
    assert isinstance(ends.fetch(names(drawn)), door.KeyNotFoundError)


def test_a_restored_master_burns_what_it_gave_before(ends):
    copy = ends.copy(ends.us)
    given = secret(ends.draw(number=5))
    ends.restore(ends.us, copy)

    first = ends.draw()
    assert isinstance(first, door.DeliveryStoppedError)
    drawn = ends.draw(number=50)

    assert not set(secret(drawn)) & set(given)
    assert secret(ends.fetch(names(drawn))) == secret(drawn)
    assert Alarm.objects.filter(link=ends.us, kind="rolled-back").exists()


def test_a_restored_slave_side_gives_nothing_twice(ends):
    drawn = ends.draw(number=5)
    copy = ends.copy(ends.jp)
    assert isinstance(ends.fetch(names(drawn)[:2]), list)
    ends.restore(ends.jp, copy)

    assert isinstance(ends.fetch(names(drawn)[:2]), door.DeliveryStoppedError)
    assert isinstance(ends.fetch(names(drawn)), door.KeyNotFoundError)


def test_a_restored_side_learns_it_when_it_starts(ends):
    copies = {link.own: ends.copy(link) for link in (ends.us, ends.jp)}
    given = [*secret(ends.draw(number=5)), *secret(ends.draw("jp.b", ["us.a"], number=7))]
    ends.restore(ends.us, copies["us"])

    ends.greet(ends.us)

    drawn = ends.draw(number=20)
    assert not set(secret(drawn)) & set(given)
    assert secret(ends.fetch(names(drawn))) == secret(drawn)
    back = ends.draw("jp.b", ["us.a"], number=20)
    assert not set(secret(back)) & set(given)
    assert secret(ends.fetch(names(back), slave="us.a", master="jp.b")) == secret(back)


def test_a_partner_that_says_nonsense_changes_nothing(ends):
    before = ends.fresh(ends.jp).remembered
    for said in (None, {}, {"before": [0, 0, 0], "after": [9, 9, 9], "allocations": []}):
        with pytest.raises(engine.BadAllocationError):
            door.hear(ends.jp, said)
    foreign = engine.Allocation("0" * 28, "jp.b", ("jp.d",), 32, (engine.Extent(1, 0, 32),))
    batch = engine.Batch(engine.Counters(), engine.Counters(engine.Position(1, 32)), (foreign,))
    with pytest.raises(engine.BadAllocationError, match="no application of the node"):
        door.hear(ends.jp, engine.to_json(batch))
    assert ends.fresh(ends.jp).remembered == before


class Settling:
    """The way to the other end for its list of blocks; it keeps what was said."""

    def __init__(self, link):
        self.link, self.heard = link, []

    def ask(self, kind, body):
        assert kind == "settle"
        self.heard.append(body)
        return json.dumps(door.hear_settling(self.link, json.loads(body))).encode()


def test_an_old_list_of_blocks_that_is_played_again_destroys_none(ends):
    way = Settling(ends.jp)
    _channel.settle_with(ends.us, way)
    ends.add_block()
    ends.draw()
    before = door.blocks_of(ends.us)

    door.hear_settling(ends.jp, json.loads(way.heard[0]))

    assert door.blocks_of(ends.us) == door.blocks_of(ends.jp) == before
    assert len(before) == 2


def test_an_end_that_was_set_back_has_the_partner_destroy_what_it_lacks(ends):
    old = ends.copy(ends.us)
    ends.add_block()
    ends.add_block()
    ends.restore(ends.us, old)
    way = Settling(ends.jp)

    _channel.settle_with(ends.us, way)

    assert len(way.heard) == 2
    assert door.blocks_of(ends.us) == door.blocks_of(ends.jp)
    assert ends.fresh(ends.us).next_block == ends.fresh(ends.jp).next_block
    assert secret(ends.fetch(names(drawn := ends.draw(number=3)))) == secret(drawn)


def test_a_replayed_message_changes_nothing(ends):
    heard = []
    send = ends.send_from(ends.us)

    def listening(said):
        heard.append(said)
        return send(said)

    one = door.Draw("us.a", ("jp.b",), 32, 1)
    door.serve(ends.us, [one], listening)
    ends.fetch(names(one.result))
    before = ends.fresh(ends.jp).remembered

    assert "remembered" in door.hear(ends.jp, heard[0]["link"])
    assert ends.fresh(ends.jp).remembered == before
    assert not Held.objects.exists()


class KilledError(BaseException):
    """The process is killed at this point."""


def kill_points(monkeypatch, at):
    """Kill the process before or after the n-th commit or message; return the counter."""
    from django.db import transaction

    count = itertools.count()

    class Dying(transaction.Atomic):
        def __exit__(self, *error):
            if next(count) == at:
                super().__exit__(KilledError, KilledError(), None)  # before the commit
                raise KilledError
            super().__exit__(*error)
            if next(count) == at:  # after it
                raise KilledError

    shim = SimpleNamespace(atomic=lambda: Dying(None, savepoint=True, durable=False))
    monkeypatch.setattr(door._store, "transaction", shim)
    return count


POINTS = 24  # commits of such a day, before and after each
DAYS = int(os.environ.get("RENKEI_KILL_DAYS", "1"))  # 10 make 240 points: the long run


@pytest.mark.parametrize("day", range(DAYS))
@pytest.mark.parametrize("at", range(POINTS))
def test_killed_at_any_commit_nothing_is_given_twice(monkeypatch, at, day):
    """``RENKEI_KILL_DAYS=10 pytest tests/link/test_store.py -k killed`` is the long run."""
    ends = Ends(length=3000)
    killed = False
    given = {"us.a": [], "jp.b": [], "jp.d": []}
    with monkeypatch.context() as patched:
        kill_points(patched, at)
        try:
            everyday(ends, random.Random(day), lambda sae, keys: given[sae].extend(keys))
        except KilledError:
            killed = True

    recover(ends)

    refuse_anything_twice(ends, given)
    assert killed or at >= 12  # the shortest day has fewer points than this


def test_links_that_are_not_there_are_said(ends, settings):
    with pytest.raises(door.NoLinkError, match="no partner of this node; known: jp"):
        door.found_link("fr", simulated=False)
    Link.objects.all().delete()
    with pytest.raises(door.NoLinkError, match="renkei link found"):
        door.link_with()
    assert door.found_link("jp", simulated=False) == door.link_with("jp")
    with pytest.raises(door.NoLinkError, match="no quantum link with fr; it has one with jp"):
        door.link_with("fr")
