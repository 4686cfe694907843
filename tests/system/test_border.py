"""The border between two running nodes, and everything that may go wrong with it.

``RENKEI_ROUNDS=200 pytest tests/system/test_border.py -k kill`` is the long run.
"""

import json
import os
import random
import secrets
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import metamorphic_log
import pytest
from tests.system.border import keys_of, ran, script, signed

from renkei.border import engine
from renkei.border.commands._rig import Link, Rig, until

GO_PATH = Path("/usr/share/gocode")
VERIFIER = Path(__file__).parent.parent / "border" / "verify.go"
ROUNDS = int(os.environ.get("RENKEI_ROUNDS", "20"))
HEAL_SECONDS = 90
BROKEN: list[Rig] = []
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, founded: Callable[[Path], Path]) -> Iterator[Rig]:
    """Return a running pair, shared by the whole file: every test leaves it healed."""
    with Rig(founded(tmp_path_factory.mktemp("border") / "var")) as made:
        yield made


@pytest.fixture(autouse=True)
def healthy(rig: Rig) -> Iterator[None]:
    """Begin and end with two nodes that hold the same; what one test broke stops those after it."""
    assert rig not in BROKEN, "an earlier test left the pair in pieces"
    BROKEN.append(rig)
    for name in rig.names:
        settle(rig, name)
    assert until(rig.is_even, HEAL_SECONDS), [rig.status(name) for name in rig.names]
    BROKEN.clear()
    yield
    for link in rig.links.values():
        link.heal()


def key() -> str:
    return f"k{secrets.token_hex(6)}"


def witnessed(rig: Rig, name: str, uid: str) -> bool:
    return bool(rig.act(name, uid).get("stage") == "witnessed")


def agree(rig: Rig, by: str = "us") -> dict[str, Any]:
    """Carry one joint act through, on both nodes."""
    answering = "jp" if by == "us" else "us"
    act = rig.propose(by, key())
    assert act is not None
    assert until(lambda: rig.act(answering, act["uid"]), HEAL_SECONDS)
    assert rig.answer(answering, act) == 200
    for name in rig.names:
        assert until(lambda name=name: witnessed(rig, name, act["uid"]), HEAL_SECONDS)
    return act


def sound(rig: Rig) -> None:
    """Audit every log on both nodes."""
    for name in rig.names:
        rows = rig.audit(name)
        assert len(rows) == 2
        assert [row["wrong"] for row in rows] == [[], []]


def kinds(rig: Rig, name: str) -> list[str]:
    return [row["kind"] for row in rig.incidents(name) if row["closed_at"] is None]


def settle(rig: Rig, name: str) -> None:
    """Close every incident of a node."""
    for row in rig.incidents(name):
        if row["closed_at"] is None:
            path = f"/node/v1/border/incidents/{row['number']}/settlement"
            assert rig.ask(name, "POST", path, {"why": "a test"})[0] == 200


def note_of(rig: Rig, name: str) -> bytes:
    status, note = rig.ask(name, "GET", "/log/checkpoint", token="")
    assert status == 200
    return note


def point_of(note: bytes) -> engine.Checkpoint:
    return engine.parse_checkpoint(engine.parse_note(note).text)


def copy_database(folder: Path, to: Path) -> None:
    with (
        closing(sqlite3.connect(folder / "node.sqlite3")) as source,
        closing(sqlite3.connect(to)) as target,
    ):
        source.backup(target)


def put_back(folder: Path, copy: Path) -> None:
    for file in folder.glob("node.sqlite3*"):
        file.unlink()
    shutil.copy(copy, folder / "node.sqlite3")


# What both do together


def test_a_joint_act_is_witnessed_and_in_the_record_of_both(rig: Rig) -> None:
    act = agree(rig)

    for name in rig.names:
        shown = rig.act(name, act["uid"])
        assert {row["party"] for row in shown["approvals"]} == {"US", "JP"}
        assert all(row["is_witnessed"] for row in shown["statements"])
        slug = act["content"]["slug"]
        assert rig.ask(name, "GET", f"/en/record/commitments/{slug}/", token="")[0] == 200
    sound(rig)


def test_the_home_may_be_either_side(rig: Rig) -> None:
    act = agree(rig, by="jp")

    assert rig.act("us", act["uid"])["home"] == "jp"


def test_a_receipt_made_on_one_node_holds_on_no_node(rig: Rig, tmp_path: Path) -> None:
    act = agree(rig)
    file = tmp_path / "receipt.json"

    made = rig.renkei("us", "border", "receipt", act["uid"], "-o", str(file))
    assert made.returncode == 0, made.stderr
    checked = rig.command("border", "verify", str(file), "--json")
    assert checked.returncode == 0, checked.stdout
    assert json.loads(checked.stdout)
    file.write_bytes(file.read_bytes().replace(b"quantum", b"quantun", 1))
    assert rig.command("border", "verify", str(file)).returncode == 1


def test_other_peoples_verifiers_read_the_live_logs(
    rig: Rig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in rig.names:
        note = note_of(rig, name)
        ed25519 = vkeys(rig, name)[0]
        head = metamorphic_log.checkpoint_verify(note.decode(), [ed25519])
        assert (head.size, head.root) == (point_of(note).size, point_of(note).root)
    if not shutil.which("go") or not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("the Go part needs Debian's packages golang-go and golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("go")
    environment = {
        "PATH": os.environ["PATH"], "GO111MODULE": "off", "GOPATH": str(GO_PATH),
        "GOCACHE": str(folder / "cache"),
    }  # fmt: skip
    subprocess.run(["go", "build", "-o", folder / "verify", VERIFIER], check=True, env=environment)
    for name in rig.names:
        done = subprocess.run(
            [folder / "verify", f"{rig.address(name)}/log", vkeys(rig, name)[0], "1"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def vkeys(rig: Rig, name: str) -> list[str]:
    """Return the verifier keys of a node's log, as it shows them."""
    text = ran(rig.folder(name), "print(*door.own_history().newest('log').vkeys, sep='\\n')")
    return text.splitlines()


# What a partner may send


@pytest.mark.parametrize("to", ["us", "jp"])
def test_a_signed_request_counts_once_with_both_algorithms_and_by_a_partner(
    rig: Rig, to: str
) -> None:
    by = "jp" if to == "us" else "us"
    now = datetime.now(UTC)
    body = json.dumps({"origin": "x", "size": 1}).encode()

    def sent(headers: dict[str, str], given: bytes = body) -> int:
        return rig.ask(to, "POST", "/border/v1/hint", given, token="", headers=headers)[0]

    good = signed(rig, by, to, "/border/v1/hint", body, now=now, nonce=secrets.token_hex(12))
    assert sent(good) == 202
    assert sent(good) == 403  # replayed
    assert sent(good, body + b" ") in {400, 401, 403}  # another body

    old = signed(
        rig, by, to, "/border/v1/hint", body,
        now=now - timedelta(hours=1), nonce=secrets.token_hex(12),
    )  # fmt: skip
    assert sent(old) in {401, 403}
    other_address = signed(
        rig, by, by, "/border/v1/hint", body, now=now, nonce=secrets.token_hex(12)
    )
    assert sent(other_address) in {401, 403}
    stranger = engine.NodeKeys.generate()
    assert sent(
        engine.sign_request(
            "POST", rig.address(to) + "/border/v1/hint", {"Content-Type": "application/json"}, body,
            keys=stranger.log, now=now, nonce=secrets.token_hex(12),
        )
    ) in {401, 403}  # fmt: skip
    own = signed(rig, to, to, "/border/v1/hint", body, now=now, nonce=secrets.token_hex(12))
    assert sent(own) in {401, 403}

    fresh = signed(rig, by, to, "/border/v1/hint", body, now=now, nonce=secrets.token_hex(12))
    for name in ("Signature", "Signature-Input"):
        stripped = dict(fresh)
        found = next(header for header in stripped if header.lower() == name.lower())
        stripped[found] = stripped[found].split(", ")[0]
        assert sent(stripped) in {400, 401, 403}
    assert sent({}) in {400, 401, 403}


GARBAGE = (
    b"",
    b"\0" * 1000,
    b"{",
    b"[" * 60_000,
    b'{"a":' * 10_000,
    b'{"origin":"x","origin":"y"}',
    "日本".encode("utf-16"),
    b"old 0\n\nx\n0\n\n",
    b"old -1\n\n",
    b"old 99999999999999999999999\n" + b"A" * 60_000,
    b"9" * 65_000,
    b"\x1f\x8b\x08" + b"\0" * 1000,
)
ADDRESSES = ("/border/v1/hint", "/border/v1/private", "/border/v1/witness/add-checkpoint")


@pytest.mark.parametrize("address", ADDRESSES)
def test_garbage_is_refused_and_the_node_stays_up(rig: Rig, address: str) -> None:
    for body in GARBAGE:
        status, said = rig.ask("us", "POST", address, body, token="")
        assert 400 <= status < 500, (body[:20], status, said[:200])
    for size in (1 << 18, 1 << 24):
        assert rig.ask("us", "POST", address, b"x" * size, token="")[0] in {400, 413, 0}
    for method in ("GET", "PUT", "DELETE"):
        assert rig.ask("us", method, address, token="")[0] in {403, 404, 405}
    assert rig.answers("us")


@pytest.mark.parametrize("address", ["/border/v1/hint", "/border/v1/private"])
def test_garbage_under_good_signatures_is_refused_too(rig: Rig, address: str) -> None:
    for body in (*GARBAGE, b'{"commitments": 3}', b'{"commitments": ["x"]}', b"[]", b"3"):
        headers = signed(
            rig, "jp", "us", address, body, now=datetime.now(UTC), nonce=secrets.token_hex(12)
        )
        status, said = rig.ask("us", "POST", address, body, token="", headers=headers)
        if address.endswith("hint") and body.startswith(b'{"') and body.endswith(b"}"):
            assert status in {202, 400}  # it is a JSON object: a hint needs no more
        else:
            assert 400 <= status < 500, (body[:20], status, said[:200])


TILES = (
    "0/000.p/0", "0/000.p/256", "0/000.p/999", "0/0", "0/-1", "64/000", "9/000", "entries/999",
    "entries/x999/999", "0/x000/000", "..%2f..%2fnode.toml", "0/000/../../checkpoint", "%00",
    "0/" + "x000/" * 500 + "000", "entries/999.p/255",
)  # fmt: skip


@pytest.mark.parametrize("base", ["/log/tile/", "/border/v1/mirror/00/tile/"])
def test_tiles_that_are_none_are_refused(rig: Rig, base: str) -> None:
    for path in TILES:
        status, _said = rig.ask("us", "GET", base + path, token="")
        assert 400 <= status < 500, path


# Links


@contextmanager
def flapping(there: Link, back: Link) -> Iterator[None]:
    """Cut both ways and heal them, again and again."""
    over = threading.Event()

    def flap() -> None:
        while not over.wait(0.7):
            there.cut()
            back.cut()
            over.wait(0.4)
            there.heal()
            back.heal()

    thread = threading.Thread(target=flap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def bad(fault: str, there: Link, back: Link) -> Iterator[None]:
    """Make a link bad for a while."""
    if fault == "flapping":
        with flapping(there, back):
            yield
    elif fault in {"cut", "one-way"}:
        there.cut()
        if fault == "cut":
            back.cut()
        yield
    elif fault == "deaf":
        there.is_deaf = True
        yield
    elif fault == "delay":
        there.delay = back.delay = 0.4
        yield
    else:
        there.loss = back.loss = 0.2
        yield
    there.heal()
    back.heal()


def other(act: dict[str, Any]) -> str:
    """Return the node that is not the act's home."""
    return "jp" if act["home"] == "us" else "us"


@pytest.mark.parametrize("fault", ["cut", "one-way", "deaf", "delay", "loss", "flapping"])
def test_both_sides_write_over_a_bad_link_and_meet_again_by_themselves(
    rig: Rig, fault: str
) -> None:
    acts = []
    with bad(fault, rig.links["us", "jp"], rig.links["jp", "us"]):
        for name in rig.names * 3:
            act = rig.propose(name, key())
            assert act is not None  # both work alone
            acts.append(act)
        if fault == "cut":
            time.sleep(2)
            assert [rig.act(other(act), act["uid"]) for act in acts] == [{}] * len(acts)
            assert {rig.act(act["home"], act["uid"])["stage"] for act in acts} == {
                "approved_by_one"  # they wait
            }
        if fault == "delay":
            assert until(lambda: rig.act("jp", acts[0]["uid"]), HEAL_SECONDS)  # slow, but moving

    for act in acts:
        assert until(lambda act=act: rig.act(other(act), act["uid"]), HEAL_SECONDS)
        assert rig.answer(other(act), act) == 200
    for act in acts:
        for name in rig.names:
            assert until(lambda act=act, name=name: witnessed(rig, name, act["uid"]), HEAL_SECONDS)
    assert until(rig.is_even, HEAL_SECONDS)
    sound(rig)


def test_a_partner_that_is_down_delays_and_loses_nothing(rig: Rig) -> None:
    with rig.stopped("jp"):
        act = rig.propose("us", key())
        assert act is not None
        assert until(lambda: rig.log("us", "jp").get("state") != "ok", 30)
        assert rig.answers("us")

    assert until(lambda: rig.act("jp", act["uid"]), HEAL_SECONDS)
    assert rig.answer("jp", act) == 200
    assert until(lambda: witnessed(rig, "us", act["uid"]), HEAL_SECONDS)


def test_a_node_that_stood_still_goes_on(rig: Rig) -> None:
    for what in ("serve", "work"):
        os.killpg(rig.pid("jp", what), signal.SIGSTOP)
    try:
        act = rig.propose("us", key())
        time.sleep(12)  # longer than a request may take
        assert rig.answers("us")
    finally:
        for what in ("serve", "work"):
            os.killpg(rig.pid("jp", what), signal.SIGCONT)

    assert act is not None
    assert until(lambda: rig.act("jp", act["uid"]), HEAL_SECONDS)


# Crashes


def test_kill_at_random_loses_nothing_that_was_acknowledged(rig: Rig) -> None:
    chance = random.Random(3)
    acknowledged: list[dict[str, Any]] = []
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            act = rig.propose("us", key(), seconds=10)
            if act is None:
                time.sleep(0.1)
            else:
                acknowledged.append(act)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(ROUNDS):
            what = ("serve", "work")[number % 2]
            before = len(acknowledged)
            assert until(lambda before=before: len(acknowledged) > before, HEAL_SECONDS)
            time.sleep(chance.random() * 0.5)
            rig.end("us", what, how=signal.SIGKILL)
            rig.start("us", what)
    finally:
        over.set()
        writer.join()

    assert len(acknowledged) >= ROUNDS // 2
    places = set()
    for act in acknowledged:
        shown = rig.act("us", act["uid"])
        assert shown["content_hash"] == act["content_hash"]
        mine = [(row["origin"], row["index"]) for row in shown["statements"]]
        assert mine == [(row["origin"], row["index"]) for row in act["statements"]]
        assert places.isdisjoint(mine)
        places.update(mine)
    assert until(rig.is_even, HEAL_SECONDS)
    assert until(lambda: rig.act("jp", acknowledged[-1]["uid"]), HEAL_SECONDS)
    sound(rig)


def test_many_sequencers_on_one_log_make_one_history(rig: Rig) -> None:
    say = (
        "from renkei.base.models import User\n"
        "user = User.objects.get(username='us-officer')\n"
        "for n in range(8):\n"
        "    c = dict(slug=f'{sys.argv[2]}-{n}', title_en='T', title_ja='題', domain='quantum',"
        " kind='infrastructure', status='planned', parties='US, JP')\n"
        "    door.propose('record.commitment', c['slug'], c, by=user, reason='r')\n"
        "    door.publish(now=timezone.now())\n"
    )
    before = rig.log("us", "us")["entries"]
    writers = [script(rig.folder("us"), say, key()) for _one in range(3)]
    for one in writers:
        _said, errors = one.communicate(timeout=120)
        assert one.returncode == 0, errors

    assert rig.log("us", "us")["entries"] == before + 3 * 8 * 2
    assert until(rig.is_even, HEAL_SECONDS)
    sound(rig)
    second = rig.renkei("us", "node", "work", str(rig.folder("us")))
    assert second.returncode != 0  # one worker a node


# Damage


def test_flipped_bits_in_rows_and_files_are_found_and_mended(rig: Rig) -> None:
    until(lambda: rig.log("us", "us")["entries"] > 20, 1)
    chance = random.Random(8)
    fill(rig, "us", 300)
    for name, of, where in (("us", "us", 0), ("us", "us", 0.6), ("jp", "us", 0), ("us", "jp", 0.4)):
        folder = rig.folder(name)
        with rig.stopped(name):
            with closing(sqlite3.connect(folder / "node.sqlite3")) as database, database:
                rows = database.execute(
                    "SELECT e.id, e.data FROM border_entry e JOIN border_log l ON l.id = e.log_id"
                    " WHERE l.name = ? ORDER BY e.id", (of,),
                ).fetchall()  # fmt: skip
                pk, data = rows[int(where * len(rows))]
                spoilt = bytearray(data)
                spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
                database.execute(
                    "UPDATE border_entry SET data = ? WHERE id = ?", (bytes(spoilt), pk)
                )
            root = folder / "log" if name == of else folder / "log" / "mirror" / of
            files = sorted((root / "tile").rglob("*")) if (root / "tile").exists() else []
            files = [file for file in files if file.is_file()]
            assert files or of == "jp"
            for file in files[:1]:
                content = bytearray(file.read_bytes())
                content[chance.randrange(len(content))] ^= 1
                file.write_bytes(content)
        wrong = [row for row in rig.audit(name) if row["wrong"]]
        assert len(wrong) == 1
        assert len(wrong[0]["wrong"]) >= 1 + len(files[:1])

        mended = rig.renkei(name, "border", "scrub", "--json")

        assert mended.returncode == 0, mended.stdout
        assert {"damage", "repaired"} <= set(kinds(rig, name))
        settle(rig, name)
    sound(rig)


def fill(rig: Rig, name: str, count: int) -> None:
    """Say many small things."""
    text = (
        "from renkei.base.models import User\n"
        "user = User.objects.get(username=sys.argv[3])\n"
        "from django.db import transaction\n"
        "for n in range(int(sys.argv[2]) // 2):\n"
        "    c = dict(slug=f'{sys.argv[4]}-{n}', title_en='T', title_ja='題', domain='quantum',"
        " kind='infrastructure', status='planned', parties='US, JP')\n"
        "    door.propose('record.commitment', c['slug'], c, by=user, reason='r')\n"
    )
    ran(rig.folder(name), text, str(count), f"{name}-officer", key())
    assert until(rig.is_even, HEAL_SECONDS)


def test_a_witness_that_lost_its_state_takes_it_from_its_mirror(rig: Rig) -> None:
    agree(rig)
    old = note_of(rig, "us")
    agree(rig)
    with (
        rig.stopped("jp") as folder,
        closing(sqlite3.connect(folder / "node.sqlite3")) as database,
        database,
    ):
        assert database.execute("DELETE FROM border_witnessed").rowcount == 1

    body = engine.dump_add_checkpoint(0, [], old)
    status, _said = rig.ask(
        "jp", "POST", "/border/v1/witness/add-checkpoint", body, token="",
        headers={"Content-Type": "text/plain"},
    )  # fmt: skip

    assert status == 409  # it cosigns nothing below its past
    agree(rig)
    sound(rig)


# Forks and rollbacks


def other_checkpoint(rig: Rig, size: int, at: int) -> bytes:
    """Sign another tree with the keys of ``us``."""
    keys = keys_of(rig, "us")
    origin = point_of(note_of(rig, "us")).origin
    return engine.sign_checkpoint(
        engine.Checkpoint(origin, size, secrets.token_bytes(32)),
        ed25519=engine.Ed25519NoteSigner(origin, keys.log_ed25519),
        mldsa44=engine.MlDsa44Cosigner(origin, keys.log_mldsa44),
        timestamp=at,
    )


def test_a_forked_log_is_refused_kept_as_evidence_and_freezes_joint_acts_alone(
    rig: Rig, tmp_path: Path
) -> None:
    agree(rig)
    waiting = rig.propose("us", key())
    assert waiting is not None
    assert until(lambda: rig.act("jp", waiting["uid"]) and rig.is_even(), HEAL_SECONDS)
    size = rig.log("jp", "us")["entries"]
    address, plain = "/border/v1/witness/add-checkpoint", {"Content-Type": "text/plain"}

    same = engine.dump_add_checkpoint(size, [], other_checkpoint(rig, size, int(time.time())))
    assert rig.ask("jp", "POST", address, same, token="", headers=plain)[0] == 422
    larger = engine.dump_add_checkpoint(
        size, [secrets.token_bytes(32)], other_checkpoint(rig, size + 1, int(time.time()))
    )
    assert rig.ask("jp", "POST", address, larger, token="", headers=plain)[0] == 422

    assert kinds(rig, "jp") == ["fork"]
    assert rig.propose("jp", key()) is None
    assert rig.answer("jp", waiting) == 409
    assert rig.ask("jp", "GET", "/en/border/", token="")[0] == 200
    incident = next(row for row in rig.incidents("jp") if row["kind"] == "fork")
    assert incident["has_evidence"]
    evidence = tmp_path / "fork.json"
    evidence.write_bytes(
        ran(
            rig.folder("jp"),
            "row = models.Incident.objects.get(kind='fork', closed_at=None)\n"
            "print(door.fork_file(row.log, bytes(row.evidence)).decode())",
        ).encode()
    )
    checked = rig.command("border", "verify", str(evidence), "--json")
    assert checked.returncode == 0, checked.stdout

    settle(rig, "jp")
    assert rig.answer("jp", waiting) == 200
    assert until(lambda: witnessed(rig, "us", waiting["uid"]), HEAL_SECONDS)


@pytest.mark.parametrize("is_file_kept", [True, False])
def test_an_old_backup_signs_nothing_until_it_is_rebuilt(
    rig: Rig, tmp_path: Path, is_file_kept: bool
) -> None:
    with rig.stopped("us") as folder:
        # The keys of its first entry are not those that it signs with now.
        rotated = rig.renkei("us", "border", "rotate", "log", "--reason", "yearly", "--json")
        assert rotated.returncode == 0, rotated.stderr
    agree(rig)
    with rig.stopped("us") as folder:
        copy_database(folder, tmp_path / "old.sqlite3")
    act = agree(rig)
    before = point_of(note_of(rig, "us"))

    with rig.stopped("us") as folder:
        put_back(folder, tmp_path / "old.sqlite3")
        if not is_file_kept:
            (folder / "log" / "checkpoint").unlink()

    assert until(lambda: "rollback" in kinds(rig, "us"), HEAL_SECONDS)
    assert rig.propose("us", key()) is None  # it signs nothing
    assert rig.answers("us")
    assert point_of(note_of(rig, "us")).size < before.size
    rig.end("us")
    rebuilt = rig.renkei("us", "border", "rebuild", "jp", "--json")
    assert rebuilt.returncode == 0, rebuilt.stderr
    rig.start("us")
    after = point_of(note_of(rig, "us"))
    assert (after.size, after.root) == (before.size, before.root)
    assert until(lambda: witnessed(rig, "us", act["uid"]), HEAL_SECONDS)
    agree(rig)
    sound(rig)


def test_a_node_that_lost_everything_but_its_keys_comes_back_to_the_same_root(rig: Rig) -> None:
    act = agree(rig)
    assert until(rig.is_even, HEAL_SECONDS)
    before = point_of(note_of(rig, "us"))
    rig.end("us")
    folder = rig.folder("us")
    for file in folder.glob("node.sqlite3*"):
        file.unlink()
    shutil.rmtree(folder / "log")

    refused = rig.command("node", "migrate", str(folder))
    assert refused.returncode == 1
    migrated = rig.command("node", "migrate", "--new-database", str(folder))
    assert migrated.returncode == 0, migrated.stderr
    rebuilt = rig.renkei("us", "border", "rebuild", "jp", "--json")
    assert rebuilt.returncode == 0, rebuilt.stderr
    # Accounts are no part of the log: they come from a backup, or are made anew.
    made = ran(
        folder,
        "rows = node.demonstration_accounts([])\nprint(next(r.token for r in rows))",
    )
    rig.use_token("us", "officer", made)
    rig.start("us")

    after = point_of(note_of(rig, "us"))
    assert (after.size, after.root) == (before.size, before.root)
    assert until(lambda: witnessed(rig, "us", act["uid"]), HEAL_SECONDS)
    agree(rig)
    sound(rig)


def test_a_rotated_key_is_learned_by_a_partner_that_was_away(rig: Rig) -> None:
    with rig.stopped("jp"):
        rotated = rig.renkei("us", "border", "rotate", "log", "--reason", "yearly", "--json")
        assert rotated.returncode == 0, rotated.stderr
    agree(rig)
    for role in ("witness", "mirror", "sealing"):
        done = rig.renkei("jp", "border", "rotate", role, "--reason", "yearly", "--json")
        assert done.returncode == 0, done.stderr
    agree(rig, by="jp")
    sound(rig)
