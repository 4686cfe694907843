"""The commands of the house: a node's life, and a pair of nodes on one machine."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click

from renkei.base.commands import print_columns
from renkei.kit.errors import gettext_noop
from renkei.site import config, words
from renkei.site.config import Listen, NodeConfig, Partner
from renkei.site.words import gettext as _

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
ROLES = ("officer", "board", "researcher", "analyst", "operator")
PORT = click.IntRange(1, config.HIGHEST_PORT)
BASE_PORT = click.IntRange(1, config.HIGHEST_PORT - 22)
BASE_PORT_DEFAULT = 8800


class Words:
    """Say the help of a command in the reader's language."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help."""
        translate(self)
        super().format_help(ctx, formatter)  # type: ignore[misc]  # mixed into click's classes

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the line that the list of commands shows."""
        translate(self)
        line: str = super().get_short_help_str(limit)  # type: ignore[misc]
        return line


def translate(command: object) -> None:
    """Put the help of a command and of its options into the reader's language."""
    for part in (command, *getattr(command, "params", ())):
        if getattr(part, "help", None):
            part.help = words.gettext(part.help)
    sentence, full_stop, _rest = (getattr(command, "help", None) or "").partition("。")
    if full_stop:  # click shortens at spaces, and Japanese has none
        command.short_help = sentence  # type: ignore[attr-defined]  # it has a help


class Command(Words, click.Command):
    """A command of ours."""


class Group(Words, click.Group):
    """A group of commands of ours."""

    command_class = Command


Group.group_class = Group

as_json = click.option("--json", "as_json", is_flag=True, help=gettext_noop("Print JSON."))


def tell(sentence: str) -> None:
    """Say something to the person, beside the data."""
    click.echo(sentence, err=True)


def print_json(data: object) -> None:
    """Print data for a program."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


@click.group(cls=Group, help=gettext_noop("Found, run, check, back up and restore one node."))
def node() -> None:
    """Hold the commands about one node."""


class PartnerType(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click alone
    """``jp:JP:http://127.0.0.1:8802``."""

    name = "NAME:PARTY:ADDRESS"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Partner:
        """Return the partner that a word names."""
        if isinstance(value, Partner):
            return value
        name, colon, rest = str(value).partition(":")
        party, second_colon, address = rest.partition(":")
        if not (colon and second_colon and address):
            self.fail(
                _("{value!r} is not like jp:JP:http://127.0.0.1:8802", value=value), param, ctx
            )
        return Partner(name=name, party=party, address=address)


@node.command(
    help=gettext_noop(
        "Found a node in DIR: keys, blobs, node.toml and an empty database. No accounts are made: "
        "`renkei node user add` does."
    )
)
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--name", required=True, help=gettext_noop("Short name of the node, such as us."))
@click.option("--party", required=True, help=gettext_noop("Country code of its party, such as US."))
@click.option(
    "--partner",
    "partners",
    multiple=True,
    type=PartnerType(),
    help=gettext_noop("A partner's node."),
)
@click.option(
    "--base-port",
    type=BASE_PORT,
    default=BASE_PORT_DEFAULT,
    show_default=True,
    help=gettext_noop("Listen at this port + 1 (web), + 11 (bulk), + 21 (ETSI 014)."),
)
@click.option("--web-port", type=PORT, help=gettext_noop("Port of pages and API."))
@click.option("--bulk-port", type=PORT, help=gettext_noop("Port of bulk bytes."))
@click.option("--etsi014-port", type=PORT, help=gettext_noop("Port of key delivery."))
@click.option(
    "--host",
    "hosts",
    multiple=True,
    help=gettext_noop("A host name that the node answers to, besides this machine's own."),
)
@click.option("--secure", is_flag=True, help=gettext_noop("The node stands behind HTTPS."))
@click.option(
    "--demonstration",
    is_flag=True,
    help=gettext_noop("Pages and API say that this is a demonstration."),
)
@as_json
def init(
    folder: Path,
    *,
    name: str,
    party: str,
    partners: tuple[Partner, ...],
    base_port: int,
    web_port: int | None,
    bulk_port: int | None,
    etsi014_port: int | None,
    hosts: tuple[str, ...],
    secure: bool,
    demonstration: bool,
    as_json: bool,
) -> None:
    """Found a node."""
    from renkei.site import node as life

    wanted = NodeConfig(
        folder=folder,
        name=name,
        party=party,
        partners=partners,
        secure=secure,
        demonstration=demonstration,
        listen=Listen(
            web=web_port or base_port + 1,
            bulk=bulk_port or base_port + 11,
            etsi014=etsi014_port or base_port + 21,
        ),
    )
    wanted = replace(wanted, hosts=(*wanted.hosts, *hosts))
    life.found(folder, wanted, then=lambda: None)
    if as_json:
        address = f"http://{wanted.listen.host}:{wanted.listen.web}"
        print_json({"folder": str(folder), "node": name, "party": party, "address": address})
    else:
        tell(
            _(
                "The node {name} is founded in {folder}. Next: `renkei node user add {folder} NAME "
                "--role operator`, `renkei node serve {folder}` and `renkei node work {folder}`.",
                name=name,
                folder=folder,
            )
        )


@node.command(
    help=gettext_noop("Serve the pages and the API of the node in DIR, in the foreground.")
)
@click.argument("folder", metavar="DIR", type=FOLDER)
def serve(folder: Path) -> None:
    """Run the web server."""
    from renkei.site import serve as processes

    processes.web(folder)


@node.command(help=gettext_noop("Run the background jobs of the node in DIR, in the foreground."))
@click.option(
    "--until-empty",
    is_flag=True,
    help=gettext_noop("Run what is queued and end; what the worker starts for itself."),
)
@click.argument("folder", metavar="DIR", type=FOLDER)
def work(folder: Path, *, until_empty: bool) -> None:
    """Run the job worker."""
    from renkei.site import serve as processes

    processes.work(folder, until_empty=until_empty)


@node.command(
    help=gettext_noop("Bring the database of the node in DIR up to date with the program.")
)
@click.option(
    "--new-database",
    is_flag=True,
    help=gettext_noop("Make the database anew, for a node that lost it and has no backup."),
)
@click.argument("folder", metavar="DIR", type=FOLDER)
@as_json
def migrate(folder: Path, *, new_database: bool, as_json: bool) -> None:
    """Apply migrations."""
    from renkei.site import node as life

    life.enter(folder, founding=new_database)
    applied = life.migrate()
    if as_json:
        print_json({"applied": applied})
    elif applied:
        tell(_("{count} migrations were applied.", count=len(applied)))
    else:
        tell(_("The database is up to date."))


@node.command(
    help=gettext_noop("Check configuration, keys, database and records of the node in DIR.")
)
@click.argument("folder", metavar="DIR", type=FOLDER)
@as_json
def check(folder: Path, *, as_json: bool) -> None:
    """Check a node."""
    from renkei.site import node as life

    found = life.checks(folder)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        for one in found:
            click.echo(f"{'ok    ' if one.ok else 'WRONG '} {one.name:12} {one.detail}")
    if not all(one.ok for one in found):
        raise SystemExit(1)


@node.command(
    help=gettext_noop("Write everything that the node in DIR must keep to FILE, while it runs.")
)
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.argument("file", metavar="FILE.tar.gz", type=FILE)
@as_json
def backup(folder: Path, file: Path, *, as_json: bool) -> None:
    """Back a node up."""
    from renkei.site import backup as archive

    done = archive.back_up(folder, file)
    if as_json:
        print_json(done)
    else:
        tell(
            _(
                "{file}: {files} files, {bytes:,} bytes. It holds the node's private keys: keep it "
                "as you keep them.",
                **done,
            )
        )


@node.command(help=gettext_noop("Verify the backup FILE and place its node in the new folder DIR."))
@click.argument("file", metavar="FILE.tar.gz", type=FILE)
@click.argument("folder", metavar="DIR", type=FOLDER)
@as_json
def restore(file: Path, folder: Path, *, as_json: bool) -> None:
    """Restore a node."""
    from renkei.site import backup as archive

    done = archive.restore(file, folder)
    if as_json:
        print_json(done)
    else:
        tell(_("The node {node} is in {folder}: {files} files, each verified.", **done))


@node.command(hidden=True)
@click.argument("folder", type=FOLDER)
@click.option("--base-port", type=BASE_PORT, required=True)
def prepare(folder: Path, base_port: int) -> None:
    """Make one node of a demonstration ready: what ``up`` runs for each, side by side."""
    from renkei.site import node as life
    from renkei.site import supervisor

    known = json.load(sys.stdin)["accounts"]
    wanted = supervisor.pair(folder.parent, base_port)[folder]
    print_json(life.prepare_demonstration(folder, wanted, known))


@node.group(help=gettext_noop("Manage the accounts of a node."))
def user() -> None:
    """Hold the commands about accounts."""


@user.command(
    "add",
    help=gettext_noop(
        "Make the account NAME on the node in DIR. A random password is printed once, unless one "
        "comes on stdin."
    ),
)
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(ROLES),
    help=gettext_noop("What the person may do for the node's party; several are possible."),
)
@click.option("--full-name", default="", help=gettext_noop("Shown beside what the person does."))
@click.option(
    "--language",
    default="",
    type=click.Choice(["", "en", "ja"]),
    help=gettext_noop("The person's language; the browser's if not given."),
)
@click.option(
    "--password-stdin",
    is_flag=True,
    help=gettext_noop("Read the password from the first line of stdin."),
)
@as_json
def user_add(
    folder: Path,
    name: str,
    roles: Sequence[str],
    full_name: str,
    language: str,
    *,
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Make an account."""
    from renkei.site import node as life

    given = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    life.enter(folder)
    life.refuse_pending(folder)
    password = life.add_user(
        name=name, roles=roles, password=given, full_name=full_name, language=language
    )
    if as_json:
        shown = {} if password_stdin else {"password": password}
        print_json({"name": name, "roles": list(roles), **shown})
    elif not password_stdin:
        tell(_("The account {name} is made. Its password, shown this once:", name=name))
        click.echo(password)
    else:
        tell(_("The account {name} is made.", name=name))


@user.command(
    "connect",
    help=gettext_noop(
        "Let the account NAME on the node in DIR sign in by the institution, which knows the person "
        "as SUBJECT; without SUBJECT, end that."
    ),
)
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.argument("name")
@click.argument("subject", required=False, default="")
@as_json
def user_connect(folder: Path, name: str, subject: str, *, as_json: bool) -> None:
    """Connect an account with the institution's identity."""
    from renkei.site import node as life

    life.enter(folder)
    life.refuse_pending(folder)
    life.connect_user(name=name, subject=subject.strip())
    if as_json:
        print_json({"name": name, "subject": subject.strip()})
    elif subject.strip():
        tell(_("{name} signs in by the institution as {subject}.", name=name, subject=subject))
    else:
        tell(_("{name} signs in with a password alone.", name=name))


var_option = click.option(
    "--var",
    type=FOLDER,
    default=Path("var"),
    show_default=True,
    help=gettext_noop("Folder of the pair."),
)


@click.command(
    cls=Command,
    help=gettext_noop(
        "Start two nodes, the United States and Japan, on this machine; found them if they are "
        "missing. Ctrl-C stops them."
    ),
)
@var_option
@click.option(
    "--base-port",
    type=BASE_PORT,
    default=BASE_PORT_DEFAULT,
    show_default=True,
    help=gettext_noop("The nodes listen at this port + 1 and + 2."),
)
@click.option(
    "--fresh",
    is_flag=True,
    help=gettext_noop("Remove the nodes of this folder and found new ones."),
)
@click.option(
    "--detach",
    is_flag=True,
    help=gettext_noop("Return when the nodes answer; `renkei down` stops them."),
)
@as_json
def up(var: Path, base_port: int, *, fresh: bool, detach: bool, as_json: bool) -> None:
    """Run a pair."""
    from renkei.site import supervisor

    def when_up(rows: list[supervisor.Row]) -> None:
        ready = "Renkei is up"  # fixed: scripts wait for this line
        if as_json:
            print_json(rows)
            tell(ready)
        else:
            kept = _("in {file}", file=var / supervisor.ACCOUNTS)
            print_table([{key: text or kept for key, text in row.items()} for row in rows])
            click.echo(ready)
        sys.stdout.flush()
        tell(_("Logs: {folder}", folder=var / "logs"))
        supervisor.is_up()

    if detach:
        status = supervisor.detach(var / "logs" / "up.log")
        if status is not None:
            raise SystemExit(status)
    supervisor.Pair(var, base_port).run(fresh=fresh, when_up=when_up)
    tell(_("Renkei is down."))


def print_table(rows: Sequence[dict[str, str]]) -> None:
    """Print the nodes and the sign-in of their officers in columns."""
    heads = {
        "node": _("node"),
        "address": _("address"),
        "name": _("officer"),
        "password": _("password"),
    }
    print_columns([line[key] for key in heads] for line in (heads, *rows))


@click.command(
    cls=Command,
    help=gettext_noop("Stop the nodes that `renkei up` started, and wait for their end."),
)
@var_option
@as_json
def down(var: Path, *, as_json: bool) -> None:
    """Stop a pair."""
    from renkei.site import supervisor

    pid = supervisor.down(var)
    if as_json:
        print_json({"stopped": pid is not None, "pid": pid})
    elif pid is None:
        tell(_("Nothing runs on {var}.", var=var))
    else:
        tell(_("Renkei is down."))
