"""Pulling a partner's log: verified before it is stored, stored before it is applied."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.db import IntegrityError
from django.test import Client
from tests.border.engine.pair import SALT
from tests.border.room import Partner, found, mirror, pull

from renkei.base.models import ApiToken
from renkei.base.node import Nodes
from renkei.border import door, engine
from renkei.border.commands import border
from renkei.border.door import (
    _audit,
    _client,
    _exchange,
    _incidents,
    _joint,
    _keys,
    _log,
    _registry,
    _tiles,
    _witness,
)
from renkei.border.models import Act, Checkpoint, Entry, Incident, Peer, Witnessed
from renkei.kit.errors import RenkeiError

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def pair(settings, monkeypatch, tmp_path, db):
    return found(settings, monkeypatch, tmp_path)


def kinds():
    return sorted(Incident.objects.values_list("kind", flat=True))


def test_everything_is_mirrored_byte_for_byte_and_served_again(pair):
    jp, wire = pair
    jp.fill(600)

    assert pull(wire) == 601
    log = mirror()
    stored = list(Entry.objects.filter(log=log).order_by("index").values_list("data", flat=True))
    assert [bytes(data) for data in stored] == jp.entries
    for wanted in engine.new_tiles(0, 601):
        assert door.tile(log, wanted) == jp.tile(wanted)
    assert pull(wire) == 0
    assert door.audit(log).wrong == []
    assert Witnessed.objects.get().size == 601


def test_types_that_no_room_knows_are_kept_and_not_applied(pair):
    jp, wire = pair
    jp.say("future.thing.made", {"number": 1}, signers=(jp.keys.log.ed25519,))

    pull(wire)

    row = Entry.objects.get(log=mirror(), index=1)
    assert (row.fate, bytes(row.data)) == ("unknown", jp.entries[1])
    assert kinds() == []


@pytest.mark.parametrize("version", ["0.9", "2.0", "99.1"])
def test_an_entry_of_another_version_is_kept_and_stops_nothing(pair, version):
    jp, wire = pair
    jp.fill(1)
    assert jp.entries[1].count(b'"version":"1.0"') == 1
    jp.entries[1] = jp.entries[1].replace(b'"version":"1.0"', b'"version":"%s"' % version.encode())
    jp.fill(1)

    assert pull(wire) == 3
    assert Entry.objects.get(log=mirror(), index=1).fate == "invalid"
    assert Entry.objects.get(log=mirror(), index=2).fate == "unknown"
    assert kinds() == ["bad_statement"]


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[" * 60_000, b'{"a":1,"a":2}', b"\xff\xfe", b"x" * engine.MAX_ENTRY_BYTES],
    ids=["empty", "broken", "deep", "twice", "not-utf-8", "longest"],
)
def test_garbage_in_a_log_is_kept_as_what_it_is(pair, data):
    jp, wire = pair
    jp.entries.append(data)
    jp.fill(1)

    assert pull(wire) == 3
    row = Entry.objects.get(log=mirror(), index=1)
    assert (row.fate, bytes(row.data)) == ("invalid", data)
    assert kinds() == ["bad_statement"]
    assert door.audit(mirror()).wrong == []


def test_a_statement_without_its_second_signature_is_invalid_where_it_is_solemn(pair):
    jp, wire = pair
    jp.propose(record="record.commitment/jp/a")
    strong = jp.entries.pop()
    envelope = engine.read_envelope(strong)
    jp.say(
        engine.PROPOSED, dict(envelope.body), record=envelope.record,
        signers=(jp.keys.log.ed25519,), issued=NOW,
    )  # fmt: skip

    pull(wire)

    assert Entry.objects.get(log=mirror(), index=1).fate == "invalid"
    assert not Act.objects.exists()


def test_a_statement_by_other_keys_is_invalid(pair):
    jp, wire = pair
    other = Partner("jp", "JP", jp.origin, seed="other")
    jp.propose(record="record.commitment/jp/a")
    jp.entries.pop()
    other.propose(record="record.commitment/jp/a")
    jp.entries.append(other.entries[-1])

    pull(wire)

    assert Entry.objects.get(log=mirror(), index=1).fate == "invalid"


def test_what_is_dated_in_the_future_waits_until_then(pair):
    jp, wire = pair
    later = NOW + timedelta(days=2)
    jp.propose(record="record.commitment/jp/a", now=later)

    pull(wire)

    assert Entry.objects.get(log=mirror(), index=1).fate == "quarantined"
    assert not Act.objects.exists()
    assert door.retry(now=NOW + timedelta(days=1)) == 0
    assert door.retry(now=later) == 1
    assert Act.objects.get().stage == "proposed"


@pytest.mark.parametrize("days", [-2, 2])
def test_clocks_that_differ_are_said(pair, days):
    _jp, wire = pair
    wire.now = NOW + timedelta(days=days)

    pull(wire, now=NOW)

    assert kinds() == ["clock"]
    assert abs(Peer.objects.get().clock_skew_seconds - days * 86_400) < 5


def test_the_witness_signs_nothing_while_its_clock_is_behind(pair):
    jp, wire = pair
    pull(wire, now=NOW)
    jp.fill(1)

    with pytest.raises(_witness.ClockBackError):
        pull(wire, now=NOW - timedelta(days=2))

    assert Witnessed.objects.get().size == 1
    assert pull(wire, now=NOW + timedelta(seconds=1)) == 1


def test_a_rewritten_log_is_kept_as_evidence_that_a_third_party_checks(
    pair, client, officer, tmp_path
):
    jp, wire = pair
    jp.fill(3)
    pull(wire)
    other = Partner("jp", "JP", jp.origin)
    other.entries = jp.entries[:2]
    other.fill(3)
    wire.partner = other

    with pytest.raises(_witness.RewrittenError):
        pull(wire)

    assert kinds() == ["fork"]
    incident = Incident.objects.get()
    name, file = door.evidence_file(incident.pk)
    assert name.endswith(".json")
    out = tmp_path / "fork.json"
    nodes = Nodes(enter=lambda folder: None, named=Path(os.environ["RENKEI_NODE"]))
    written = CliRunner().invoke(border, ["evidence", str(incident.pk), "-o", str(out)], obj=nodes)
    assert (written.exit_code, out.read_bytes()) == (0, file)
    pin = jp.founded.fingerprint
    checked = CliRunner().invoke(border, ["verify", str(out), "--pin", pin])
    assert checked.exit_code == 0, checked.output
    client.force_login(officer)
    assert client.get(f"/en/border/incidents/{incident.pk}/evidence").content == file
    program = Client(headers={"Authorization": f"Bearer {ApiToken.issue(user=officer, name='t')}"})
    asked = program.get(f"/node/v1/border/incidents/{incident.pk}/evidence")
    assert (asked.content, asked["Content-Type"]) == (file, "application/json")
    assert program.get("/node/v1/border/incidents/99/evidence").status_code == 404
    assert engine.verify_receipt(file, [jp.founded.fingerprint]).passed
    assert Entry.objects.filter(log=mirror()).count() == 4
    assert bytes(Entry.objects.get(log=mirror(), index=2).data) == jp.entries[2]


def test_a_log_that_shows_less_is_refused(pair):
    jp, wire = pair
    jp.fill(3)
    pull(wire)
    wire.shown = jp.note(2)

    with pytest.raises(_exchange.ShrunkError):
        pull(wire)


@pytest.mark.parametrize("where", ["tile/entries/000.p/4", "tile/0/000.p/4"])
def test_tiles_that_do_not_lead_to_the_root_are_refused(pair, where):
    jp, wire = pair
    jp.fill(3)
    content = bytearray(jp.tile(engine.parse_tile(where)))
    content[-1] ^= 1
    wire.changed[f"/log/{where}"] = bytes(content)

    with pytest.raises(RenkeiError):
        pull(wire)

    assert Entry.objects.filter(log=mirror()).count() == 0
    wire.changed.clear()
    assert pull(wire) == 4


def test_a_checkpoint_without_one_of_both_signatures_is_refused(pair):
    jp, wire = pair
    lines = jp.note().decode().splitlines(keepends=True)
    for gone in (-1, -2):
        kept = [line for at, line in enumerate(lines) if at != len(lines) + gone]
        wire.shown = "".join(kept).encode()
        with pytest.raises(RenkeiError):
            pull(wire)
    assert not Witnessed.objects.exists()


def test_a_witness_without_its_state_goes_by_its_mirror(pair):
    jp, wire = pair
    jp.fill(3)
    pull(wire)
    Witnessed.objects.all().delete()

    status, _kind, body = door.add_checkpoint(
        engine.dump_add_checkpoint(0, [], jp.note(2)), now=NOW + timedelta(seconds=9)
    )
    assert (status, body) == (409, b"4\n")


@pytest.mark.parametrize("error", [ValueError, KeyError, IntegrityError, RecursionError])
def test_a_defect_of_a_handler_stops_nothing_that_comes_after(pair, monkeypatch, error):
    jp, wire = pair
    jp.propose(record="record.commitment/jp/a")
    jp.fill(1)

    def broken(*_args, **_more):
        raise error("a defect")

    monkeypatch.setattr(_joint, "_read", broken)

    assert pull(wire) == 3
    row = Entry.objects.get(log=mirror(), index=1)
    assert row.fate == "refused"
    assert error.__name__ in row.why


def test_a_full_disk_is_no_defect_of_what_was_said(pair, monkeypatch):
    jp, wire = pair
    jp.propose(record="record.commitment/jp/a")

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(_joint, "_read", full)
        with pytest.raises(OSError, match="No space"):
            pull(wire)
        assert mirror().size == 0

    assert pull(wire) == 2
    assert Entry.objects.get(log=mirror(), index=1).fate == "applied"


def test_an_exchange_that_broke_off_goes_on_where_it_was(pair, monkeypatch):
    jp, wire = pair
    monkeypatch.setattr(_exchange, "CHUNK", 256)
    jp.fill(700)
    wire.changed["/log/tile/entries/001"] = b"broken"

    with pytest.raises(RenkeiError):
        pull(wire)

    log = mirror()
    assert (log.size, Entry.objects.filter(log=log).count()) == (256, 256)
    wire.changed.clear()
    wire.asked.clear()
    assert pull(wire) == 445
    assert "/log/tile/entries/000" not in wire.asked
    assert door.audit(mirror()).wrong == []


def test_what_was_cosigned_while_the_guard_asked_is_no_rollback(pair, monkeypatch):
    monkeypatch.setattr(_exchange, "_guarded", set())
    quiet = _registry.StatementType(name="test.note.made", schema={}, handle=lambda _said: None)
    monkeypatch.setitem(_registry.types(), "test.note.made", quiet)

    def cosigned_meanwhile(_partner, _origin):
        door.say(door.Said(type="test.note.made", body={}))
        return bytes(door.publish(now=NOW).note)

    monkeypatch.setattr(_exchange, "_cosigned_by", cosigned_meanwhile)

    _exchange.guard(door.partner("jp"), now=NOW)

    assert kinds() == []


def test_the_guard_stops_a_node_that_a_partner_knows_better(pair, monkeypatch):
    _jp, wire = pair
    monkeypatch.setattr(_exchange, "_guarded", set())
    door.publish(now=NOW)
    own = _log.own_log()
    keys = _keys.keys()
    note = engine.sign_checkpoint(
        engine.Checkpoint(own.origin, own.size + 5, b"\1" * 32),
        ed25519=engine.Ed25519NoteSigner(own.origin, keys.log_ed25519),
        mldsa44=engine.MlDsa44Cosigner(own.origin, keys.log_mldsa44),
        timestamp=int(NOW.timestamp()),
    )
    path = f"/border/v1/witness/{_tiles.name_of(own.origin)}/checkpoint"
    wire.changed[path] = note

    with pytest.raises(_exchange.BehindError):
        _exchange.guard(door.partner("jp"), now=NOW)

    assert kinds() == ["rollback"]
    with pytest.raises(door.HaltedError):
        door.say(_log.Said(type=engine.REVOKED, body={}))
    assert Checkpoint.objects.filter(log=own).count() == 1


def test_a_cosignature_that_was_lost_on_its_way_is_asked_for_again(pair):
    _jp, wire = pair
    partner, identity = door.partner("jp"), _keys.pinned("jp")
    row = door.publish(now=NOW)
    assert not row.is_witnessed
    Peer.objects.update(cosigned=row.size, proven_at=NOW)  # it did cosign: this node was killed

    _exchange.push(partner, identity, now=NOW)

    row.refresh_from_db()
    assert row.is_witnessed
    wire.asked.clear()
    _exchange.push(partner, identity, now=NOW)
    assert wire.asked == []
    _exchange.push(partner, identity, now=NOW + timedelta(hours=2))
    assert wire.asked == ["/border/v1/witness/add-checkpoint"]  # silence must be visible


def test_a_second_rollback_stops_the_node_like_the_first(pair):
    own = _log.own_log()
    for _time in range(2):
        _exchange._note_behind(own, 9, by="jp", now=NOW)
        _exchange._note_behind(own, 9, by="jp", now=NOW)
        with pytest.raises(door.HaltedError):
            _log.refuse_halted(own)
        incident = Incident.objects.get(closed_at=None)
        assert incident.seen == 2
        _incidents.end(incident, by="us", why="rebuilt", now=NOW)
        _log.refuse_halted(own)


def test_a_log_whose_keys_were_changed_is_still_found_whole_and_mended(pair):
    door.rotate("log", reason="a test", now=NOW)
    _keys._read.cache_clear()
    _exchange.publish(now=NOW)
    log = _log.own_log()

    assert [door.audit(log, signatures=each).wrong for each in (True, False)] == [[], []]
    assert door.scrub(log, now=NOW).wrong == []


@pytest.mark.parametrize("which", ["first", "last"])
def test_a_damaged_entry_about_keys_is_named(pair, which):
    door.rotate("log", reason="a test", now=NOW)
    _keys._read.cache_clear()
    _exchange.publish(now=NOW)
    log = _log.own_log()
    row = getattr(Entry.objects.about_keys(log).order_by("index"), which)()

    Entry.objects.filter(pk=row.pk).update(data=bytes(row.data).replace(b"us", b"su", 1))

    for signatures in (True, False):
        found = door.audit(log, signatures=signatures)
        assert found.damaged_entries == [row.index]


@pytest.mark.parametrize("long", [20_000, 1], ids=["here", "in other processes"])
def test_a_statement_whose_signer_was_changed_is_named(pair, monkeypatch, long):
    monkeypatch.setattr(_audit, "LONG", long)
    jp, wire = pair
    jp.fill(300)
    pull(wire)
    log = mirror()
    row = Entry.objects.get(log=log, index=200)
    forged = jp.entries[200].replace(jp.keys.log.ed25519.kid.encode(), b"0" * 32)
    Entry.objects.filter(pk=row.pk).update(data=forged)

    found = door.audit(log)

    assert found.damaged_entries == [200]
    assert found.statements == 300
    assert found.wrong[0].code == "border.unknown_signer"


class Carried:
    """A carrier that wraps what it is given."""

    def __init__(self, *, has_key=True, opens=True):
        self.has_key, self.opens = has_key, opens

    def reaches(self, partner):
        return partner == "jp"

    def seal(self, partner, content):
        return b"box" + content if self.has_key else None

    def unseal(self, partner, sealed):
        if not self.opens:
            raise RenkeiError("it does not open")
        assert sealed.startswith(b"box")
        return sealed[3:]


@pytest.mark.parametrize(
    ("carrier", "asked"),
    [
        (None, [False]),
        (Carried(), [True]),
        (Carried(has_key=False), [True]),
        (Carried(opens=False), [True, False]),
    ],
    ids=["none", "with a key", "without", "spoilt"],
)
def test_private_content_is_fetched_over_the_carrier_where_it_opens(
    pair, monkeypatch, carrier, asked
):
    jp, _wire = pair
    partner = door.partner("jp")
    content, salt = b"a name", SALT
    commitment = engine.commitment_of(content, salt)
    _log.want_private(commitment, origin=jp.origin)
    monkeypatch.setattr(_exchange, "carrier", lambda: carrier)
    said = []
    sealed = {
        commitment: engine.encode_base64(
            engine.seal(
                content,
                salt,
                to=_keys.keys().sealing.public,
                issuer=jp.origin,
                recipient=_keys.identity().origin,
                entry=commitment,
            )
        )
    }
    monkeypatch.setattr(_exchange, "sealed_for", lambda *_: sealed)

    def ask_signed(url, document, *, now, most):
        said.append(document["carried"])
        answer = _exchange.carried_for if document["carried"] else _exchange.sealed_for
        body = json.dumps({"sealed": answer(partner, document["commitments"])}).encode()
        return _client.Answer(status=200, content=body, kind="", date="")

    monkeypatch.setattr(_client, "ask_signed", ask_signed)

    assert _exchange.fetch_private(partner, now=NOW) == 1

    assert said == asked
    assert door.private(commitment) == content
