"""Two nodes that are no partners, as two vendors' key managers in one site (ETSI GS QKD 020, a draft)."""

import contextlib
import http.client
import json
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.site.command import renkei

from renkei.base.node import PROGRAM
from renkei.border.commands._rig import environment, free_base_port, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


class Site:
    """A node with an application, and the port at which it delivers keys."""

    def __init__(self, root: Path, name: str) -> None:
        self.name, self.root, self.folder = name, root, root / name
        self.app = f"{name}.app"
        made = renkei(
            "node", "init", self.folder, "--name", name, "--party", name.upper(),
            "--base-port", free_base_port(), "--demonstration",
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        added = self.link("sae", "add", "app", "--out", root)
        assert added.returncode == 0, added.stderr
        config = (self.folder / "node.toml").read_text("utf-8")
        self.port = int(re.search(r"^etsi014 = (\d+)", config, re.MULTILINE)[1])

    def link(self, *words: object) -> "subprocess.CompletedProcess[str]":
        """Run ``renkei link`` on the node."""
        return renkei("link", *words, "--node", self.folder)

    def said(self, *words: object) -> Any:
        """Return what ``renkei link`` prints as JSON."""
        done = self.link(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def admit(self, other: "Site") -> Any:
        """Admit the other node's key manager."""
        return self.said(
            "kme", "admit", f"{other.name}-kme", f"https://127.0.0.1:{other.port}",
            other.folder / "keys" / "link-ca" / "kme.crt", "--sae", other.app,
        )  # fmt: skip

    def ask(self, path: str, body: object = None) -> tuple[int, Any]:
        """Ask for keys as the node's application."""
        tls = ssl.create_default_context(cafile=self.root / f"{self.name}-ca.crt")
        tls.load_cert_chain(self.root / f"{self.app}.crt", self.root / f"{self.app}.key")
        link = http.client.HTTPSConnection("127.0.0.1", self.port, context=tls, timeout=60)
        with contextlib.closing(link):
            given = None if body is None else json.dumps(body)
            link.request("GET" if body is None else "POST", f"/api/v1/keys/{path}", given)
            answer = link.getresponse()
            said = answer.read()
        return answer.status, json.loads(said) if said else None

    def is_up(self) -> bool:
        """Tell whether keys are delivered."""
        try:
            return self.ask("nobody.b/status")[0] == 400
        except OSError:
            return False


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[tuple[Site, Site]]:
    made = Site(tmp_path, "aa"), Site(tmp_path, "bb")
    said = [made[0].admit(made[1]), made[1].admit(made[0])]
    assert [one["own"]["address"] for one in said] == [
        f"https://127.0.0.1:{site.port}" for site in made
    ]
    running = []
    try:
        for site in made:
            with (tmp_path / f"{site.name}.log").open("wb") as log:
                running.append(
                    subprocess.Popen(
                        [sys.executable, "-m", PROGRAM, "node", "work", site.folder],
                        stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment(),
                    )
                )  # fmt: skip
        assert until(lambda: all(site.is_up() for site in made), 120)
        yield made
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_two_key_managers_hand_keys_to_each_other(sites: tuple[Site, Site]) -> None:
    for here, there in (sites, sites[::-1]):
        status, drawn = here.ask(f"{there.app}/enc_keys?number=3")
        assert status == 200, drawn
        names = {"key_IDs": [{"key_ID": key["key_ID"]} for key in drawn["keys"]]}
        status, fetched = there.ask(f"{here.app}/dec_keys", names)
        assert status == 200, fetched
        assert [(key["key_ID"], key["key"]) for key in fetched["keys"]] == [
            (key["key_ID"], key["key"]) for key in drawn["keys"]
        ]
        for keys, kme in ((drawn, f"{there.name}-kme"), (fetched, f"{here.name}-kme")):
            assert keys["keys"][0]["key_extension"] == {"source": "simulated", "kme": kme}
        assert there.ask(f"{here.app}/dec_keys", names)[0] == 400

    here, there = sites
    assert here.said("kme", "ask", "bb-kme") == {"versions": ["v1"], "capabilities": []}
    (row,) = here.said("kme", "list")
    assert (row["name"], row["received"], row["given"], row["waiting"]) == ("bb-kme", 3, 3, 0)

    # Whom a person removed is heard no more, and what he is asked for nobody gets.
    assert there.said("kme", "remove", "aa-kme") == {"removed": "aa-kme", "destroyed": 0}
    assert until(lambda: here.ask(f"{there.app}/enc_keys")[0] == 503, 30)
    assert here.link("kme", "ask", "bb-kme").returncode == 1
