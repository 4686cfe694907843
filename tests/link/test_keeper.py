"""When the child that distils is wanted: low pools, and whoever listens in, also while pools are full."""

import os
import time
from dataclasses import replace

import pytest
from tests.link.ends import Ends

from renkei.link import door
from renkei.link.door import _distil, _fibre, _keeper
from renkei.link.models import Alarm, Leaf

pytestmark = pytest.mark.django_db


@pytest.fixture
def child(settings, tmp_path, monkeypatch):
    (tmp_path / "keys").mkdir()
    settings.NODE = replace(settings.NODE, folder=tmp_path, demonstration=True)
    door.ensure_kek()
    eve = {"intercept": 0.0}
    monkeypatch.setattr(_fibre, "eavesdropper", lambda _file: dict(eve))
    made = _keeper._Child(Ends(simulated=True).us)
    made.eavesdropper = eve
    made.started_at = time.monotonic()
    return made


def fill(kib):
    a_half = Leaf.objects.filter(link__own="us", share=1).count()
    Leaf.objects.all().update(length=(kib << 10) // a_half)


def run(child, *, seconds_ago=0.0):
    child.begin()
    child.started_at = time.monotonic() - seconds_ago


def test_a_low_pool_is_filled_and_a_full_one_left_alone(child):
    assert child._is_wanted()
    fill(200)
    assert not child._is_wanted()


@pytest.mark.parametrize("kib", [200, 3000])
def test_whoever_begins_to_listen_in_is_noticed_however_full_the_pools_are(child, kib):
    fill(kib)
    assert not child._is_wanted()
    child.eavesdropper["intercept"] = 1.0
    child.started_at -= _keeper.FULL_SECONDS
    assert child._is_wanted()
    run(child)
    assert not child._is_wanted()


@pytest.mark.parametrize("kib", [200, 3000])
def test_a_disturbed_line_is_tried_again_however_full_the_pools_are(child, kib):
    fill(kib)
    door.raise_alarm(child.link, "qber", "")
    run(child)
    assert not child._is_wanted()
    child.eavesdropper["intercept"] = 0.5
    assert child._is_wanted()
    run(child, seconds_ago=_keeper.ALARM_SECONDS + 1)
    assert child._is_wanted()


def test_the_end_that_prepares_is_started_when_it_is_asked_whatever_the_clock_says(child):
    alice = _keeper._Child(Ends.there().jp)
    assert not alice._was_asked()
    file = _distil.wanted_file(alice.link)
    for long_ago in (1000, 900, 800):
        file.touch()
        os.utime(file, (long_ago, long_ago))
        assert alice._was_asked()
        assert not alice._was_asked()
    assert not _keeper._Child(alice.link)._was_asked()  # it was, before this one began


@pytest.fixture
def fibre(monkeypatch):
    """Return a fibre that can go away."""
    made = Fibre()
    monkeypatch.setattr(_fibre, "reach", made.reach)
    monkeypatch.setattr(_keeper, "has_met", lambda _link: True)
    return made


class Fibre:
    """Whether it is away, and how often somebody looked."""

    is_away = True
    looks = 0

    def reach(self, _file):
        self.looks += 1
        if self.is_away:
            raise _fibre.FibreAwayError("the fibre is away")


def test_a_fibre_that_is_away_is_said_and_no_child_is_started_for_it(child, fibre, monkeypatch):
    started = []
    monkeypatch.setattr(
        _keeper.subprocess, "Popen", lambda *_arguments, **_named: started.append(1) or Running()
    )
    for looks in range(1, _keeper.MISSES + 1):
        assert not Alarm.objects.exists(), "it may be starting"
        child.look()
        assert fibre.looks == looks
    assert Alarm.objects.get().kind == _keeper.FIBRE_ALARM
    fibre.is_away = False
    child.look()
    assert not started, "it pauses"
    child.looked_at -= _keeper.PAUSE_SECONDS
    child.look()
    assert len(started) == 1
    assert not Alarm.objects.filter(cleared_at=None).exists()


@pytest.mark.parametrize("end", ["us", "jp"])
def test_each_end_sees_for_itself_that_the_fibre_went_and_came_back(child, fibre, end):
    fibre.is_away = False
    fill(200)  # nobody wants key
    watching = _keeper._Child(getattr(Ends.there(), end))
    watching.started_at = time.monotonic()
    watching.look()
    watching.look()
    assert fibre.looks == 1, "it is not asked all the time"
    fibre.is_away = True
    watching.looked_at -= _keeper.PAUSE_SECONDS
    for _ in range(_keeper.MISSES):
        watching.look()
    assert [alarm.link.own for alarm in Alarm.objects.filter(cleared_at=None)] == [end]
    fibre.is_away = False
    watching.looked_at -= _keeper.PAUSE_SECONDS
    watching.look()
    assert not Alarm.objects.filter(cleared_at=None).exists()


class Running:
    """A child that has not ended."""

    def poll(self):
        return None


def test_whoever_plays_with_the_eavesdropper_fills_the_disk_slowly(child):
    """Each block adds key; a change is remembered until the next one may be tried."""
    fill(3000)
    assert not child._is_wanted()
    run(child)
    child.eavesdropper["intercept"] = 0.01
    assert not child._is_wanted()
    child.started_at -= _keeper.FULL_SECONDS
    assert child._is_wanted()
