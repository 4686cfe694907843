"""What the system tests of the border share: scripts on a node, requests signed with its keys."""

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from renkei.border import engine
from renkei.border.commands._rig import Rig

BEGIN = """
import sys
from pathlib import Path
from renkei.site import node
node.enter(Path(sys.argv[1]))
from django.conf import settings
from django.utils import timezone
from renkei.border import door, engine, models
from renkei.border.door import _exchange, _log, _tiles
"""


def script(folder: Path, text: str, *arguments: str) -> "subprocess.Popen[str]":
    """Begin to run Python inside a node, beside its processes."""
    taken = {"RENKEI_NODE", "DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + text, str(folder), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name not in taken},
    )


def ran(folder: Path, text: str, *arguments: str) -> str:
    """Run Python inside a node, and return what it printed."""
    process = script(folder, text, *arguments)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return said.strip()


def keys_of(rig: Rig, name: str) -> engine.NodeKeys:
    """Return a node's private keys."""
    folder = rig.folder(name) / "keys" / "border"
    return engine.NodeKeys.from_files({
        file.name: file.read_bytes()
        for file in folder.glob("*.pem")
        if not file.name.endswith((".next.pem", ".old.pem"))
    })  # fmt: skip


def signed(
    rig: Rig, by: str, to: str, path: str, body: bytes, *, now: datetime, nonce: str
) -> dict[str, str]:
    """Return the headers of a request that a node signs."""
    return engine.sign_request(
        "POST",
        rig.address(to) + path,
        {"Content-Type": "application/json"},
        body,
        keys=keys_of(rig, by).log,
        now=now,
        nonce=nonce,
    )
