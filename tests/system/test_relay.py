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

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
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
            self.begin("fibre", fibre)
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

    def begin(self, *words: object) -> "subprocess.Popen[str]":
        """Begin ``renkei link`` beside the nodes."""
        process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM, "link", *map(str, words)],
            env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def distil(self) -> None:
        """Give every hop two blocks of key: enough for six of a relay."""
        for relay in BETWEEN:  # what the worker of `au` does there
            self.begin("distil", relay, "--node", self.rig.folder("ca"))
        running = [
            self.begin(
                "run", "--blocks", 2, "--partner", end, "--json", "--node", self.rig.folder(relay)
            )
            for end, relay in HOPS
        ]
        for process in running:
            said, _errors = process.communicate(timeout=2 * SECONDS)
            assert process.returncode == 0
            for line in said.splitlines():
                assert json.loads(line)["key_bits"] > 200_000, said


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
        yield made
    finally:
        rig.close()
        for process in made.processes:
            process.kill()
            process.communicate()


class Sae:
    """An application of an end, as it draws keys by ETSI GS QKD 014."""

    def __init__(self, net: Net, node: str) -> None:
        self.name, self.root = f"{node}.app", net.root
        net.link("sae", "add", "app", "--out", str(net.root), node=node)
        config = (net.rig.folder(node) / "node.toml").read_text("utf-8")
        self.port = int(re.search(r"^etsi014 = (\d+)", config, re.MULTILINE)[1])
        self.ca = net.root / f"{node}-ca.crt"

    def ask(self, path: str) -> dict[str, Any]:
        """Return the answer to a request for keys."""
        tls = ssl.create_default_context(cafile=self.ca)
        tls.load_cert_chain(self.root / f"{self.name}.crt", self.root / f"{self.name}.key")
        link = http.client.HTTPSConnection("127.0.0.1", self.port, context=tls, timeout=60)
        with contextlib.closing(link):
            link.request("GET", f"/api/v1/keys/{path}")
            answer = link.getresponse()
            said = json.loads(answer.read())
        assert answer.status == 200, said
        return dict(said)


def both(net: Net, what: str) -> tuple[Any, Any]:
    """Return one figure of the link at each end."""
    return net.status("au")[what], net.status("ca")[what]


def test_four_nodes_share_key_over_two_paths(net: Net) -> None:
    said = net.link("routes", "--json", node="ca")
    (route,) = said["routes"]
    assert [(path["names"], path["rate"]) for path in route["paths"]] == [
        ("au – jp – ca", 300), ("au – us – ca", 400),
    ]  # fmt: skip
    assert (route["rate"], route["shares"]) == (300, 2)

    # The ends meet over the border. Then relays happen when they are told to.
    met = net.rig.folder("ca") / "keys" / "link-with-au"
    assert until(met.exists, SECONDS)
    net.rig.end("ca", "work")
    net.distil()

    assert net.relay() == {"arrived": True}
    ready = both(net, "keys_ready")
    assert min(ready) > 100
    assert both(net, "blocks") == (1, 1)
    assert both(net, "source") == ("simulated", "simulated")

    # A node between that passes on other bytes, under a good tag of its own hop.
    net.flag.touch()
    assert net.relay() == {"arrived": False}
    net.flag.unlink()
    assert both(net, "keys_ready") == ready
    assert both(net, "blocks") == (1, 1)
    assert "unequal" in net.alarms("au")
    assert "relay" in net.alarms("ca")
    assert net.status("ca")["runs"][0]["refused"] == "unequal"

    # A path that is down: the share of the other one arrives, and there is no key of it.
    net.rig.end("us", "serve", how=signal.SIGKILL)
    assert "no share went over au-us-ca" in net.relay(fails=True)
    assert both(net, "keys_ready") == ready
    assert both(net, "blocks") == (1, 1)
    assert "au-us-ca" in net.status("ca")["runs"][0]["refused"]

    # It is back: the ends go on by themselves, and applications draw the same keys at both.
    net.rig.start("us", "serve")
    net.rig.start("ca", "work")
    assert until(lambda: min(both(net, "blocks")) > 1, SECONDS), net.status("ca")
    au, ca = Sae(net, "au"), Sae(net, "ca")
    for master, slave in ((au, ca), (ca, au)):
        drawn = master.ask(f"{slave.name}/enc_keys?number=1")["keys"]
        names = [key["key_ID"] for key in drawn]
        fetched = slave.ask(f"{master.name}/dec_keys?key_ID={names[0]}")["keys"]
        assert fetched == drawn
        assert all(key["key_extension"] == {"source": "simulated"} for key in drawn)
