"""What every room's commands share: the options that name a node, entering it, printing.

Django is loaded when a command has chosen its node, not when this module is imported.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from renkei.base.node import Nodes
from renkei.kit.errors import gettext_noop


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
