"""The group that the commands of the border belong to."""

import click


@click.group()
def border() -> None:
    """What the nodes tell each other: state, audit, receipts, keys, drills."""
