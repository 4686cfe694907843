"""Key over trusted nodes with real processes: four nodes, two paths, a betrayer, a node that is away.

``au`` and ``ca`` share key; ``jp`` and ``us``, which have a link of their own elsewhere, are the nodes
between them. Every hop has a simulated fibre. The secrets of the hops are carried; the two ends meet
over the border, under the signatures of their nodes.
"""

import contextlib
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.system.border import ran
from tests.system.test_border_three import fingerprint, pin

from renkei.base.node import PROGRAM
from renkei.border.commands._rig import Rig, environment, free_base_port, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]
SECONDS = 120
ENDS, BETWEEN = ("au", "ca"), ("jp", "us")
HOPS = [(end, relay) for end in ENDS for relay in BETWEEN]
RATES = {("au", "jp"): 900, ("ca", "jp"): 300, ("au", "us"): 500, ("ca", "us"): 400}
FORGET_THE_PAIRS_LINK = "from renkei.link.models import Link; Link.objects.all().delete()"
# A relay that holds its hop's key can pass on other bytes under a good tag: this is one.
BETRAY = """
import os
if os.path.exists({flag!r} + ".here"):
    from renkei.link import engine
    honest = engine.send_hop
    def send_hop(share, key, *, about):
        if os.path.exists({flag!r}):
            share = bytes([share[0] ^ 1]) + share[1:]
        return honest(share, key, about=about)
    engine.send_hop = send_hop
"""


class Net:
    """Four nodes, the processes that play their fibres, and what a test asks of them."""

    def __init__(self, rig: Rig, root: Path) -> None:
        self.rig, self.root = rig, root
        self.flag = root / "betray"
        self.processes: list[subprocess.Popen[str]] = []

    def link(self, *words: str, node: str, stdin: str = "", fails: bool = False) -> Any:
        """Run ``renkei link`` on a node; return what it says, or its error."""
        done = subprocess.run(
            [sys.executable, "-m", PROGRAM, "link", *words, "--node", self.rig.folder(node)],
            input=stdin, capture_output=True, text=True, check=False, env=environment(),
        )  # fmt: skip
        assert (done.returncode != 0) == fails, done.stderr
        if fails:
            return done.stderr
        return json.loads(done.stdout) if "--json" in words else done.stdout.strip()

    def status(self, node: str) -> dict[str, Any]:
        """Return how an end's link with the other one is."""
        other = next(one for one in ENDS if one != node)
        return dict(self.link("status", "--partner", other, "--json", node=node))

    def alarms(self, node: str) -> set[str]:
        """Return the kinds of the alarms that stand."""
        return {alarm["kind"] for alarm in self.status(node)["alarms"]}

    def relay(self, *, fails: bool = False) -> Any:
        """Send a block from ``ca`` to ``au``."""
        return self.link("relay", "--partner", "au", "--json", node="ca", fails=fails)

    def found(self) -> None:
        """Found the two ends, the hops and the route."""
        rig = self.rig
        for name in ENDS:
            base = free_base_port()
            made = rig.command(
                "node", "init", str(self.root / name), "--name", name, "--party", name.upper(),
                "--base-port", str(base), "--demonstration",
                *(f"--partner={one}:{one.upper()}:{rig.address(one)}" for one in BETWEEN),
            )  # fmt: skip
            assert made.returncode == 0, made.stderr
            rig.adopt(name, self.root / name, base + 1)
        prints = {name: fingerprint(rig, rig.folder(name)) for name in (*ENDS, *BETWEEN)}
        for name in (*ENDS, *BETWEEN):
            known = {*ENDS, *BETWEEN} - {name}
            file = rig.folder(name) / "node.toml"
            text = file.read_text("utf-8")
            for other in sorted(known):
                if f'name = "{other}"\n' not in text:
                    text += (
                        f'\n[[partners]]\nname = "{other}"\nparty = "{other.upper()}"\n'
                        f'address = "{rig.address(other)}"\n'
                    )
            file.write_text(text, "utf-8")
            pin(rig.folder(name), {other: prints[other] for other in known})
        for name in BETWEEN:
            ran(rig.folder(name), FORGET_THE_PAIRS_LINK)
        for end, relay in HOPS:
            fibre = self.root / "fibres" / f"{end}-{relay}"
            how = ("--simulated", "--fibre", str(fibre))
            carried = self.link("found", relay, "--carry", *how, node=end)
            self.link("found", end, "--secret-stdin", *how, node=relay, stdin=f"{carried}\n")
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", PROGRAM, "link", "fibre", fibre], env=environment(), text=True
                )
            )
        for end in ENDS:
            other = next(one for one in ENDS if one != end)
            self.link("found", other, "--routed", "--simulated", node=end)
            rows = [
                "[places]",
                *(f'{one} = {{ name = "{one}", at = [0, 0] }}' for one in (*ENDS, *BETWEEN)),
                *(
                    f'[[hops]]\nbetween = ["{one}", "{two}"]\nkm = 50\nbits_per_second = {rate}'
                    for (one, two), rate in RATES.items()
                ),
                '[[routes]]\nends = ["au", "ca"]\nshares = 2\n',
            ]
            (rig.folder(end) / "routes.toml").write_text("\n".join(rows), "utf-8")

    def distil(self) -> None:
        """Give every hop a block of key."""
        running = [
            subprocess.Popen(
                [
                    sys.executable, "-m", PROGRAM, "link", "run", "--partner", end, "--json",
                    "--node", self.rig.folder(relay),
                ],
                env=environment(), stdout=subprocess.PIPE, text=True,
            )
            for end, relay in HOPS
        ]  # fmt: skip
        self.processes += running
        for process in running:
            said, _errors = process.communicate(timeout=SECONDS)
            assert process.returncode == 0
            assert json.loads(said)["key_bits"] > 200_000, said


@pytest.fixture
def net(
    tmp_path: Path, founded: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Net]:
    var = founded(tmp_path / "var")
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(BETRAY.format(flag=str(tmp_path / "betray")))
    monkeypatch.setenv(
        "PYTHONPATH", f"{hook}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(os.pathsep)
    )
    rig = Rig(var)
    said = (var / "us" / "node.toml").read_text("utf-8")
    rig.base = int(re.search(r"^web = (\d+)", said, re.MULTILINE)[1]) - 1
    made = Net(rig, tmp_path)
    try:
        made.found()
        for end in ENDS:
            rig.start(end)
        rig.start("jp", "serve")
        (tmp_path / "betray.here").touch()
        rig.start("us", "serve")
        (tmp_path / "betray.here").unlink()
        made.distil()
        yield made
    finally:
        for process in made.processes:
            process.kill()
            process.communicate()
        rig.close()


def test_four_nodes_share_key_over_two_paths(net: Net, tmp_path: Path) -> None:
    said = net.link("routes", "--json", node="ca")
    (route,) = said["routes"]
    assert [(path["names"], path["rate"]) for path in route["paths"]] == [
        ("au – jp – ca", 300), ("au – us – ca", 400),
    ]  # fmt: skip
    assert (route["rate"], route["shares"]) == (300, 2)

    # The ends meet over the border and share key without being told to.
    assert until(lambda: net.status("au")["keys_ready"] > 100, SECONDS), net.status("ca")
