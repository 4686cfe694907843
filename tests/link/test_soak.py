"""The long run as a command: small here, honest about what came of it."""

import json

from tests.site.command import renkei


def test_a_short_soak_says_what_it_came_to():
    done = renkei("link", "soak", "--sifted-bits", "1", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = map(json.loads, done.stdout.splitlines())
    assert row["sifted_bits"] == 32 * 65_536
    assert row["frames"] == 32
    assert row["unequal_keys"] == 0
    assert 1.0 < row["f"] < 1.06
    assert 0.09 < row["frame_error_bound_95"] < 0.1  # no bad frame of 32 says no more
    assert row["secret_bits"] > 100_000
