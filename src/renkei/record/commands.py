"""``renkei record``: the record on the command line.

Django is loaded when a command has chosen its node, not when this module is imported.
"""

import csv
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from renkei.base.commands import WrongUseError, enter, folders, on_node, print_json, reading, tell
from renkei.base.node import run_on
from renkei.kit.errors import ConflictError, RenkeiError, gettext_noop

KINDS = ("commitments", "findings", "sources", "organisations")
EXPORTED = (
    "lineages",
    "sources",
    "organisations",
    "agreements",
    "clusters",
    "commitments",
    "lookalikes",
    "findings",
)
LANGUAGES = click.Choice(["en", "ja"])
MOST_ROWS = 10_000
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
Item = dict[str, Any]


class FolderTakenError(ConflictError):
    """The folder has something in it already."""

    code = "record.folder_taken"


@click.group(help=gettext_noop("Read, check, export the programme record; attach its documents."))
def record() -> None:
    """Hold the commands of the room."""


@record.command(help=gettext_noop("Keep documents of sources, checked by hash, on every node."))
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@on_node
def attach(files: tuple[Path, ...], node: Path | None, var: Path, *, as_json: bool) -> None:
    """Attach documents on one node here, on several in a process each."""
    found = folders(node, var)
    rows: list[Item] = []
    if len(found) == 1:
        name = enter(found[0])
        rows = [_attached(name, file) for file in files]
    else:
        for folder in found:
            done = run_on(folder, ["record", "attach", "--json", "--", *map(str, files)])
            try:
                rows += json.loads(done.stdout)
            except json.JSONDecodeError:  # it said on stderr why it could not even begin
                rows.append({"node": folder.name, "status": "refused"})
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        for row in rows:
            parts = (row["node"], row.get("file", "-"), row["status"], row.get("source") or "-")
            click.echo("\t".join(parts))
            if row.get("detail"):
                tell(f"{row['node']}: {row['file']}: {row['detail']}")
    if any(row["status"] == "refused" for row in rows):
        sys.exit(1)


def _attached(node: str, file: Path) -> Item:
    """Attach one file; what stands in its way becomes part of its row."""
    from renkei.base import problems
    from renkei.record import door, engine

    row: Item = {"node": node, "file": str(file), "source": None, "status": "attached"}
    try:
        engine.check_size(file.stat().st_size)
        source = door.attach(file.read_bytes(), reason="attached on the command line")
    except RenkeiError as error:
        return row | {"status": "refused", "code": error.code, "detail": problems.say(error)}
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        return row | {"status": "refused", "code": "os.error", "detail": str(error)}
    return row | {"source": source.slug, "sha256": source.sha256}


@record.command("list", help=gettext_noop("List what the record holds; commitments by default."))
@click.argument("kind", type=click.Choice(KINDS), default="commitments")
@click.option("-q", "query", default="", help=gettext_noop("Words that a row must all hold."))
@click.option("--domain", default="", help=gettext_noop("Domain of commitments."))
@click.option("--status", default="", help=gettext_noop("Status of commitments."))
@click.option("--party", default="", help=gettext_noop("Party of commitments, such as JP."))
@click.option("--limit", type=click.IntRange(1, MOST_ROWS), default=50, show_default=True)
@click.option("--lang", type=LANGUAGES, help=gettext_noop("Language of the texts."))
@on_node
def list_(
    *,
    kind: str,
    query: str,
    domain: str,
    status: str,
    party: str,
    limit: int,
    lang: str | None,
    node: Path | None,
    var: Path,
    as_json: bool,
) -> None:
    """List rows of one kind."""
    chosen = {"domain": domain, "status": status, "party": party}
    if kind != "commitments" and any(chosen.values()):
        raise WrongUseError(gettext_noop("--domain, --status and --party are of commitments alone"))
    with reading(node, var, lang):
        count, items = _listed(kind, query, chosen, limit)
        if as_json:
            print_json({"count": count, "items": items})
            return
        for item in items:
            click.echo("\t".join(_line(kind, item)))
        if count > len(items):
            from django.utils.translation import gettext

            tell(gettext("{shown} of {count}").format(shown=len(items), count=count))


def _listed(kind: str, query: str, chosen: dict[str, str], limit: int) -> tuple[int, list[Item]]:
    from renkei.record import door, models, schemas

    if kind == "commitments":
        selection = door.Selection(q=query, **chosen)
        rows = door.listed(selection, offset=0, limit=limit)
        return door.count(selection), [
            schemas.commitment_row(row, source=row.source_slug) for row in rows
        ]
    of_kind: dict[str, tuple[Any, Callable[[Any], Item], str]] = {
        "findings": (models.Finding, schemas.finding_row, "finding"),
        "sources": (models.Source, schemas.source_row, "source"),
        "organisations": (models.Organisation, schemas.organisation_row, "organisation"),
    }
    model, row_of, label = of_kind[kind]
    found = models.found(model._default_manager.order_by("pk"), label, door.check_query(query))  # noqa: SLF001
    return found.count(), [row_of(row) for row in found[:limit]]


def _line(kind: str, item: Item) -> list[str]:
    if kind == "commitments":
        amount = item["amount"]
        money = f"{amount['currency']} {amount['value']}" if amount else "-"
        return [item["slug"], item["domain"], item["status"], money, item["title"]]
    middle = {
        "findings": ("severity", "state"),
        "sources": ("reliability", "lineage"),
        "organisations": ("kind", "country"),
    }[kind]
    return [item["slug"], *(item[name] or "-" for name in middle), item["title"]]


@record.command(
    help=gettext_noop("Show a commitment, finding, source or organisation by its name.")
)
@click.argument("slug")
@click.option("--lang", type=LANGUAGES, help=gettext_noop("Language of the texts."))
@on_node
def show(slug: str, lang: str | None, node: Path | None, var: Path, *, as_json: bool) -> None:
    """Show one thing whole."""
    with reading(node, var, lang):
        told = _shown(slug)
        if as_json:
            print_json(told)
            return
        claims = told.get("claims")
        said = {"history", "labels"} | ({"claims"} if isinstance(claims, list) else set())
        for name, value in told.items():
            if name not in said:
                _tell_value(name, value)
        for claim in claims if isinstance(claims, list) else ():  # of a source, their number
            click.echo(_claim_line(claim))


def _shown(slug: str) -> Item:
    from renkei.record import door, models, schemas

    for model, out in (
        (models.Commitment, schemas.commitment_out),
        (models.Finding, schemas.finding_out),
        (models.Source, schemas.source_out),
        (models.Organisation, schemas.organisation_out),
    ):
        try:
            return out(door.find(model, slug))
        except door.UnknownSubjectError:
            continue
    raise door.UnknownSubjectError(
        gettext_noop("the record has no commitment, finding, source or organisation {slug!r}"),
        slug=slug,
    )


def _tell_value(name: str, value: object) -> None:
    if isinstance(value, list):
        for part in value:
            shown = part
            if isinstance(part, dict):
                shown = " ".join(f"{key}={text}" for key, text in part.items() if text)
            click.echo(f"{name}\t{shown}")
    elif isinstance(value, dict):
        click.echo(f"{name}\t" + " ".join(f"{key}={text}" for key, text in value.items() if text))
    elif value not in (None, ""):
        click.echo(f"{name}\t{value}")


def _claim_line(claim: Item) -> str:
    """Return a claim in one line; a star marks the published one of its rivals."""
    mark = "*" if claim["is_published"] else " "
    money = f" {claim['money']['currency']}" if claim["money"] else ""
    places = ",".join(f"{place['start']}-{place['end']}" for place in claim["passages"]) or "-"
    exact = "" if claim["qualifier"] == "exact" else f"{claim['qualifier']} "
    return f"{mark} {claim['field']}\t{exact}{claim['value']}{money}\t{claim['source']}:{places}"


@record.command(
    help=gettext_noop(
        "Export all data files (format renkei-record/1) into a new folder DIR, or one kind, or the "
        "commitments as CSV, to standard output."
    )
)
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(EXPORTED), help=gettext_noop("One kind alone."))
@click.option("--csv", "as_csv", is_flag=True, help=gettext_noop("Commitments as CSV."))
@on_node
def export(
    folder: Path | None,
    kind: str | None,
    node: Path | None,
    var: Path,
    *,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Export the record."""
    if [folder is not None, kind is not None, as_csv].count(True) != 1:
        raise WrongUseError(gettext_noop("expected one of: a folder DIR, --kind KIND, --csv"))
    with reading(node, var):
        if kind is not None:
            for text in _exported(kind):
                click.echo(text, nl=False)
        elif as_csv:
            _write_csv()
        elif folder is not None:
            files = _export_to(folder)
            if as_json:
                print_json(files)
            else:
                for name in files:
                    click.echo(str(folder / name))


def _exported(kind: str) -> Iterator[str]:
    from renkei.record import door, engine

    return engine.serialise(kind, door.export(kind))


def _export_to(folder: Path) -> list[str]:
    """Write every kind; the folder appears when all of it is written."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderTakenError(
            gettext_noop("{folder} is there already: name a new folder"), folder=folder
        )
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        building = Path(scratch) / "record"
        building.mkdir()
        for kind in EXPORTED:
            with (building / f"{kind}.json").open("w", encoding="utf-8") as file:
                file.writelines(_exported(kind))
                file.flush()
                os.fsync(file.fileno())
        building.rename(folder)
    return [f"{kind}.json" for kind in EXPORTED]


def _write_csv() -> None:
    from renkei.record import door, schemas

    rows = door.select(door.Selection()).select_related("source").iterator(chunk_size=1_000)
    writer: Any = None
    for row in rows:
        item = schemas.commitment_row(row, source=row.source.slug if row.source else None)
        amount = item.pop("amount") or {}
        del item["labels"], item["title"]
        flat = {
            **item,
            "title_en": row.title_en,
            "title_ja": row.title_ja,
            "parties": " ".join(item["parties"]),
            "updated_at": item["updated_at"].isoformat(),
            **{
                f"amount_{name}": amount.get(name, "")
                for name in ("value", "currency", "side", "nature", "relation", "qualifier")
            },
        }
        if writer is None:
            writer = csv.DictWriter(sys.stdout, list(flat))
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in flat.items()})


def _cell(value: object) -> str:
    """Return a value that no spreadsheet program takes for a formula (OWASP, CSV Injection)."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


@record.command(help=gettext_noop("Count every sum anew and compare it with the tables of sums."))
@on_node
def check(node: Path | None, var: Path, *, as_json: bool) -> None:
    """Check the summary tables."""
    with reading(node, var):
        from django.utils.translation import gettext

        from renkei.record import door

        wrong = door.check()
        if as_json:
            print_json(wrong)
        else:
            for line in wrong:
                click.echo(line)
            if not wrong:
                tell(gettext("Every sum is right."))
    if wrong:
        sys.exit(1)
