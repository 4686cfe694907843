"""What the ends of a link say for good: signed into the log, shown with its index, and from both."""

import pytest
from django.urls import reverse
from tests.border import room
from tests.link.ends import Ends

from renkei.border import door as border
from renkei.link import door
from renkei.link.models import Alarm, Event

pytestmark = pytest.mark.django_db
BODY = {"between": ["jp", "us"], "event": "alarm-raised", "kind": "qber", "about": "25.00%"}


@pytest.fixture
def far(settings, monkeypatch, tmp_path):
    """The partner's log and the way to it."""
    return room.found(settings, monkeypatch, tmp_path)


@pytest.fixture
def link(far):
    return Ends(blocks=0).us


def what(link):
    return [(one.said_by, one.what, one.kind) for one in door.events(link, most=9)]


def test_an_alarm_is_signed_when_it_is_raised_and_when_it_is_cleared(link):
    door.raise_alarm(link, door.QBER_ALARM, "error_rate: 25.00%")
    door.raise_alarm(link, door.QBER_ALARM, "error_rate: 26.00%")
    door.clear_alarm(link, door.QBER_ALARM)
    door.clear_alarm(link, door.QBER_ALARM)

    assert what(link) == [("us", "alarm-cleared", "qber"), ("us", "alarm-raised", "qber")]
    raised = Event.objects.get(what="alarm-raised")
    statement = border.statement_of(_entry(raised.index), border.own_log())
    assert statement.envelope.type == "link.event"
    assert statement.envelope.body == BODY | {"about": "error_rate: 25.00%"}
    assert statement.leaf == raised.leaf


def _entry(index):
    return border.own_log().entries.get(index=index)


def test_a_silent_partner_is_no_news_for_the_record(link):
    door.raise_alarm(link, "partner-silent", "")
    door.clear_alarm(link, "partner-silent")
    assert what(link) == []


def test_what_a_person_clears_is_signed_too(link):
    door.raise_alarm(link, "rolled-back", "1/0/0 -> 2/0/0")
    assert door.put_right(link) == 1
    assert [event for _by, event, _kind in what(link)] == ["alarm-cleared", "alarm-raised"]


def test_a_node_that_cannot_sign_stops_all_the_same():
    link = Ends(blocks=0).us
    door.raise_alarm(link, door.QBER_ALARM, "error_rate: 25.00%")
    assert Alarm.objects.filter(cleared_at=None).count() == 1
    assert what(link) == []


def test_the_partners_events_are_shown_with_their_index(client, link, far):
    partner, wire = far
    partner.say("link.event", BODY)
    room.pull(wire)

    assert what(link) == [("jp", "alarm-raised", "qber")]
    text = client.get(reverse("link:now")).content.decode()
    assert "Alarm raised" in text
    assert '<td class="num" data-label="Entry of its log">1</td>' in text


def test_nobody_speaks_for_the_link_of_others(link, far):
    partner, wire = far
    partner.say("link.event", BODY | {"between": ["kr", "us"]})
    partner.say("link.event", BODY | {"event": "shrugged"})
    partner.say("link.event", BODY | {"between": ["jp", "kr"]})
    room.pull(wire)

    assert what(link) == []
    fates = list(room.mirror().entries.order_by("index").values_list("fate", flat=True))
    assert fates == ["applied", "refused", "refused", "applied"]
