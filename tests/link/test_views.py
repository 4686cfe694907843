"""Pages of the link: they show what is, in both languages, and let anybody try the eavesdropper."""

import json
import re
import socket
import time
from dataclasses import replace

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from tests.link.ends import Ends

from renkei.link import door, engine
from renkei.link.door import _distil
from renkei.link.models import Event, Kme, Run
from renkei.link.templatetags import link as words

pytestmark = pytest.mark.django_db


@pytest.fixture
def link(settings, tmp_path):
    (tmp_path / "keys").mkdir()
    settings.NODE = replace(settings.NODE, folder=tmp_path, demonstration=True)
    door.ensure_kek()
    return Ends(simulated=True).us


def run(link, **said):
    given = {"number": 7, "finished_at": timezone.now(), "simulated": True, "qber": 0.0179}
    return Run.objects.create(link=link, **(given | {"gain": 0.004, "key_bits": 639_616} | said))


def page(client, name="overview", language="en"):
    with override(language):
        return client.get(reverse(f"link:{name}"))


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", ["overview", "now", "proof"])
def test_pages_are_there_in_both_languages(client, link, name, language):
    run(link)
    run(link, number=8, qber=None, gain=None, key_bits=0, refused="no_key")
    answer = page(client, name, language)
    assert answer.status_code == 200


def test_a_node_without_a_link_says_so(client):
    assert "no quantum link" in page(client).content.decode()


def test_the_page_shows_the_last_block_and_that_it_is_simulated(client, link):
    run(link)
    text = page(client).content.decode()
    assert "1.79 %" in text
    assert "639616" in text or "639,616" in text
    assert "Simulated: protects nothing" in text


def test_the_stages_of_the_last_block_are_shown_as_far_as_it_went(client, link):
    run(link, figures={"pulses": 703_729_463, "rounds": 948, "phase_error": 0.0568})
    text = page(client, "now").content.decode()
    for said in ("Pulses sent", "703,729,463", "948", "5.68 %"):
        assert said in text
    assert "Bits after privacy amplification" not in text

    run(link, number=8, figures={"pulses": None, "secret_bits": 628_790})
    text = page(client, "now", "ja").content.decode()
    assert "628,790" in text
    assert "Pulses" not in text


def test_every_reason_for_no_key_is_said_in_words():
    assert set(words.OUTCOMES) >= set(engine.REASONS)
    with override("ja"):
        assert all(str(said).isascii() is False for said in words.OUTCOMES.values())
        noted = words.about(Event(kind=door.QBER_ALARM, about="error_rate: 25.00%"))
        assert noted == f"{words.OUTCOMES['error_rate']} (25.00%)"
        assert words.about(Event(kind=door.QBER_ALARM, about="")) == ""  # when it is cleared


def test_an_alarm_is_shown(client, link):
    door.raise_alarm(link, door.QBER_ALARM, "error_rate: 25.00%")
    text = page(client, "now").content.decode()
    assert "delivery has stopped" in text
    assert "error rate too high: perhaps an eavesdropper (25.00%)" in text
    assert (
        "誤り率が高すぎます（盗聴の可能性） (25.00%)" in page(client, "now", "ja").content.decode()
    )


def test_a_source_that_does_not_answer_is_an_alarm(client, link, tmp_path):
    with pytest.raises(door.FibreAwayError):
        _distil._half(link, 1, 1000)
    assert "does not answer: no new key" in page(client, "now").content.decode()


def test_what_helps_with_a_field_is_where_the_field_says(client, link):
    text = page(client).content.decode()
    described = re.findall(r'aria-describedby="([^"]+)"', text)
    assert described
    assert all(f'id="{name}"' in text for name in described)


def test_the_curves_lie_below_the_bound(client, link):
    door.write_curves()
    said = door.rates()
    bound = dict(map(tuple, said["plob"]))
    assert len(said["rates"]) == 3
    for rows in said["rates"].values():
        assert rows[0][1] > 1e5
        assert rows[-1][1] == 0
        for km, rate in rows:
            assert km == 0 or rate < bound[km]
    text = page(client).content.decode()
    assert text.count("<polyline") >= 4
    assert client.get("/node/v1/link/rates").json() == said


def test_the_eavesdropper_is_turned_by_anybody_but_not_too_often(client, link, monkeypatch):
    turned = []
    monkeypatch.setattr(
        door, "set_eavesdropper", lambda _fibre, **said: turned.append(said), raising=True
    )
    monkeypatch.setattr(door, "fibres", lambda: ["fibre"])
    where = reverse("link:eavesdrop")
    assert client.post(where, {"intercept": 100, "split": 0}).status_code == 302
    assert client.post(where, {"intercept": 0, "split": 0}).status_code == 429
    assert turned == [{"intercept": 1.0, "split": 0.0}]


@pytest.mark.parametrize("said", [{"intercept": 101, "split": 0}, {"intercept": "x"}, {}])
def test_a_share_out_of_range_is_refused(client, link, said):
    assert client.post(reverse("link:eavesdrop"), said).status_code == 422


def test_the_page_says_how_the_eavesdropper_is_turned_and_waits_for_no_fibre(
    client, link, tmp_path
):
    with socket.create_server(("127.0.0.1", 0)) as mute:  # a fibre that was stopped
        ports = {name: mute.getsockname()[1] for name in ("us", "jp")}
        said = {"ports": ports, "eve": {"intercept": 0.37, "split": 0.0}}
        (tmp_path / "fibre.json").write_text(json.dumps(said))
        known = {"node": "us", "secret": "00", "file": str(tmp_path / "fibre.json")}
        (tmp_path / "keys" / "link-fibre-jp").write_text(json.dumps(known))
        begun = time.perf_counter()
        text = page(client).content.decode()
    assert 'name="intercept" value="37"' in text
    assert time.perf_counter() - begun < 4


def test_there_is_no_eavesdropper_where_there_is_no_demonstration(client, link, settings):
    settings.NODE = replace(settings.NODE, demonstration=False)
    answer = client.post(reverse("link:eavesdrop"), {"intercept": 1, "split": 0})
    assert answer.status_code == 422


def test_the_api_says_what_the_page_shows(client, link):
    run(link)
    (said,) = client.get("/node/v1/link/links").json()
    assert (said["node"], said["partner"], said["source"]) == ("us", "jp", "simulated")
    assert said["runs"][0]["key_bits"] == 639_616
    assert said["keys_ready"] > 0


# What the partner's end asks


def test_only_the_partner_is_heard(client, link):
    door.keep_secret("jp", "ab" * 32)
    answer = client.post("/link/v1/ping", b"", content_type="application/octet-stream")
    assert answer.status_code == 403
    forged = client.post(
        "/link/v1/ping",
        b"",
        content_type="application/octet-stream",
        headers={door.HEADER: f"jp {'0' * 32} {'0' * 64}"},
    )
    assert forged.status_code == 403


def signed(kind, body, *, who="jp", to="us", secret="ab" * 32, nonce="0" * 32):
    mac = door._channel._mac(bytes.fromhex(secret), "ask", who, to, kind, nonce, body)
    return {door.HEADER: f"{who} {nonce} {mac}"}


def test_a_message_of_the_partner_is_answered_under_the_secret(client, link):
    door.keep_secret("jp", "ab" * 32)
    answer = client.post(
        "/link/v1/ping",
        b"",
        content_type="application/octet-stream",
        headers=signed("ping", b""),
    )
    assert answer.status_code == 200
    expected = door._channel._mac(
        bytes.fromhex("ab" * 32), "answer", "ping", "0" * 32, "200", b"{}"
    )
    assert answer[door.HEADER] == expected


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("allocate", b"{}", 400),
        ("allocate", b"\xff", 400),
        ("settle", b"[]", 400),
        ("confirm", b"{}", 400),
        ("nothing", b"", 400),
        ("distil", b"x", 503),
    ],
)
def test_what_the_partner_says_wrongly_is_refused(client, link, kind, body, status):
    door.keep_secret("jp", "ab" * 32)
    answer = client.post(
        f"/link/v1/{kind}",
        body,
        content_type="application/octet-stream",
        headers=signed(kind, body),
    )
    assert answer.status_code == status


def test_a_message_for_another_address_is_refused(client, link):
    door.keep_secret("jp", "ab" * 32)
    for wrong in (
        signed("settle", b""),
        signed("ping", b"x"),
        signed("ping", b"", to="jp"),
        signed("ping", b"", secret="cd" * 32),
        signed("ping", b"", who="fr"),
        {door.HEADER: ""},
    ):
        answer = client.post(
            "/link/v1/ping", b"", content_type="application/octet-stream", headers=wrong
        )
        assert answer.status_code == 403


def test_key_managers_of_others_are_shown_as_a_draft(client, link):
    assert (
        "Key managers of other vendors" not in client.get(reverse("link:overview")).content.decode()
    )
    Kme.objects.create(
        name="vendor", address="https://vendor", certificates="", fingerprints=["00"],
        saes=["secret-application"], admitted_at=timezone.now(),
    )  # fmt: skip
    text = client.get(reverse("link:overview")).content.decode()
    assert "Draft" in text.partition("Key managers of other vendors")[2]
    assert "secret-application" not in text
    japanese = client.get("/ja/link/").content.decode()
    assert "他社の鍵管理装置" in japanese
