"""The ports of throwaway pairs: free when they are asked for, and still free when they are used."""

import itertools
import secrets
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from renkei.border.commands import _rig

ASK = "from renkei.border.commands import _rig; print(_rig.free_base_port(), flush=True); input()"


def test_no_outgoing_connection_is_given_a_port_of_a_pair() -> None:
    """Linux gives a connection any free port of its range: minutes pass between choice and use."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if first < 2 * _rig.LOWEST_BASE_PORT:
        pytest.skip("this machine gives nearly every port to outgoing connections")

    assert all(1024 < _rig.free_base_port() < first - _rig.BLOCK_OF_PORTS for _ in range(20))


def test_no_two_pairs_share_a_port_whoever_asks() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = int(other.stdout.readline())
        ours = [_rig.free_base_port() for _ in range(20)]
        with pytest.raises(OSError, match="in use"):
            _rig.hold(theirs)
        other.communicate("\n")

    bases = sorted([theirs, *ours])
    assert all(b - a >= _rig.BLOCK_OF_PORTS for a, b in itertools.pairwise(bases))
    _rig.hold(theirs)  # it ended: others may have them


def test_a_block_with_a_port_that_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    base = _rig.free_base_port()
    with socket.create_server((_rig.HOST, base + 22)):
        wanted = iter([base, base])
        monkeypatch.setattr(_rig, "hold", lambda base: None)
        monkeypatch.setattr(secrets, "choice", lambda bases: next(wanted, bases[0]))

        assert _rig.free_base_port() != base
