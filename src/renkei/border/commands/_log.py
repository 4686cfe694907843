"""Commands about logs, receipts and keys."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from renkei.base.commands import on_each, on_node, print_json, reading, tell
from renkei.border.commands._group import border
from renkei.kit.errors import gettext_noop

Row = dict[str, Any]


def _printed(rows: list[Row], lines: list[str], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        for line in lines:
            click.echo(line)
    if not all(row.get("ok", True) for row in rows):
        sys.exit(1)


@border.command(help=gettext_noop("Print the fingerprint that two officers read to each other."))
@on_node
def fingerprint(node: Path | None, var: Path, *, as_json: bool) -> None:
    """Print fingerprints."""

    def work(name: str) -> list[Row]:
        from renkei.border import door

        identity = door.identity()
        return [
            {
                "node": name,
                "origin": identity.origin,
                "fingerprint": identity.fingerprint,
                "groups": door.fingerprint().replace("\n", " "),
            }
        ]

    rows = on_each(node, var, ["border", "fingerprint", "--json"], work)
    lines = [f"{row['node']}\t{row.get('groups', '-')}" for row in rows]
    _printed(rows, lines, as_json=as_json)


@border.command(help=gettext_noop("Show logs, partners, joint acts under way and open incidents."))
@on_node
def status(node: Path | None, var: Path, *, as_json: bool) -> None:
    """Show the state."""

    def work(name: str) -> list[Row]:
        from renkei.border import door

        return [{"node": name, **door.status()}]

    rows = on_each(node, var, ["border", "status", "--json"], work)
    lines = []
    for row in rows:
        lines += [
            f"{row['node']}\t{log['origin']}\t{log['entries']}\t{log['witnessed']}\t"
            f"{log['proven_at'] or '-'}\t{log['state']}"
            for log in row.get("logs", ())
        ]
        lines.append(
            f"{row['node']}\tacts under way {row.get('acts_under_way', '-')}\t"
            f"open incidents {row.get('open_incidents', '-')}"
        )
    _printed(rows, lines, as_json=as_json)


def _audited(name: str, *, signatures: bool, mend: bool) -> list[Row]:
    from django.utils import timezone

    from renkei.base import problems
    from renkei.border import door

    rows = []
    for log in door.logs():
        found = (
            door.scrub(log, now=timezone.now()) if mend else door.audit(log, signatures=signatures)
        )
        rows.append(
            {
                "node": name,
                "origin": found.origin,
                "ok": not found.wrong,
                "entries": found.entries,
                "statements": found.statements,
                "checkpoints": found.checkpoints,
                "files": found.files,
                "witnessed": found.witnessed,
                "wrong": [problems.say(error) for error in found.wrong],
            }
        )
    return rows


def _audit_lines(rows: list[Row]) -> list[str]:
    for row in rows:
        for said in row.get("wrong", ()):
            tell(f"{row['node']}: {said}")
    return [
        f"{row['node']}\t{row.get('origin', '-')}\t{'ok' if row['ok'] else 'FAILED'}\t"
        f"{row.get('entries', '-')}\t{row.get('statements', '-')}\t{row.get('checkpoints', '-')}\t"
        f"{row.get('files', '-')}\t{row.get('witnessed', '-')}"
        for row in rows
    ]


@border.command(
    help=gettext_noop(
        "Read every stored entry, signature, checkpoint and tile again, of the own log and of the "
        "mirrors; exit 1 if anything does not agree."
    )
)
@click.option(
    "--no-signatures",
    is_flag=True,
    help=gettext_noop("Check the trees alone, not the signatures of every statement."),
)
@on_node
def audit(node: Path | None, var: Path, *, no_signatures: bool, as_json: bool) -> None:
    """Audit."""
    rows = on_each(
        node,
        var,
        ["border", "audit", "--json", *(["--no-signatures"] if no_signatures else [])],
        lambda name: _audited(name, signatures=not no_signatures, mend=False),
    )
    _printed(rows, _audit_lines(rows), as_json=as_json)


@border.command(
    help=gettext_noop("Audit, and mend what is damaged from the files or the partner's mirror.")
)
@on_node
def scrub(node: Path | None, var: Path, *, as_json: bool) -> None:
    """Scrub."""
    rows = on_each(
        node,
        var,
        ["border", "scrub", "--json"],
        lambda name: _audited(name, signatures=False, mend=True),
    )
    _printed(rows, _audit_lines(rows), as_json=as_json)


@border.command(
    help=gettext_noop(
        "Write the receipt of RECORD, or of the joint act of that identifier: one file that proves "
        "it offline."
    )
)
@click.argument("record")
@click.option(
    "-o",
    "out",
    type=click.Path(path_type=Path, dir_okay=False),
    help=gettext_noop("File to write; stdout otherwise."),
)
@on_node
def receipt(record: str, out: Path | None, node: Path | None, var: Path, *, as_json: bool) -> None:
    """Write a receipt."""
    with reading(node, var):
        from renkei.border import door

        act = door.act_of(record)
        data = door.receipt(act)
        if out is None:
            click.echo(data.decode())
            return
        out.write_bytes(data)
        if as_json:
            print_json({"act": act.uid, "file": str(out), "bytes": len(data)})
        else:
            tell(f"{out}: {act.uid}, {len(data)} bytes")


@border.command(
    help=gettext_noop(
        "Write the evidence of an incident, by its number: of a rewritten log, a file that `renkei "
        "border verify` checks anywhere."
    )
)
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@click.option(
    "-o",
    "out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help=gettext_noop("File to write."),
)
@on_node
def evidence(number: int, out: Path, node: Path | None, var: Path, *, as_json: bool) -> None:
    """Write evidence."""
    with reading(node, var):
        from renkei.border import door

        _name, data = door.evidence_file(number)
        out.write_bytes(data)
        if as_json:
            print_json({"incident": number, "file": str(out), "bytes": len(data)})
        else:
            tell(f"{out}: {len(data)} bytes")


@border.command(
    help=gettext_noop("Check a receipt or a file of evidence, offline; no node is needed or asked.")
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--pin",
    "pins",
    multiple=True,
    help=gettext_noop("A fingerprint that you know; else they are shown for you to compare."),
)
@click.option("--json", "as_json", is_flag=True, help=gettext_noop("Print JSON."))
def verify(file: Path, pins: tuple[str, ...], *, as_json: bool) -> None:
    """Verify a file."""
    from renkei.border import engine

    report = engine.verify_receipt(
        file.read_bytes()[: engine.MAX_RECEIPT_BYTES + 1],
        [engine.parse_fingerprint(pin) for pin in pins] or None,
    )
    if as_json:
        click.echo(json.dumps(report.document, ensure_ascii=False, indent=2))
    else:
        marks = {True: "ok", False: "FAILED", None: "compare"}
        for check in report.checks:
            click.echo(
                f"{marks[check.passed]}\t{check.subject}\t{check.expected}\t{check.found}".rstrip()
            )
    if not report.passed:
        sys.exit(1)


@border.command(
    help=gettext_noop(
        "Fetch this node's log back from the mirror of PARTNER, after a loss or an old backup. Stop "
        "the node first."
    )
)
@click.argument("partner")
@on_node
def rebuild(partner: str, node: Path | None, var: Path, *, as_json: bool) -> None:
    """Rebuild the log."""
    with reading(node, var):
        from django.utils import timezone

        from renkei.border import door

        done = door.rebuild(door.partner(partner), now=timezone.now())
        if as_json:
            print_json(done)
        else:
            tell(f"{done['entries']} entries, {done['fetched']} fetched, {done['aside']} aside")


@border.command(
    help=gettext_noop(
        "Give a role of this node new keys: log, witness, mirror or sealing. The recovery key must be "
        "in keys/border for the time of it."
    )
)
@click.argument("role", type=click.Choice(["log", "witness", "mirror", "sealing"]))
@click.option("--reason", required=True, help=gettext_noop("Why, for people; it is in the log."))
@click.option(
    "--overlap",
    type=click.IntRange(0, 1_000_000),
    default=1000,
    show_default=True,
    help=gettext_noop("Entries for which the old keys hold too."),
)
@click.option(
    "--revoke-old", is_flag=True, help=gettext_noop("The old keys hold for no later entry.")
)
@on_node
def rotate(
    *,
    role: str,
    reason: str,
    overlap: int,
    revoke_old: bool,
    node: Path | None,
    var: Path,
    as_json: bool,
) -> None:
    """Rotate keys."""
    with reading(node, var):
        from renkei.border import door

        entry = door.rotate(role, reason=reason, overlap=overlap, revoke_old=revoke_old)
        if as_json:
            print_json({"role": role, "entry": entry.index, "origin": entry.log.origin})
        else:
            tell(f"{entry.log.origin} {entry.index}: {role}")
