"""``renkei``: one command line for the house and its rooms.

Data goes to stdout, words to stderr. It ends with 0, with 1 when something was refused, with 2
when it was called wrongly. A room's commands live in its ``commands.py``, as a click group named
like the room; they are imported when one of them is called, and enter the node that ``--node`` or
``RENKEI_NODE`` names, or that they choose, by the ``Nodes`` they are handed.
"""

import ast
import json
import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from renkei import __version__
from renkei.base.commands import WrongUseError
from renkei.base.node import Nodes
from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.site import commands, process, rooms, words


@cache
def room_commands() -> dict[str, tuple[str, str]]:
    """Return every room that has commands: its module, and one line of help read without running it."""
    found = {}
    for package in rooms.installed():
        label = package.rpartition(".")[2]
        spec = find_spec(f"{package}.commands")
        if spec and spec.origin:
            found[label] = (spec.name, _help_of(Path(spec.origin), label))
    return found


def _help_of(file: Path, group: str) -> str:
    """Return ``help=gettext_noop(…)`` of a group that is in the module or in its ``_group.py``."""
    for place in (file, file.with_name("_group.py")):
        for part in ast.parse(place.read_text("utf-8")).body if place.exists() else ():
            if isinstance(part, ast.FunctionDef) and part.name == group:
                for word in (each for made in part.decorator_list for each in ast.walk(made)):
                    if isinstance(word, ast.Constant) and isinstance(word.value, str):
                        return word.value
    raise TypeError(f"{file} has no group {group} with a help")  # a defect of the room


def load_room(label: str) -> click.Command:
    """Import the commands of a room; they enter the node that they choose."""
    group = _group(room_commands()[label][0], label)
    commands.translate(group)
    for command in group.commands.values() if isinstance(group, click.Group) else ():
        commands.translate(command)
    return group


def _group(module: str, label: str) -> click.Command:
    command = getattr(import_module(module), label)
    if not isinstance(command, click.Command):
        raise TypeError(f"{module}:{label} is not a click command")  # a defect of the room
    return command


class Root(commands.Group):
    """The whole command line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *room_commands()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; of a room only its name and help."""
        own = super().get_command(ctx, cmd_name)
        if own is None and cmd_name in room_commands():
            return click.Command(cmd_name, help=words.gettext(room_commands()[cmd_name][1]))
        return own

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in room_commands() and name not in self.commands:
            from renkei.site import node as life

            ctx.obj = Nodes(enter=life.enter, named=ctx.params.get("node_folder"))
            command = load_room(name)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run what is called; say in the reader's language which words do not go together."""
        try:
            return super().invoke(ctx)
        except WrongUseError as error:
            said = words.gettext(error.sentence, **error.values)
            raise click.UsageError(said, error.ctx) from error

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run, and say what was refused."""
        words_given = list(sys.argv[1:] if args is None else args)
        words.ask_for(_language_in(words_given))
        words.translate_click()
        try:
            return super().main(args, *rest, **extra)
        except (RenkeiError, OSError) as error:
            refused(error, as_json="--json" in words_given)
        except Exception as error:
            ours = _of_django(error)
            if ours is None:
                raise
            refused(ours, as_json="--json" in words_given)


def _language_in(given: Sequence[str]) -> str:
    """Return what ``--lang`` names: refusals are said in it too."""
    for word, following in zip(given, [*given[1:], ""], strict=True):
        if word == "--lang":
            return following
        if word.startswith("--lang="):
            return word.partition("=")[2]
    return ""


def refused(error: RenkeiError | OSError, *, as_json: bool) -> None:
    """Say what was refused on stderr, and end with 1."""
    if isinstance(error, RenkeiError):
        said, code, status = words.say(error), error.code, error.status
    else:
        said, code, status = str(error), "os.error", 500
    if as_json:
        problem = {"type": "about:blank", "status": status, "code": code, "detail": said}
        click.echo(json.dumps(problem, ensure_ascii=False), err=True)
    else:
        click.echo(words.gettext("Error: {said}", said=said), err=True)
    sys.exit(1)


class DatabaseError(RenkeiError):
    """The node's database cannot be used."""

    code = "site.database"
    status = 503


def _of_django(error: Exception) -> RenkeiError | None:
    """Return what an error of Django says to a person; ``None`` for a defect of ours."""
    if "django.db" not in sys.modules:
        return None
    from django.core.exceptions import ImproperlyConfigured, ValidationError
    from django.db import InterfaceError, OperationalError, ProgrammingError

    if isinstance(error, OperationalError | ProgrammingError) and (older := _older_database()):
        return older
    if isinstance(error, OperationalError | InterfaceError | ImproperlyConfigured):
        return DatabaseError(
            gettext_noop("the node's database cannot be used: {why}"), why=str(error).strip()
        )
    if isinstance(error, ValidationError):
        from renkei.base import problems

        return problems.as_renkei(error)
    return None


def _older_database() -> RenkeiError | None:
    """Return the refusal of a database that lacks migrations; ``None`` if that is not the cause."""
    from django.conf import settings
    from django.db import Error

    from renkei.site import node as life

    try:
        life.refuse_pending(settings.NODE.folder)
    except life.MigrationsPendingError as refused:
        return refused
    except Error:
        pass
    return None


@click.group(
    cls=Root,
    help=gettext_noop(
        "Renkei: nations run one science and technology programme, each on its own node."
    ),
)
@click.version_option(
    __version__, prog_name="renkei", help=gettext_noop("Show the version and exit.")
)
@click.option(
    "--node",
    "node_folder",
    type=commands.FOLDER,
    envvar="RENKEI_NODE",
    help=gettext_noop("Folder of the node that a room's commands work on."),
)
def main(node_folder: Path | None) -> None:  # noqa: ARG001  read by resolve_command
    """Hold every command."""
    process.die_with_supervisor()


main.add_command(commands.node)
main.add_command(commands.up)
main.add_command(commands.down)

if __name__ == "__main__":
    main(prog_name="renkei")
