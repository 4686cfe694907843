"""``renkei border``: the border on the command line.

Django is loaded when a command has chosen its node, not when this module is imported.
"""

import click

from renkei.border.commands._agreements import agreements, decide, draft, simulate


@click.group()
def border() -> None:
    """What the parties agreed and decided: agreements, decisions, simulations."""


for command in (agreements, decide, draft, simulate):
    border.add_command(command)
