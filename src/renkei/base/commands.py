"""What the commands of every room share: which nodes are meant, and how to speak.

Data goes to stdout, words to stderr. Django is loaded when a command has chosen its node.
"""

import json
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from renkei.base.node import Nodes, run_on
from renkei.kit.errors import gettext_noop


class WrongUseError(click.UsageError):
    """The words of a command do not go together; the program ends with 2 and shows its usage.

    Attributes:
        sentence: what was wrong and what would be accepted, in English, with places for ``values``.
    """

    def __init__(self, sentence: str, **values: object) -> None:
        super().__init__(sentence.format(**values))
        self.sentence, self.values = sentence, values


def on_node(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which node is meant."""
    for option in (
        click.option(
            "--node",
            type=click.Path(path_type=Path, file_okay=False),
            help=gettext_noop("Folder of the node; else the nodes of --var."),
        ),
        click.option(
            "--var",
            type=click.Path(path_type=Path, file_okay=False),
            envvar="RENKEI_VAR",
            default=Path("var"),
            show_default=True,
            help=gettext_noop("Folder that holds the nodes."),
        ),
        click.option("--json", "as_json", is_flag=True, help=gettext_noop("Print JSON.")),
    ):
        command = option(command)
    return command


def tell(sentence: str) -> None:
    """Say something to the person, beside the data."""
    click.echo(sentence, err=True)


def print_json(data: object) -> None:
    """Print data for a program."""
    from django.core.serializers.json import DjangoJSONEncoder

    click.echo(json.dumps(data, ensure_ascii=False, indent=2, cls=DjangoJSONEncoder))


def print_columns(lines: Iterable[Sequence[str]], *, right: Container[int] = ()) -> None:
    """Print lines of cells under one another.

    Args:
        right: the columns, from 0, whose cells end under one another, as numbers do.
    """
    rows = [tuple(line) for line in lines]
    most = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = []
        for at, cell in enumerate(row):
            room = " " * (most[at] - width(cell))
            cells.append(room + cell if at in right else cell + room)
        click.echo("  ".join(cells).rstrip())


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes: a Japanese letter takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _nodes() -> Nodes:
    nodes = click.get_current_context().find_object(Nodes)
    if nodes is None:
        raise RuntimeError("the command line gives no nodes")  # a defect of ours
    return nodes


def folders(node: Path | None, var: Path) -> list[Path]:
    """Return the nodes that are meant."""
    return [node] if node is not None else _nodes().under(var)


def enter(folder: Path) -> str:
    """Load Django for a node and return the node's name."""
    _nodes().enter(folder)
    from django.conf import settings

    return str(settings.NODE.name)


@contextmanager
def reading(node: Path | None, var: Path, language: str | None = None) -> Iterator[None]:
    """Enter the node that is read: the first one where none was named; say which, if it was chosen."""
    found = folders(node, var)
    name = enter(found[0])
    from django.utils import translation
    from django.utils.translation import gettext

    if len(found) > 1:
        tell(
            gettext("Node {name} ({folder}); --node names another.").format(
                name=name, folder=found[0]
            )
        )
    with translation.override(language or translation.get_language()):
        yield


def on_each(
    node: Path | None,
    var: Path,
    arguments: Iterable[str],
    work: Callable[[str], list[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """Do the same on every node that is meant: here for one, in a process each for several.

    Args:
        node: the node that was named, if one was.
        var: folder of the nodes otherwise.
        arguments: of the command as the processes run it; it prints a JSON list.
        work: does it here, and returns the rows to print; it is given the node's name.
    """
    found = folders(node, var)
    if len(found) == 1:
        return work(enter(found[0]))
    rows: list[dict[str, Any]] = []
    for folder in found:
        done = run_on(folder, arguments)
        try:
            rows += json.loads(done.stdout)
        except json.JSONDecodeError:  # it said on stderr why it could not even begin
            rows.append({"node": folder.name, "ok": False})
    return rows
