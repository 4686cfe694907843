"""The life of one node on disk: founding, migrating, accounts, static files, checks.

Nothing here is imported before a command needs it; ``enter`` is what loads Django.
"""

import fcntl
import gc
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from renkei import __version__
from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop
from renkei.site import config, words
from renkei.site.config import NodeConfig, NodeConfigError

T = TypeVar("T")
DEMONSTRATION_ROLES = ("officer", "researcher", "analyst", "operator")
SHORTEST_SECRET = 40
FOUNDING = ".founding-"  # in the name of a folder that a crash can leave beside the node


class FolderInUseError(ConflictError):
    """A node cannot be founded or restored where something else is."""

    code = "site.folder_in_use"


class MigrationsPendingError(ConflictError):
    """The database is older than the program."""

    code = "site.migrations_pending"


class PasswordRefusedError(RenkeiError):
    """A password that the node's rules do not accept."""

    code = "site.password_refused"


@dataclass(frozen=True, kw_only=True)
class Account:
    """A demonstration account, as it stands in ``demo.json``."""

    node: str
    role: str
    name: str
    password: str
    token: str


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at, and how it was found."""

    name: str
    ok: bool
    detail: str


def enter(folder: Path, *, founding: bool = False) -> NodeConfig:
    """Load Django for the node in ``folder``; a process can enter one node alone.

    Raises:
        NodeConfigError: no node there, or a half-made one.
    """
    node = config.load(folder)
    if not founding and not os.environ.get("DATABASE_URL") and not node.database.exists():
        # Opening it would make an empty one, and the loss would pass for a new node.
        raise NodeConfigError(config.HALF_MADE, folder=folder, missing=node.database.name)
    os.environ["RENKEI_NODE"] = str(node.folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "renkei.site.settings"
    import django
    from django.apps import apps
    from django.utils import translation

    if not apps.ready:
        with uncollected():
            django.setup()
    translation.activate(words.language())
    return node


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage in what the block makes, neither now nor later: hardly any of it is."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def leave() -> None:
    """Close the node's database, so that nothing of it is open in a child or a moved folder."""
    from django.db import connections

    connections.close_all()


def refuse_used(folder: Path) -> None:
    """Refuse a folder that has a node or anything else in it.

    Raises:
        FolderInUseError: naming the first thing that is there.
    """
    if (folder / "node.toml").exists():
        raise FolderInUseError(gettext_noop("{folder} has a node already"), folder=folder)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise FolderInUseError(gettext_noop("{folder} is not a folder"), folder=folder)
    there = sorted(item.name for item in folder.iterdir()) if folder.exists() else []
    if there:
        raise FolderInUseError(
            gettext_noop("{folder} is not empty: it has {name}; a node needs a folder of its own"),
            folder=folder,
            name=there[0],
        )


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes ``folder`` at once when the block ends well."""
    folder = folder.absolute()
    refuse_used(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}{FOUNDING}", dir=folder.parent))
    try:
        yield building
        building.rename(folder)  # onto nothing or an empty folder; anything else is refused
        sync(folder.parent)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def sync(path: Path) -> None:
    """Make what is in a file, or the names in a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def found(folder: Path, node: NodeConfig, *, then: Callable[[], T]) -> T:
    """Found a node: keys, blobs, ``node.toml`` and a migrated database; all of it or nothing.

    Args:
        folder: where; it must not exist, or be empty.
        node: who it is, its partners and ports.
        then: is run in the new node before it appears; its result is returned.

    Raises:
        FolderInUseError: there is something.
        NodeConfigError: ``node`` says something impossible.
    """
    refuse_used(folder)
    config.check(node, folder / "node.toml")
    with appearing(folder) as building:
        (building / "keys").mkdir(mode=0o700)
        (building / "blobs").mkdir(mode=0o700)
        write_private(building / "keys" / "web-secret", secrets.token_urlsafe(50) + "\n")
        (building / "node.toml").write_text(config.dump(node), "utf-8")
        database = enter(building, founding=True).database
        from renkei.base import rooms

        refuse_used_database()
        hurry()
        with uncollected():
            make_tables()
            rooms.found()
            result = then()
        leave()
        if database.exists():
            sync(database)
    return result


def hurry() -> None:
    """Have SQLite leave it to the end of the founding to see that what it wrote is on the disk."""
    from django.db import connection

    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=OFF")


def refuse_used_database() -> None:
    """Refuse a database server's database that holds anything.

    Raises:
        FolderInUseError: it does.
    """
    from django.db import connection

    if connection.vendor != "sqlite" and connection.introspection.table_names():
        raise FolderInUseError(
            gettext_noop(
                "the database that DATABASE_URL names is not empty: each node needs its own"
            )
        )


def write_private(file: Path, text: str) -> None:
    """Write a file that its owner alone can read; the whole of it or nothing."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)


def rewrite(folder: Path, node: NodeConfig) -> None:
    """Replace a node's ``node.toml`` in one step."""
    config.check(node, folder / "node.toml")
    file = folder / "node.toml"
    temporary = folder / ".node.toml.new"
    temporary.write_text(config.dump(node), "utf-8")
    temporary.replace(file)
    sync(folder)


def pending() -> list[str]:
    """Return the migrations that the database still lacks, as ``app.name``."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


def refuse_pending(folder: Path) -> None:
    """Refuse to work on a database that is older than the program.

    Raises:
        MigrationsPendingError: naming the command that helps.
    """
    if lacking := pending():
        raise MigrationsPendingError(
            gettext_noop(
                "the database of the node lacks {count} migrations ({first} …): make a backup, then "
                "run `renkei node migrate {folder}`"
            ),
            count=len(lacking),
            first=lacking[0],
            folder=folder,
        )


def make_tables() -> None:
    """Apply every migration to an empty database.

    What ``migrate`` does, in less than half the time: after each step Django builds the models anew that
    are connected with the changed one over any number of others, which here is nearly all of them. An
    empty database needs the changed one alone. Django's own mark for such a state makes the steps
    that run Python see all models fresh.
    """
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor
    from django.db.migrations.state import ProjectState

    class NearState(ProjectState):
        def clone(self) -> "NearState":
            made = super().clone()
            made.__class__ = NearState
            return made  # type: ignore[return-value]  # it is one now

        def reload_model(self, app_label: str, model_name: str, delay: bool = True) -> None:  # noqa: ARG002 - Django's signature
            if "apps" in self.__dict__:
                self.is_delayed = True
                self._reload({(app_label, model_name)})  # type: ignore[attr-defined]

    executor = MigrationExecutor(connection)
    state = NearState(real_apps=executor.loader.unmigrated_apps)
    executor.migrate(executor.loader.graph.leaf_nodes(), state=state)
    call_command("migrate", interactive=False, verbosity=0)  # tells the apps; none is left to do


def migrate() -> list[str]:
    """Bring the database up to date, and give the rooms what they need; return what was applied."""
    from django.core.management import call_command
    from django.db import connection

    from renkei.base import rooms

    lacking = pending()
    if not connection.introspection.table_names():
        make_tables()
    elif lacking:
        call_command("migrate", interactive=False, verbosity=0)
    rooms.found()
    return lacking


def collect_static(node: NodeConfig) -> bool:
    """Put the static files into the node's cache when they changed; tell whether they had."""
    from django.contrib.staticfiles.finders import get_finders
    from django.core.management import call_command

    seen = hashlib.sha256(__version__.encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            known = Path(storage.path(name)).stat()
            seen.update(f"{name}\0{known.st_size}\0{known.st_mtime_ns}\n".encode())
    cache = node.folder / "cache"
    cache.mkdir(exist_ok=True)
    stamp = cache / "static.stamp"
    with (cache / "static.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text("ascii") == seen.hexdigest():
            return False
        stamp.unlink(missing_ok=True)
        shutil.rmtree(cache / "static", ignore_errors=True)
        call_command("collectstatic", interactive=False, verbosity=0)
        stamp.write_text(seen.hexdigest(), "ascii")
    return True


def add_user(
    *,
    name: str,
    roles: Sequence[str],
    password: str | None,
    full_name: str = "",
    language: str = "",
) -> str:
    """Make an account with roles for the node's party; return its password.

    Args:
        name: what the person types to sign in.
        roles: values of ``renkei.base.models.Role``.
        password: ``None`` makes a random one.
        full_name: shown beside what the person does.
        language: ``en``, ``ja`` or empty for the browser's.

    Raises:
        ConflictError: the name is taken.
        PasswordRefusedError: the password is too weak.
    """
    from django.conf import settings
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError
    from django.db import transaction

    from renkei.base.models import Grant, User

    user = User(username=name, first_name=full_name, language=language)
    if User.objects.filter(username=name).exists():
        raise ConflictError(gettext_noop("there is an account {name} already"), name=name)
    if password is None:
        password = random_password()
    else:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise PasswordRefusedError(
                gettext_noop("the password is not accepted: {why}"), why=" ".join(error.messages)
            ) from error
    user.set_password(password)
    user.full_clean()
    with transaction.atomic():
        user.save()
        for role in roles:
            Grant.objects.create(user=user, party=settings.NODE.party, role=role)
    return password


def connect_user(*, name: str, subject: str) -> bool:
    """Let a person sign in by the institution; tell whether that changed anything.

    Args:
        name: of the account.
        subject: the ``sub`` by which the institution knows the person; empty ends it.

    Raises:
        NotFoundError: no such account.
        ConflictError: another account is this person's.
    """
    from allauth.socialaccount.models import SocialAccount
    from django.conf import settings

    from renkei.base.models import User

    user = User.objects.filter(username=name).first()
    if user is None:
        raise NotFoundError(gettext_noop("there is no account {name}"), name=name)
    known = SocialAccount.objects.filter(provider=settings.INSTITUTION)
    if not subject:
        return bool(known.filter(user=user).delete()[0])
    taken = known.filter(uid=subject).exclude(user=user).select_related("user").first()
    if taken is not None:
        raise ConflictError(
            gettext_noop("{subject} signs in to the account {name} already"),
            subject=subject,
            name=taken.user.username,
        )
    _account, is_new = SocialAccount.objects.update_or_create(
        provider=settings.INSTITUTION, user=user, defaults={"uid": subject}
    )
    return bool(is_new)


def random_password() -> str:
    """Return a password of 100 random bits that can be read aloud."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"  # no i, l, o, 0, 1
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def demonstration_accounts(known: Sequence[Mapping[str, str]]) -> list[Account]:
    """Make sure of the demonstration's accounts; return them with passwords and tokens.

    Args:
        known: this node's entries of ``demo.json``. What they say and still holds is kept; an
            account whose password nobody knows any more is given a new one.
    """
    from django.conf import settings
    from django.db import transaction

    from renkei.base.models import ApiToken, Grant, User

    node = settings.NODE
    by_role = {entry["role"]: entry for entry in known}
    accounts = []
    for role in DEMONSTRATION_ROLES:
        name = f"{node.name}-{role}"
        entry = by_role.get(role, {})
        token = ApiToken.find(entry.get("token", ""))
        password = entry.get("password") or random_password()
        if token and token.user.username == name and entry.get("password"):
            accounts.append(
                Account(
                    node=node.name, role=role, name=name, password=password, token=entry["token"]
                )
            )
            continue
        with transaction.atomic():
            user, _made = User.objects.get_or_create(username=name)
            user.set_password(password)
            user.is_active = True
            user.save()
            Grant.objects.get_or_create(user=user, party=node.party, role=role)
            ApiToken.objects.filter(user=user, name="demonstration").delete()
            text = ApiToken.issue(user=user, name="demonstration")
        accounts.append(
            Account(node=node.name, role=role, name=name, password=password, token=text)
        )
    return accounts


def prepare_demonstration(
    folder: Path, node: NodeConfig, known: Sequence[Mapping[str, str]]
) -> dict[str, object]:
    """Found the node or bring it up to date, with the shipped record and the accounts.

    Args:
        folder: where the node is, or will be.
        node: how it is founded; of a node that is there, ports and partners' addresses follow it.
        known: this node's entries of ``demo.json``.

    Returns:
        ``founded``, ``commitments`` (how many the record holds) and ``accounts``.

    Raises:
        FolderInUseError: another node is there, or one that is no demonstration.
    """

    def fill() -> dict[str, object]:
        from renkei.link import door as link
        from renkei.record import door

        commitments = door.ensure_shipped()
        door.ensure_drawn()  # so that the first page has its charts
        link.prepare_demonstration(folder.parent)
        accounts = [asdict(account) for account in demonstration_accounts(known)]
        from renkei.border import door as border

        return {
            "commitments": commitments,
            "accounts": accounts,
            "fingerprint": border.identity().fingerprint,
        }

    if not folder.exists() or not any(folder.iterdir()):
        return {"founded": True, **found(folder, node, then=fill)}
    there = config.load(folder)
    refuse_foreign(there, node.name)
    moved = _moved(there, node)
    if moved != there:
        rewrite(folder, moved)
    enter(folder)
    migrate()
    return {"founded": False, **fill()}


def refuse_foreign(there: NodeConfig, name: str) -> None:
    """Refuse to treat somebody's node as the demonstration's ``name``.

    Raises:
        FolderInUseError: saying what the folder holds.
    """
    if there.name != name or not there.demonstration:
        raise FolderInUseError(
            gettext_noop(
                "{folder} holds the node {name}, which `renkei up` did not found: it is left alone; "
                "choose another folder with --var"
            ),
            folder=there.folder,
            name=there.name,
        )


def _moved(there: NodeConfig, wanted: NodeConfig) -> NodeConfig:
    """Return the node as it is, at the ports wanted and with its partners where they are wanted."""
    addresses = {partner.name: partner.address for partner in wanted.partners}
    listen = replace(wanted.listen, host=there.listen.host)
    partners = tuple(
        replace(partner, address=addresses.get(partner.name, partner.address))
        for partner in there.partners
    )
    return replace(there, listen=listen, partners=partners)


def checks(folder: Path) -> list[Check]:
    """Look at a node from the outside in; what cannot be looked at any more is left out."""
    found: list[Check] = []

    def look(name: str, ask: Callable[[], str]) -> bool:
        try:
            found.append(Check(name=name, ok=True, detail=ask()))
        except RenkeiError as error:
            found.append(Check(name=name, ok=False, detail=words.say(error)))
        except Exception as error:  # noqa: BLE001  whatever a broken database or file raises
            found.append(Check(name=name, ok=False, detail=f"{type(error).__name__}: {error}"))
        return found[-1].ok

    if not look("node.toml", lambda: _check_node(folder)):
        return found
    look("keys", lambda: _check_keys(folder))
    if not look("database", lambda: _check_database(folder)):
        return found
    look("migrations", lambda: _check_migrations(folder))
    look("integrity", _check_integrity)
    if find_spec("renkei.record.door"):
        look("record", _check_record)
    leave()
    return found


class CheckFailedError(RenkeiError):
    """Something about a node is not as it must be."""

    code = "site.check_failed"


def _check_node(folder: Path) -> str:
    node = config.load(folder)
    return f"{node.name} ({node.party}), http://{node.listen.host}:{node.listen.web}"


def _check_keys(folder: Path) -> str:
    keys = folder / "keys"
    for path in (keys, *sorted(keys.rglob("*"))):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise CheckFailedError(
                gettext_noop("{path} can be read by others (mode {mode}): `chmod go= {path}`"),
                path=path,
                mode=f"{mode:o}",
            )
    if len((keys / "web-secret").read_text("ascii").strip()) < SHORTEST_SECRET:
        raise CheckFailedError(gettext_noop("keys/web-secret is too short to be a secret"))
    return words.gettext("readable by the owner alone")


def _check_database(folder: Path) -> str:
    enter(folder)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return connection.vendor


def _check_migrations(folder: Path) -> str:
    refuse_pending(folder)
    return words.gettext("all applied")


def _check_integrity() -> str:
    from django.db import connection

    if connection.vendor != "sqlite":
        return words.gettext("kept by {database}", database=connection.vendor)
    with connection.cursor() as cursor:
        said = [str(row[0]) for row in cursor.execute("PRAGMA integrity_check(5)").fetchall()]
        if said != ["ok"]:
            raise CheckFailedError("{said}", said="; ".join(said))
    connection.check_constraints()  # foreign keys
    return "ok"


def _check_record() -> str:
    from renkei.record import door

    check = getattr(door, "check", None)
    if check and (wrong := check()):
        raise CheckFailedError("{said}", said="; ".join(str(item) for item in wrong))
    return "ok"
