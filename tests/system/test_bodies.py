"""Large bodies against the real server: refused early, whatever they announce, in little memory."""

import http.client
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.site.command import renkei
from tests.system.test_up import Pair, serving

BLOCK = b"\0" * (1 << 20)
BLOCKS_SENT = 1024
MOST_MEMORY_ADDED_KIB = 40_000


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, founded: Callable[[Path], Path]
) -> Iterator[Pair]:
    """Return a running pair."""
    made = Pair(founded(tmp_path_factory.mktemp("home") / "var"))
    assert made.up().returncode == 0
    yield made
    renkei("down", "--var", made.var)


def memory_kib(pid: int) -> int:
    """Return the most memory that a process ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("no VmHWM")


def send(port: int, address: str, *, chunked: bool) -> tuple[int, bytes, int]:
    """Send a gigabyte until the server has enough; return its answer and the blocks it took."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    link.putrequest("POST", address)
    link.putheader("Content-Type", "application/octet-stream")
    if chunked:
        link.putheader("Transfer-Encoding", "chunked")
    else:
        link.putheader("Content-Length", str(BLOCKS_SENT * len(BLOCK)))
    link.endheaders()
    sent = 0
    try:
        while sent < BLOCKS_SENT:
            link.send(b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK) if chunked else BLOCK)
            sent += 1
    except OSError:
        pass  # it closed the connection: its answer is there already
    answer = link.getresponse()
    said = answer.status, answer.read(), sent
    link.close()
    return said


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("address", ["/en/", "/healthz", "/node/v1/openapi.json", "/nothing"])
def test_a_gigabyte_is_refused_before_it_is_read(pair: Pair, address: str, chunked: bool) -> None:
    worker = serving(pair.var, "us")[-1]
    before = memory_kib(worker)

    status, body, blocks = send(pair.base + 1, address, chunked=chunked)

    assert status == 413
    assert b"64 MiB" in body
    assert blocks < 100
    assert memory_kib(worker) - before < MOST_MEMORY_ADDED_KIB


def test_a_small_body_in_chunks_is_read(pair: Pair) -> None:
    """The form says what is wrong with the sign-in, so it was read."""
    link = http.client.HTTPConnection("127.0.0.1", pair.base + 1, timeout=60)
    link.request(
        "POST",
        "/en/accounts/login/",
        body=iter([b"login=nobody&", b"password=x"]),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        encode_chunked=True,
    )

    assert link.getresponse().status == 403  # no CSRF token, not 400 or 500
    link.close()
