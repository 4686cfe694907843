"""How the tests call the command line: as people do, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

SECONDS = 240


def renkei(
    *arguments: object, given: str = "", cwd: Path | None = None, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run ``renkei`` in English, without this process's node, and wait for its end."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"RENKEI_NODE", "DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
    }
    return subprocess.run(
        [sys.executable, "-m", "renkei.site.cli", *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=cwd,
        env={**inherited, "RENKEI_LANG": "en", **environment},
    )
