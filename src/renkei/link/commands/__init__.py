"""The quantum secure link: status, applications, sealing and opening, rates, distillation."""

import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click

from renkei.base.commands import enter as enter_folder
from renkei.base.commands import folders, print_columns, print_json, tell
from renkei.base.commands import on_node as on_any_node
from renkei.kit.errors import ConflictError, RenkeiError, gettext_noop
from renkei.link.commands._kme import kme

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
INPUT = click.Path(path_type=Path, dir_okay=False, exists=True)
SEALED_MORE_BYTES = 1 << 16  # what a header takes at most
POLICIES = ("require-qkd", "hybrid-or-pqc")
SOURCES = {  # of engine.Source, for people
    "quantum": gettext_noop("quantum"),
    "simulated": gettext_noop("simulated"),
    "none": gettext_noop("none"),
}


class NotHereError(ConflictError):
    """A command belongs on the other node."""

    code = "link.not_here"


class FileThereError(ConflictError):
    """A command would write over a file."""

    code = "link.file_there"


class CannotWriteError(RenkeiError):
    """A command cannot write its file, and has done nothing yet."""

    code = "link.cannot_write"
    status = 507


def on_node(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which node is meant, and which of its links."""
    partner = click.option(
        "--partner", default="", help=gettext_noop("The partner, where there are several.")
    )
    return on_any_node(partner(command))


def say(sentence: str, **values: object) -> str:
    """Return a sentence in the reader's language."""
    from django.utils.translation import gettext

    return gettext(sentence).format(**values)


def enter(node: Path | None, var: Path) -> None:
    """Load Django for the node that is meant: the first one where none was named."""
    enter_folder(folders(node, var)[0])


@click.group(
    help=gettext_noop("Work with the quantum secure link: keys, applications, sealed files.")
)
def link() -> None:
    """Hold the commands of the room."""


link.add_command(kme)


@link.command(
    help=gettext_noop(
        "Found the link with PARTNER. The two ends meet under the signatures of their nodes; where "
        "that is not enough, a secret that authenticates them and the first blocks is made with "
        "--carry, printed once, and read at the partner from the first line of stdin."
    )
)
@click.argument("partner")
@click.option("--node", type=FOLDER, help=gettext_noop("Folder of the node."))
@click.option("--var", type=FOLDER, envvar="RENKEI_VAR", default=Path("var"))
@click.option(
    "--carry", is_flag=True, help=gettext_noop("Make a secret to be carried to the partner.")
)
@click.option(
    "--secret-stdin", is_flag=True, help=gettext_noop("Read the partner's secret from stdin.")
)
@click.option(
    "--signed-start",
    is_flag=True,
    help=gettext_noop(
        "Throw away what authenticates blocks, when it is used up: both nodes sign the next one."
    ),
)
@click.option(
    "--simulated",
    is_flag=True,
    help=gettext_noop("The source is the simulated fibre: on a demonstration alone."),
)
@click.option(
    "--routed",
    is_flag=True,
    help=gettext_noop("Key comes over the trusted nodes of routes.toml, not from photons."),
)
@click.option(
    "--fibre",
    type=FOLDER,
    help=gettext_noop(
        "Folder of the simulated fibre, the same at both ends; `renkei link fibre` runs it."
    ),
)
def found(
    partner: str,
    node: Path | None,
    var: Path,
    *,
    carry: bool,
    secret_stdin: bool,
    signed_start: bool,
    simulated: bool,
    routed: bool,
    fibre: Path | None,
) -> None:
    """Found a link."""
    if carry + secret_stdin + signed_start > 1:
        raise NotHereError(gettext_noop("one of --carry, --secret-stdin and --signed-start"))
    enter(node, var)
    from renkei.link import door

    founded = door.found_link(partner, simulated=simulated, routed=routed)
    if fibre is not None:
        door.join_fibre(founded, fibre)
    if signed_start:
        door.forget_reserve(founded)
    elif carry or secret_stdin:
        secret = sys.stdin.readline().strip() if secret_stdin else door.new_secrets()
        door.keep_secrets(founded, secret)
        if carry:
            tell(say(gettext_noop("The link's secret, shown this once:")))
            click.echo(secret)


@link.command(help=gettext_noop("Show pools, counters, the last blocks and alarms."))
@click.option(
    "--clear-alarms",
    is_flag=True,
    help=gettext_noop("Clear the alarms that do not clear themselves: somebody has looked."),
)
@on_node
def status(
    node: Path | None, var: Path, partner: str, *, clear_alarms: bool, as_json: bool
) -> None:
    """Show how the link is."""
    enter(node, var)
    from renkei.link import door

    if clear_alarms:
        door.put_right(door.link_with(partner))
    said = door.summary(door.link_with(partner))
    if as_json:
        print_json(said)
        return
    from django.utils.timezone import localtime

    from renkei.link.templatetags.link import detail, standing, whole

    heard = (
        localtime(said["heard_at"]).strftime("%Y-%m-%d %H:%M:%S %Z") if said["heard_at"] else "-"
    )
    click.echo(f"{said['node']} – {said['partner']}  {say(SOURCES[said['source']])}")
    print_columns(
        (
            (say(gettext_noop("Keys ready (256 bits)")), whole(said["keys_ready"])),
            (say(gettext_noop("Key to give from here, bytes")), whole(said["own_bytes"])),
            (say(gettext_noop("Key to give from the partner, bytes")), whole(said["peer_bytes"])),
            (say(gettext_noop("Key not yet confirmed by both, bytes")), whole(said["held_bytes"])),
            (say(gettext_noop("Tags left to authenticate the link")), whole(said["tags_left"])),
            (say(gettext_noop("Blocks kept")), whole(said["blocks"])),
            (say(gettext_noop("Keys delivered")), whole(said["delivered"])),
            (say(gettext_noop("Counters: block, byte, deliveries")), said["counters"]),
            (say(gettext_noop("The partner's counters, as last heard")), said["remembered"]),
            (say(gettext_noop("Last heard from the partner")), heard),
        )
    )
    for alarm in said["alarms"]:
        why = f" ({detail(alarm)})" if detail(alarm) else ""
        head = say(gettext_noop("ALARM:"))
        click.echo(f"{head} {standing(alarm['kind'])}{why}")
    print_runs(said["runs"])


def print_runs(runs: Sequence[Mapping[str, Any]]) -> None:
    """Print blocks, a line each."""
    from django.utils.translation import pgettext

    from renkei.link.templatetags.link import outcome, percent, whole

    if not runs:
        return
    head = (
        say(gettext_noop("Block")),
        say(gettext_noop("Sifted bits")),
        "QBER",
        say(gettext_noop("Disclosed bits")),
        say(gettext_noop("Key bits")),
        say(gettext_noop("Seconds")),
        pgettext("link", "Outcome"),
    )
    lines = [
        (
            str(run["number"]),
            whole(run["sifted_bits"]),
            "-" if run["qber"] is None else percent(run["qber"]),
            whole(run["leak_bits"]),
            whole(run["key_bits"]),
            f"{run['seconds']:.2f}",
            outcome(run["refused"]),
        )
        for run in runs
    ]
    print_columns([head, *lines], right=range(6))


@link.group(help=gettext_noop("Manage the applications that draw keys (SAEs)."))
def sae() -> None:
    """Hold the commands about applications."""


@sae.command(
    "add",
    help=gettext_noop(
        "Make the application NAME known and write its certificate, its private key and the "
        "authority's certificate to a folder. The private key is kept nowhere else."
    ),
)
@click.argument("name")
@click.option(
    "--out",
    type=FOLDER,
    default=Path(),
    show_default=True,
    help=gettext_noop("Folder for the three files."),
)
@click.option(
    "--loopback",
    is_flag=True,
    help=gettext_noop("It may draw keys for itself, to test the key manager."),
)
@click.option(
    "--quota-mib-per-hour",
    type=click.IntRange(1, 1 << 20),
    default=64,
    show_default=True,
    help=gettext_noop("How much key it may draw."),
)
@on_node
def sae_add(
    name: str,
    out: Path,
    node: Path | None,
    var: Path,
    partner: str,
    *,
    loopback: bool,
    quota_mib_per_hour: int,
    as_json: bool,
) -> None:
    """Issue a certificate."""
    del partner
    enter(node, var)
    from renkei.link import door

    issued = door.add_sae(
        name, out, loopback=loopback, quota_bytes_per_hour=quota_mib_per_hour << 20
    )
    if as_json:
        print_json(
            {
                "name": issued.name,
                "certificate": str(issued.certificate),
                "key": str(issued.key),
                "ca": str(issued.ca),
            }
        )
    else:
        tell(
            say(
                gettext_noop("{name}: {certificate}, {key}, {ca}"),
                name=issued.name,
                certificate=issued.certificate,
                key=issued.key,
                ca=issued.ca,
            )
        )


@sae.command("list", help=gettext_noop("List the applications of this node."))
@on_node
def sae_list(node: Path | None, var: Path, partner: str, *, as_json: bool) -> None:
    """List applications."""
    del partner
    enter(node, var)
    from renkei.link import door

    rows = door.saes()
    if as_json:
        print_json(rows)
        return
    head = (say(gettext_noop("Application")), say(gettext_noop("Keys drawn")), "")
    lines = [
        (row["name"], str(row["drawn"]), say(gettext_noop("revoked")) if row["state"] else "")
        for row in rows
    ]
    if rows:
        print_columns([head, *lines], right=(1,))


@sae.command("revoke", help=gettext_noop("Refuse the application NAME from now on."))
@click.argument("name")
@on_node
def sae_revoke(name: str, node: Path | None, var: Path, partner: str, *, as_json: bool) -> None:
    """Refuse an application."""
    del partner
    enter(node, var)
    from renkei.link import door

    door.revoke_sae(name)
    if as_json:
        print_json({"revoked": name})
    else:
        tell(say(gettext_noop("{name} is refused from now on."), name=name))


@contextmanager
def appearing(out: Path, *, room: int = 0) -> Iterator[BinaryIO]:
    """Yield a file that appears under its name when the block ends well.

    Args:
        out: its name.
        room: bytes that are kept free for it first: the block may use up what nobody gives back.

    Raises:
        FileThereError, CannotWriteError: before the block begins.
    """
    if out.exists():
        raise FileThereError(gettext_noop("{file} is there already: it is left alone"), file=out)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
    except OSError as error:
        raise _cannot_write(out, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            try:
                if room and hasattr(os, "posix_fallocate"):  # not on every system
                    os.posix_fallocate(file.fileno(), 0, room)
            except OSError as error:
                raise _cannot_write(out, error) from error
            yield file
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        Path(name).rename(out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _cannot_write(out: Path, error: OSError) -> CannotWriteError:
    return CannotWriteError(
        gettext_noop("{file} cannot be written: {why}"), file=out, why=error.strerror
    )


@link.command(
    help=gettext_noop(
        "Seal FILE for the partner: ML-KEM-1024, X25519 and one QKD key, all three mixed. It "
        "becomes FILE.sealed."
    )
)
@click.argument("file", type=INPUT)
@click.option("--out", type=FILE, help=gettext_noop("Name of the sealed file."))
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    default="require-qkd",
    show_default=True,
    help=gettext_noop("Whether to go without a QKD key when there is none; it is said aloud."),
)
@click.option(
    "--pad", is_flag=True, help=gettext_noop("One-time pad: for messages of at most 16 KiB.")
)
@on_node
def seal(
    file: Path,
    out: Path | None,
    node: Path | None,
    var: Path,
    partner: str,
    *,
    policy: str,
    pad: bool,
    as_json: bool,
) -> None:
    """Seal a file."""
    enter(node, var)
    from renkei.link import door
    from renkei.link.engine import Policy, pad_bytes

    where = door.link_with(partner)
    target = out or file.with_name(file.name + ".sealed")
    channel = door.SecretChannel(where)
    size = file.stat().st_size
    if pad:
        pad_bytes(size)  # refuses a file that is too long before it is read
    room = size + (size >> 16) + SEALED_MORE_BYTES  # a tag of 16 bytes for each MiB
    with file.open("rb") as plain, appearing(target, room=room) as sealed:
        if pad:
            sealed.write(door.seal_pad(where, channel, plain.read(1 << 20), name=file.name))
        else:
            door.seal(where, channel, plain, sealed, policy=Policy(policy), name=file.name)
    with target.open("rb") as sealed_file:
        header = door.peek(sealed_file)
    _report(target, header, as_json=as_json)


@link.command(
    "open",
    help=gettext_noop(
        "Open the sealed FILE of the partner. Its QKD key is used up: this succeeds once."
    ),
)
@click.argument("file", type=INPUT)
@click.option("--out", type=FILE, help=gettext_noop("Name of the opened file."))
@on_node
def open_(
    file: Path, out: Path | None, node: Path | None, var: Path, partner: str, *, as_json: bool
) -> None:
    """Open a file."""
    enter(node, var)
    from renkei.link import door

    where = door.link_with(partner)
    plain_name = file.with_suffix("") if file.suffix == ".sealed" else Path(f"{file}.opened")
    target = out or plain_name
    with file.open("rb") as sealed, appearing(target, room=file.stat().st_size) as plain:
        opened = door.unseal(where, door.SecretChannel(where), sealed, plain)
    _report(target, opened.header, as_json=as_json, opened=opened)


def _report(target: Path, header: Any, *, as_json: bool, opened: Any = None) -> None:
    index = opened.downgrade_index if opened else None
    if as_json:
        print_json(
            {
                "file": str(target),
                "from": header.sender,
                "to": header.receiver,
                "suite": header.suite,
                "policy": header.policy,
                "source": header.source,
                "downgrade": header.is_downgrade,
                "downgrade_index": index,
                "key_ids": list(header.key_ids),
            }
        )
        return
    tell(
        say(
            gettext_noop("{file}: from {sender} for {receiver}; QKD key: {source}"),
            file=target,
            sender=header.sender,
            receiver=header.receiver,
            source=say(SOURCES[header.source]),
        )
    )
    if header.is_downgrade:
        tell(say(gettext_noop("No QKD key protects this file: the policy allowed it.")))
        if index is not None:
            tell(
                say(
                    gettext_noop("{sender} signed that as entry {index} of its log."),
                    sender=header.sender,
                    index=index,
                )
            )
        elif opened:
            tell(
                say(
                    gettext_noop(
                        "The log of {sender} says nothing of it, as far as it has arrived here: "
                        "anybody may have sealed it."
                    ),
                    sender=header.sender,
                )
            )
    if header.source == "simulated":
        tell(say(gettext_noop("The QKD key is simulated and adds no protection.")))


@link.command(help=gettext_noop("Distil blocks now, in the foreground, and show how each goes."))
@click.option("--blocks", type=click.IntRange(1, 10_000), default=1, show_default=True)
@click.option(
    "--reconciler",
    type=click.Choice(["", "cascade", "ldpc"]),
    default="",
    help=gettext_noop("How errors are corrected; chosen by the round trip if not given."),
)
@click.option(
    "--sifted-bits",
    type=click.IntRange(10**6, 10**7),
    help=gettext_noop("Size of a block, about; larger ones lose less to their finite size."),
)
@on_node
def run(
    blocks: int,
    reconciler: str,
    node: Path | None,
    var: Path,
    partner: str,
    *,
    sifted_bits: int | None,
    as_json: bool,
) -> None:
    """Distil blocks."""
    enter(node, var)
    from renkei.link import door

    where = door.link_with(partner)
    if door.is_alice(where):
        raise NotHereError(
            gettext_noop("{own} prepares the photons: run this on the node {partner}"),
            own=where.own,
            partner=where.partner,
        )

    def tell_run(done: Any) -> None:
        said = {
            "block": done.number,
            "key_bits": done.key_bits,
            "qber": done.qber,
            "sifted_bits": done.sifted_bits,
            "leak_bits": done.leak_bits,
            "seconds": round(done.seconds, 3),
            "simulated": done.simulated,
            "refused": done.refused,
        }
        if as_json:
            click.echo(json.dumps(said))
        else:
            from renkei.link.templatetags.link import outcome, percent, whole

            click.echo(
                say(
                    gettext_noop(
                        "block {number}: {sifted} bits sifted, QBER {qber}, {leak} bits disclosed, "
                        "{key} bits of key, {seconds} s; {outcome}"
                    ),
                    number=done.number,
                    sifted=whole(done.sifted_bits),
                    qber="-" if done.qber is None else percent(done.qber),
                    leak=whole(done.leak_bits),
                    key=whole(done.key_bits),
                    seconds=f"{done.seconds:.2f}",
                    outcome=outcome(done.refused),
                )
            )

    channel = door.SecretChannel(where, timeout_seconds=door.DISTIL_TIMEOUT_SECONDS)
    door.drive(
        where,
        channel,
        blocks=blocks,
        reconciler=reconciler,
        sifted_bits=sifted_bits,
        tell=tell_run,
    )


@link.command(
    help=gettext_noop("Print secret bits a second by distance in km, and the bound of physics.")
)
@on_node
def rates(node: Path | None, var: Path, partner: str, *, as_json: bool) -> None:
    """Print the curves of the pages."""
    del partner
    enter(node, var)
    from renkei.link import door

    door.write_curves()
    said = door.rates()
    if as_json:
        print_json(said)
        return
    tell(
        say(
            gettext_noop(
                "Secret bits a second, for a source of a thousand million pulses a second and fibre "
                "of 0.2 dB/km, by the number N of detections in a block; PLOB is the bound of physics."
            )
        )
    )
    bound = {int(km): rate for km, rate in said["plob"]}
    curves = list(said["rates"].values())
    head = ("km", *(f"N={name}" for name in said["rates"]), "PLOB")
    lines = [
        (str(km), *(f"{rows[at][1]:.4g}" for rows in curves), f"{bound.get(km, math.inf):.4g}")
        for at, (km, _rate) in enumerate(curves[0])
    ]
    print_columns([head, *lines], right=range(len(head)))


@link.command(
    "routes",
    help=gettext_noop(
        "List routes over trusted nodes, their paths, and the rate of the slowest hop."
    ),
)
@on_node
def routes_(node: Path | None, var: Path, partner: str, *, as_json: bool) -> None:
    """List routes."""
    del partner
    enter(node, var)
    from renkei.link import door

    said = door.drawing(door.routes())
    if as_json:
        print_json({name: said[name] for name in ("routes", "rows", "is_plan")})
        return
    if said["is_plan"]:
        tell(say(gettext_noop("A plan: no such route is configured here")))
    for route in said["routes"]:
        shares = say(gettext_noop("{count} shares"), count=route["shares"])
        click.echo(f"{route['ends']}  {shares}  {route['rate']:g} bit/s {route['why']}")
        for path in route["paths"]:
            click.echo(f"  {path['names']}  {path['rate']:g} bit/s")


@link.command(help=gettext_noop("Send one block of key to the partner over its route, now."))
@on_node
def relay(node: Path | None, var: Path, partner: str, *, as_json: bool) -> None:
    """Relay a block."""
    enter(node, var)
    from renkei.link import door

    where = door.link_with(partner)
    route = door.routes().with_partner(where.own, where.partner)
    if route is None:
        raise door.BadRoutesError(
            gettext_noop("routes.toml has no route over trusted nodes from {own} to {partner}"),
            own=where.own,
            partner=where.partner,
        )
    arrived = door.relay(where, route)
    if as_json:
        print_json({"arrived": arrived})
    else:
        tell(
            say(
                gettext_noop("A block arrived.")
                if arrived
                else gettext_noop("A block was changed on its way: both ends destroyed it.")
            )
        )


@link.command(
    help=gettext_noop(
        "Distil simulated blocks here, without a node, until so many sifted bits have gone through "
        "both ends; show after each block what they came to, and compare the keys."
    )
)
@click.option(
    "--sifted-bits",
    type=click.IntRange(1, 10**12),
    default=10**9,
    show_default=True,
    help=gettext_noop("How many."),
)
@click.option(
    "--reconciler", type=click.Choice(["cascade", "ldpc"]), default="cascade", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help=gettext_noop("Print JSON."))
def soak(sifted_bits: int, reconciler: str, *, as_json: bool) -> None:
    """Run the whole chain for long."""
    import numpy as np

    from renkei.link import engine

    settings = engine.Settings(frames=32, reconciler=reconciler)  # type: ignore[arg-type]  # a choice
    begun = time.process_time()
    tally = None
    for tally in engine.soak(sifted_bits, rng=np.random.default_rng(), settings=settings):
        spent = time.process_time() - begun
        row = {
            "sifted_bits": tally.sifted_bits,
            "blocks": tally.blocks,
            "failed_blocks": tally.failed_blocks,
            "error_rate": tally.errors / max(1, tally.sifted_bits),
            "f": tally.inefficiency,
            "frames": tally.frames,
            "bad_frames": tally.bad_frames,
            "frame_error_bound_95": tally.frame_error_bound,
            "secret_bits": tally.secret_bits,
            "unequal_keys": tally.unequal_keys,
            "cpu_seconds": round(spent, 1),
        }
        if as_json:
            click.echo(json.dumps(row))
        else:
            click.echo("  ".join(f"{key} {value}" for key, value in row.items()))
    if tally is not None and tally.unequal_keys:
        click.get_current_context().exit(1)


@link.group(
    help=gettext_noop("Hand keys to IPsec gateways as post-quantum pre-shared keys (RFC 8784).")
)
def ppk() -> None:
    """Hold the commands about pre-shared keys."""


@ppk.command(
    "new",
    help=gettext_noop(
        "Draw a key and write it to FILE as strongSwan reads it; its identifier is printed, for "
        "`ppk take` on the partner's node."
    ),
)
@click.argument("file", type=FILE)
@on_node
def ppk_new(file: Path, node: Path | None, var: Path, partner: str, *, as_json: bool) -> None:
    """Draw a pre-shared key."""
    enter(node, var)
    from renkei.link import door

    where = door.link_with(partner)
    with appearing(file) as out:
        made = door.draw_ppk(where, door.SecretChannel(where))
        out.write(made.swanctl().encode())
    _say_ppk(made, file, as_json=as_json)


@ppk.command(
    "take",
    help=gettext_noop(
        "Take the key ID that the partner's node drew, and write it to FILE as strongSwan reads it. "
        "This succeeds once."
    ),
)
@click.argument("name", metavar="ID")
@click.argument("file", type=FILE)
@on_node
def ppk_take(
    name: str, file: Path, node: Path | None, var: Path, partner: str, *, as_json: bool
) -> None:
    """Take a pre-shared key."""
    enter(node, var)
    from renkei.link import door

    where = door.link_with(partner)
    with appearing(file) as out:
        taken = door.fetch_ppk(where, door.SecretChannel(where), name)
        out.write(taken.swanctl().encode())
    _say_ppk(taken, file, as_json=as_json)


def _say_ppk(ppk: Any, file: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"ppk_id": ppk.id, "file": str(file), "simulated": ppk.simulated})
        return
    click.echo(ppk.id)
    if ppk.simulated:
        tell(say(gettext_noop("The QKD key is simulated and adds no protection.")))


@link.command(hidden=True)
@click.argument("partner")
@click.option("--node", type=FOLDER)
@click.option("--var", type=FOLDER, default=Path("var"))
def distil(partner: str, node: Path | None, var: Path) -> None:
    """Fill the pools: what the worker runs as a child."""
    os.nice(15)
    enter(node, var)
    from renkei.link import door

    where = door.link_with(partner)
    if door.is_alice(where):
        door.listen(where)
    else:
        channel = door.SecretChannel(where, timeout_seconds=door.DISTIL_TIMEOUT_SECONDS)
        door.drive(where, channel)


@link.command(
    help=gettext_noop(
        "Play the photons between the two nodes that were founded with this FOLDER, until stopped: "
        "what `renkei up` runs beside its pair."
    )
)
@click.argument("folder", type=FOLDER)
def fibre(folder: Path) -> None:
    """Play the photons."""
    from renkei.link.commands._fibre import play

    play(folder)


@link.command(
    help=gettext_noop(
        "Measure the delivery of keys, each draw durable at both nodes. It uses key up."
    )
)
@click.option("--seconds", type=click.IntRange(1, 600), default=5, show_default=True)
@on_node
def bench(seconds: int, node: Path | None, var: Path, partner: str, *, as_json: bool) -> None:
    """Measure."""
    enter(node, var)
    from renkei.link import door

    where = door.link_with(partner)
    channel = door.SecretChannel(where)
    said = door.measure_delivery(where, channel, seconds=seconds, clock=time.perf_counter)
    if as_json:
        print_json(said)
    else:
        lines = (
            (say(gettext_noop("Draws, each durable at both nodes")), f"{said['draws']:,}"),
            (say(gettext_noop("Keys a draw")), f"{said['keys_a_draw']:,}"),
            (say(gettext_noop("Keys a second")), f"{said['keys_per_second']:,}"),
            (
                say(gettext_noop("Keys a CPU second of this process")),
                f"{said['keys_per_cpu_second_here']:,}",
            ),
            (say(gettext_noop("Median of a draw, ms")), str(said["median_ms"])),
            (say(gettext_noop("99th percentile of a draw, ms")), str(said["p99_ms"])),
        )
        print_columns(lines, right=(1,))
        if "why" in said:
            click.echo(said["why"])
