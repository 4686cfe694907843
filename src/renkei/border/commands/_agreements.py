"""Agreements on the command line: list and show them, ask for a decision, draft, simulate."""

import sys
from pathlib import Path
from typing import Any

import click

from renkei.base.commands import on_node, print_json, reading, tell
from renkei.border.commands._group import border
from renkei.kit.errors import gettext_noop

LANGUAGES = click.Choice(["en", "ja"])
ACTIONS = ("use", "read", "compute", "export")


@border.command(help=gettext_noop("List the agreements, or show one by its NAME."))
@click.argument("name", required=False)
@click.option("--version", "number", type=click.IntRange(1, 10**6), help=gettext_noop("Version."))
@click.option("--lang", type=LANGUAGES, help=gettext_noop("Language of the texts."))
@on_node
def agreements(
    *,
    name: str | None,
    number: int | None,
    lang: str | None,
    node: Path | None,
    var: Path,
    as_json: bool,
) -> None:
    """List agreements, or show one whole."""
    with reading(node, var, lang):
        from renkei.border import door, schemas

        if name is not None:
            told = schemas.agreement_out(door.find_version(name, number))
            if as_json:
                print_json(told)
            else:
                _tell_agreement(told)
            return
        rows = door.visible_versions(with_drafts=True).order_by("agreement__uid", "-number", "-pk")
        items = [schemas.agreement_row(row) for row in rows]
        if as_json:
            print_json(items)
            return
        for item in items:
            parties = f"{item['assigner']} > {','.join(item['assignees'])}"
            click.echo(
                "\t".join(
                    [item["agreement"], str(item["version"]), item["state"], parties, item["title"]]
                )
            )


def _tell_agreement(told: dict[str, Any]) -> None:
    for name in ("uid", "version", "state", "title", "assigner", "hash"):
        click.echo(f"{name}\t{told[name]}")
    for name in ("assignees", "targets"):
        click.echo(f"{name}\t{', '.join(told[name])}")
    for clause in told["clauses"]:
        click.echo(f"{clause['clause']}\t{clause['kind']}: {clause['action']}")
        for language in ("en", "ja"):
            click.echo(f"\t{language}\t{clause[f'text_{language}']}")
            click.echo(f"\t\tsha256 {clause[f'hash_{language}']}")


@border.command(
    help=gettext_noop(
        "Decide whether RECIPIENT may do ACTION with TARGET, and write it down. Ends with 1 when it "
        "is denied."
    )
)
@click.argument("recipient")
@click.argument("action", type=click.Choice(ACTIONS))
@click.argument("target")
@click.option("--party", default="", help=gettext_noop("The recipient's country, such as US."))
@click.option("--purpose", default="", help=gettext_noop("What for."))
@click.option("--spatial", default="", help=gettext_noop("Country of use, such as JP."))
@click.option("--classification", default="", help=gettext_noop("Classification of the target."))
@click.option("--output-type", default="", help=gettext_noop("What kind of result comes out."))
@click.option(
    "--dry-run", is_flag=True, help=gettext_noop("Only tell: write nothing down, count nothing.")
)
@click.option("--lang", type=LANGUAGES, help=gettext_noop("Language of the texts."))
@on_node
def decide(
    *,
    recipient: str,
    action: str,
    target: str,
    party: str,
    purpose: str,
    spatial: str,
    classification: str,
    output_type: str,
    dry_run: bool,
    lang: str | None,
    node: Path | None,
    var: Path,
    as_json: bool,
) -> None:
    """Ask for a decision."""
    with reading(node, var, lang):
        from renkei.border import door, engine, schemas

        request = engine.Request(
            action=action,
            target=target,
            recipient=recipient,
            recipient_party=party,
            purpose=purpose,
            spatial=spatial,
            classification=classification,
            output_type=output_type,
        )
        if dry_run:
            decision = door.explain(request)
            allow, told = decision.allow, schemas.explained_out(request, decision)
        else:
            row = door.decide_request(request)
            allow, told = row.allow, schemas.decision_out(row)
        if as_json:
            print_json(told)
        else:
            click.echo("allow" if allow else "deny")
            tell(told["reason"])
            for step in told["trace"]:
                tell(f"  {step['clause']}\t{step['outcome']}\t{step['reason']}")
    if not allow:
        sys.exit(1)


@border.command(
    help=gettext_noop("Keep the agreement in FILE as a draft ('-' is stdin); it decides nothing.")
)
@click.argument("file", type=click.File("rb"))
@on_node
def draft(*, file: Any, node: Path | None, var: Path, as_json: bool) -> None:
    """Keep a draft."""
    with reading(node, var):
        from renkei.border import door, engine, schemas

        made = door.draft_agreement(engine.read_document(file.read()), author=None)
        if as_json:
            print_json(schemas.agreement_out(made))
        else:
            click.echo(f"{made.agreement.slug}\t{made.number}\t{made.digest}")


@border.command(
    help=gettext_noop(
        "Replay past decisions against the draft in FILE ('-' is stdin): who gains, who loses."
    )
)
@click.argument("file", type=click.File("rb"))
@click.option(
    "--limit",
    type=click.IntRange(1, 10**7),
    default=50_000,
    show_default=True,
    help=gettext_noop("At most so many decisions, the newest."),
)
@click.option("--lang", type=LANGUAGES, help=gettext_noop("Language of the texts."))
@on_node
def simulate(
    *, file: Any, limit: int, lang: str | None, node: Path | None, var: Path, as_json: bool
) -> None:
    """Simulate an amendment."""
    with reading(node, var, lang):
        from renkei.border import door, engine, schemas

        document = engine.read_document(file.read())
        told = schemas.simulation_out(door.simulate_amendment(document, limit=limit))
        if as_json:
            print_json(told)
            return
        for name in ("replayed", "unchanged", "allowed_before", "allowed_after"):
            click.echo(f"{name}\t{told[name]}")
        for side in ("gains", "loses"):
            for one in told[side]:
                parts = (
                    side, one["recipient"] or "-", one["recipient_party"] or "-", one["action"],
                    one["target"], str(one["times"]), one["after"],
                )  # fmt: skip
                click.echo("\t".join(parts))
