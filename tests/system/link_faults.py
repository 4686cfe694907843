"""A day of two key managers, killed at each fsync of it; a check after each.

``python tests/system/link_faults.py NODE POINTS`` prints one JSON object for each kill. The node must
have no processes of its own. Both ends of the link lie in its database, so that a kill cuts off now the
master's side, now the slave's, with the other one's message on its way.

A child lives a day and notes in shared memory which keys somebody was given; that takes no system call,
so none of ours is counted. Another child starts both managers again, and looks for a key given twice.
"""

import itertools
import json
import mmap
import os
import random
import re
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOME))

from tests.system.faults import Trial  # noqa: E402

CALLS = "fdatasync,fsync"
LENGTH = struct.Struct(">Q")


class Managers(Trial):
    """Two key managers in one process that has entered the node."""

    def __init__(self) -> None:
        super().__init__(seldom=1)
        self.said = mmap.mmap(-1, 1 << 20)
        self.day = 0
        self.before: list[bytes] = []  # of earlier days

    def note(self, sae: str, keys: Sequence[Any]) -> None:
        """Remember what an application was given."""
        line = json.dumps([sae, [[key.key_id, key.key.hex()] for key in keys]]).encode() + b"\n"
        (end,) = LENGTH.unpack(self.said[: LENGTH.size])
        at = LENGTH.size + end
        self.said[at : at + len(line)] = line
        self.said[: LENGTH.size] = LENGTH.pack(end + len(line))

    def given(self) -> dict[str, list[Any]]:
        """Return by application what was given on this day."""
        from renkei.link import door

        (end,) = LENGTH.unpack(self.said[: LENGTH.size])
        found: dict[str, list[Any]] = {}
        for line in self.said[LENGTH.size : LENGTH.size + end].splitlines():
            sae, keys = json.loads(line)
            found.setdefault(sae, []).extend(
                door.Key(name, bytes.fromhex(key), simulated=False) for name, key in keys
            )
        return found

    def begin(self) -> None:
        """Make the two ends; in a child."""
        from tests.link.ends import Ends

        from renkei.link import door

        door.ensure_kek()
        Ends(blocks=4, length=30_000)

    def append(self) -> None:
        """Live a day; in a child."""
        from tests.link.ends import Ends, everyday

        everyday(Ends.there(), random.Random(self.day), self.note)

    def check(self) -> None:
        """Start both managers again and look; in a child."""
        from tests.link.ends import Ends, recover, refuse_anything_twice

        ends, given = Ends.there(), self.given()
        recover(ends)
        self.note("again", refuse_anything_twice(ends, given, self.before))

    def forget(self) -> None:
        """End the day: what was given then must never come again."""
        for keys in self.given().values():
            self.before += {key.key for key in keys} - set(self.before)
        self.said[: LENGTH.size] = LENGTH.pack(0)


def run(points: int) -> Iterator[dict[str, Any]]:
    """Kill at each fsync of day after day, and tell what became of each."""
    trial = Managers()
    assert os.waitpid(trial.child(trial.begin), 0)[1] == 0
    done = 0
    for trial.day in itertools.count():
        ended, text = trial.traced("-e", f"trace={CALLS}")
        assert ended == 0, text[-2000:]
        count = len(re.findall(r"^\d+ +fd?a?t?a?sync\(", text, re.MULTILINE))
        yield {"day": trial.day, "fault": "none", "points": count, "wrong": trial.checked()}
        trial.forget()
        for at in range(1, count + 1):
            ended, _text = trial.traced(
                "-e", f"trace={CALLS}", "-e", f"inject={CALLS}:signal=KILL:when={at}"
            )
            yield {
                "day": trial.day, "fault": "SIGKILL", "at": at, "ended": ended,
                "keys": sum(map(len, trial.given().values())), "wrong": trial.checked(),
            }  # fmt: skip
            trial.forget()
            done += ended == -9
            if done >= points:
                return


def main() -> None:
    """Enter the node and strike."""
    from renkei.site import node

    node.enter(Path(sys.argv[1]))
    write: Callable[[str], object] = sys.stdout.write
    for row in run(int(sys.argv[2])):
        write(json.dumps(row) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
