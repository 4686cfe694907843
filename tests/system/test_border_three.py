"""A third node joins a running pair by configuration alone."""

import json
import re
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.system.border import ran

from renkei.border.commands._rig import Rig, free_base_port, until

SECONDS = 120
EVERYBODY = ("us", "jp", "kr")
pytestmark = pytest.mark.timeout(600)


def fingerprint(rig: Rig, folder: Path) -> str:
    """Return what a node's officer reads aloud."""
    done = rig.command("border", "fingerprint", "--node", str(folder), "--json")
    return str(json.loads(done.stdout)[0]["fingerprint"])


def pin(folder: Path, prints: dict[str, str]) -> None:
    """Write partners' fingerprints into a node's configuration."""
    file = folder / "node.toml"
    text = file.read_text("utf-8")
    for name, value in prints.items():
        text = re.sub(
            rf'(name = "{name}"\nparty = "[A-Z]+"\naddress = "[^"]*"\n)(fingerprint = "[^"]*"\n)?',
            rf'\1fingerprint = "{value}"\n',
            text,
        )
    file.write_text(text, "utf-8")


def test_a_third_node_joins_by_configuration_alone(
    tmp_path: Path, founded: Callable[[Path], Path]
) -> None:
    with Rig(founded(tmp_path / "var")) as rig:
        third, base = tmp_path / "kr", free_base_port()
        made = rig.command(
            "node", "init", str(third), "--name", "kr", "--party", "KR", "--base-port", str(base),
            *(f"--partner={name}:{name.upper()}:{rig.address(name)}" for name in rig.names),
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        pin(third, {name: fingerprint(rig, rig.folder(name)) for name in rig.names})
        rig.adopt("kr", third, base + 1)
        rig.use_token(
            "kr",
            "officer",
            ran(third, "print(node.demonstration_accounts([])[0].token)"),
        )
        for name in rig.names:
            rig.end(name)
            file = rig.folder(name) / "node.toml"
            file.write_text(
                f'{file.read_text("utf-8")}\n[[partners]]\nname = "kr"\nparty = "KR"\n'
                f'address = "{rig.address("kr")}"\nfingerprint = "{fingerprint(rig, third)}"\n',
                "utf-8",
            )
        for name in EVERYBODY:
            rig.start(name)
        assert until(
            lambda: all(rig.log(one, of).get("witnessed") for one in EVERYBODY for of in EVERYBODY),
            SECONDS,
        ), [rig.status(name) for name in EVERYBODY]

        act = rig.propose("us", f"k{secrets.token_hex(6)}")
        assert act is not None
        assert set(act["parties"]) == {"JP", "KR", "US"}
        for name in ("jp", "kr"):
            assert until(lambda name=name: rig.act(name, act["uid"]), SECONDS)
            assert rig.answer(name, act) == 200
        for name in EVERYBODY:
            assert until(
                lambda name=name: rig.act(name, act["uid"]).get("stage") == "witnessed", SECONDS
            )

        # Two of three are enough where the policy of a node says so.
        policy = ran(
            rig.folder("us"),
            "print(door.default_policy().replace('group everybody all', 'group everybody 2'))",
        )
        rig.end("kr")
        rig.end("us")
        (rig.folder("us") / "border.policy").write_text(f"{policy}\n", "utf-8")
        rig.start("us")
        later = rig.propose("us", f"k{secrets.token_hex(6)}")
        assert later is not None
        last = max(row["index"] for row in later["statements"])
        assert until(lambda: rig.log("us", "us").get("witnessed", 0) > last, SECONDS)
