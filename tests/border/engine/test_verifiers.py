"""Other people's programs read our log: Go's, by Debian, and metamorphic-log, by Rust."""

import os
import shutil
import subprocess
import threading
from base64 import b64encode
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import metamorphic_log
import pytest
from tests.border.logs import Log, cosigners, numbered

from renkei.border import engine

GO_PATH = Path("/usr/share/gocode")
VERIFIER = Path(__file__).parent.parent / "verify.go"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_arguments):
        pass


@pytest.fixture(scope="module")
def log():
    """Three levels of tiles, partial ones at each, entries from empty to the longest."""
    odd = [b"", b"\0", b"x" * engine.MAX_ENTRY_BYTES, "日本".encode()]
    return Log(entries=[*odd, *numbered(65_536 + 600)])


@pytest.fixture(scope="module")
def published(log, tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    log.publish(folder)
    return folder


@pytest.fixture(scope="module")
def go_verify(tmp_path_factory):
    """The verifier in Go, built once."""
    if not shutil.which("go") or not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("needs Debian's packages golang-go and golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("go")
    environment = {
        "PATH": os.environ["PATH"],
        "GO111MODULE": "off",
        "GOPATH": str(GO_PATH),
        "GOCACHE": str(folder / "cache"),
    }
    program = folder / "verify"
    subprocess.run(["go", "build", "-o", program, VERIFIER], check=True, env=environment)

    def verify(published, key, step):
        return subprocess.run(
            [program, published, key.text, str(step)], capture_output=True, text=True, check=False
        )

    return verify


def test_go_reads_the_whole_log(log, published, go_verify):
    done = go_verify(published, log.ed25519.key, 97)
    assert done.returncode == 0, done.stderr
    name, size, root, proofs = done.stdout.split()
    assert (name, int(size)) == (log.origin, len(log.entries))
    assert root == b64encode(log.frontier.root).decode()
    assert int(proofs) > 1300


@pytest.mark.parametrize(
    "path", ["checkpoint", "tile/0/258.p/92", "tile/0/017", "tile/1/001.p/2", "tile/entries/100"]
)
def test_go_finds_a_flipped_bit(log, published, go_verify, tmp_path, path):
    """The verifier can fail: otherwise its silence would mean nothing."""
    spoilt = tmp_path / "log"
    shutil.copytree(published, spoilt)
    data = bytearray((spoilt / path).read_bytes())
    data[len(data) // 2 if path != "checkpoint" else 20] ^= 1
    (spoilt / path).write_bytes(data)
    assert go_verify(spoilt, log.ed25519.key, 997).returncode != 0


def test_go_and_we_name_the_same_files(log, published):
    """Every file below the prefix is one that the specification names, and the reverse."""
    files = {str(file.relative_to(published)) for file in published.rglob("*") if file.is_file()}
    files.remove("checkpoint")
    assert {engine.parse_tile(path).path for path in files} == files
    assert len(files) == 258 + 1 + 258 + 1 + 1 + 1 + 1


def test_go_reads_the_log_over_http(log, published, go_verify):
    """As a third party would, from the addresses that the specification gives."""
    handler = partial(Quiet, directory=str(published))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        done = go_verify(f"http://127.0.0.1:{server.server_port}/", log.ed25519.key, 9999)
        server.shutdown()
        thread.join()
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == [log.origin, str(len(log.entries))]


def test_metamorphic_reads_checkpoint_and_proofs(log):
    note = log.checkpoint()
    note = engine.with_cosignatures(note, engine.cosign(note, cosigners("w.example"), 9))
    key, size = log.ed25519.key.text, len(log.entries)
    head = metamorphic_log.checkpoint_verify(note.decode(), [key])
    assert (head.origin, head.size, head.root) == (log.origin, size, log.frontier.root)
    for index in (0, 255, 256, 65_535, 65_536, size - 1):
        proof = engine.inclusion_proof(index, size, log.read)
        leaf = engine.leaf_hash(log.entries[index])
        metamorphic_log.checkpoint_verify_inclusion(note.decode(), [key], index, leaf, proof)
        with pytest.raises(metamorphic_log.VerifyError):
            metamorphic_log.checkpoint_verify_inclusion(
                note.decode(), [key], index, engine.leaf_hash(b"another"), proof
            )
    for old in (1, 255, 256, 257, 65_536, size - 1):
        proof = engine.consistency_proof(old, size, log.read)
        older = log.checkpoint(old).decode()
        metamorphic_log.checkpoint_verify_consistency(older, note.decode(), [key], proof)
        with pytest.raises(metamorphic_log.VerifyError):
            metamorphic_log.checkpoint_verify_consistency(older, note.decode(), [key], proof[1:])
