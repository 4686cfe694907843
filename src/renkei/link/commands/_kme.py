"""Key managers of other vendors: admit, list, ask, remove (ETSI GS QKD 020, a draft here)."""

import json
from pathlib import Path

import click

from renkei.base.commands import enter, folders, on_node, print_columns, print_json, tell
from renkei.kit.errors import gettext_noop


@click.group(
    help=gettext_noop(
        "Exchange keys with key managers of other vendors (ETSI GS QKD 020, a draft)."
    )
)
def kme() -> None:
    """Hold the commands about key managers of others."""


@kme.command(
    help=gettext_noop(
        "Admit the key manager NAME at ADDRESS (https://host:port), which proves itself with the "
        "certificates in the PEM file CERTIFICATE, for the applications it serves. What the other "
        "side needs of this node is printed."
    )
)
@click.argument("name")
@click.argument("address")
@click.argument("certificate", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--sae", "saes", multiple=True, required=True, help=gettext_noop("An application it serves.")
)
@click.option(
    "--simulated",
    is_flag=True,
    help=gettext_noop("Its keys protect nothing: on a demonstration alone."),
)
@on_node
def admit(
    name: str,
    address: str,
    certificate: Path,
    saes: tuple[str, ...],
    *,
    node: Path | None,
    var: Path,
    simulated: bool,
    as_json: bool,
) -> None:
    """Admit a key manager."""
    enter(folders(node, var)[0])
    from renkei.link import door

    admitted = door.admit_kme(name, address, certificate.read_bytes(), saes, simulated=simulated)
    ours = door.ensure_authority() / "kme.crt"
    if as_json:
        said = {"address": door.own_address(), "certificate": str(ours)}
        print_json({"admitted": door.kme_summary(admitted), "own": said})
        return
    for fingerprint in admitted.fingerprints:
        click.echo(f"{admitted.name}  SHA-256 {fingerprint}")
    click.echo(f"{door.own_address()}  {ours}")


@kme.command("list", help=gettext_noop("List the key managers that are admitted, and their keys."))
@on_node
def list_(node: Path | None, var: Path, *, as_json: bool) -> None:
    """List key managers."""
    enter(folders(node, var)[0])
    from django.utils.translation import gettext, pgettext

    from renkei.link import door

    rows = [door.kme_summary(one) for one in door.kmes()]
    if as_json:
        print_json(rows)
        return
    if not rows:
        return
    counted = ("received", "given", "waiting", "void")
    head = (
        gettext("Key manager"),
        gettext("Address"),
        gettext("Received"),
        gettext("Given"),
        pgettext("link", "Waiting"),
        gettext("Destroyed undrawn"),
        gettext("Applications"),
    )
    lines = [
        (row["name"], row["address"], *(str(row[key]) for key in counted), " ".join(row["saes"]))
        for row in rows
    ]
    print_columns([head, *lines], right=range(2, 6))


@kme.command(help=gettext_noop("Ask the key manager NAME which versions and modes it speaks."))
@click.argument("name")
@on_node
def ask(name: str, node: Path | None, var: Path, *, as_json: bool) -> None:
    """Ask a key manager."""
    enter(folders(node, var)[0])
    from renkei.link import door

    found = next((one for one in door.kmes() if one.name == name), None)
    if found is None:
        raise door.NoKmeError(gettext_noop("no key manager {name} is admitted here"), name=name)
    said = door.ask_versions(found)
    if as_json:
        print_json(said)
    else:
        click.echo(json.dumps(said))


@kme.command(
    help=gettext_noop(
        "Hear the key manager NAME no more, and destroy the keys from it that nobody has drawn."
    )
)
@click.argument("name")
@on_node
def remove(name: str, node: Path | None, var: Path, *, as_json: bool) -> None:
    """Remove a key manager."""
    enter(folders(node, var)[0])
    from django.utils.translation import gettext

    from renkei.link import door

    destroyed = door.remove_kme(name)
    if as_json:
        print_json({"removed": name, "destroyed": destroyed})
    else:
        said = gettext_noop("{name} is heard no more; {count} keys were destroyed.")
        tell(gettext(said).format(name=name, count=destroyed))
