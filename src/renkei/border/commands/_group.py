"""The group that the commands of the border belong to."""

import click

from renkei.kit.errors import gettext_noop


@click.group(
    help=gettext_noop("What the nodes tell each other: state, audit, receipts, keys, drills.")
)
def border() -> None:
    """Hold the commands of the room."""
