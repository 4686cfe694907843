"""Which nodes a room's commands work on; needs no Django before one of them is entered.

The command line of the house hands a ``Nodes`` to the rooms as the click context's object, with the
function that loads Django for a node: a process can enter one node alone.
"""

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from renkei.kit.errors import NotFoundError, gettext_noop

PROGRAM = "renkei.site.cli"


class NoNodeError(NotFoundError):
    """There is no node where the command looked."""

    code = "base.no_node"


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """The nodes of a command.

    Attributes:
        enter: loads Django for the node in a folder.
        named: the folder of the node that was named, if one was.
    """

    enter: Callable[[Path], object]
    named: Path | None = None

    def under(self, var: Path) -> list[Path]:
        """Return the node that was named, else the one in this folder, else all nodes of ``var``.

        Raises:
            NoNodeError: there is none.
        """
        if self.named is not None:
            return [self.named]
        if Path("node.toml").exists():
            return [Path()]
        there = [file.parent for file in sorted(var.glob("*/node.toml"), key=_place)]
        if not there:
            raise NoNodeError(
                gettext_noop("there is no node under {folder}: name its folder with `--node DIR`"),
                folder=var,
            )
        return there


def _place(file: Path) -> tuple[int, Path]:
    """Return what puts nodes in the order of their ports: the first one founded comes first."""
    try:
        return int(tomllib.loads(file.read_text("utf-8"))["listen"]["web"]), file
    except (ValueError, KeyError, TypeError):  # whoever enters it will say what is wrong with it
        return 0, file


def run_on(folder: Path, arguments: Iterable[str]) -> "subprocess.CompletedProcess[str]":
    """Run ``renkei`` on one node in a process of its own, and return what it wrote to stdout."""
    return subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "RENKEI_NODE": str(folder), "PYTHONIOENCODING": "utf-8"},
    )
