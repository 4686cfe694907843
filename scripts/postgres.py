"""A PostgreSQL server for the tests alone: in a temporary folder, on a socket, gone at the end."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNPRIVILEGED = ("postgres", "nobody")  # PostgreSQL refuses to run as root


def programs() -> Path | None:
    """Return the folder of the newest ``initdb``; Debian keeps it off the path."""
    there = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: float(file.parts[4])
    )
    if there:
        return there[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextmanager
def cluster() -> Iterator[str]:
    """Run a server; yield the address of an empty database for ``DATABASE_URL``."""
    where = programs()
    if where is None:
        raise FileNotFoundError("initdb")
    who: dict[str, object] = {}
    folder = Path(tempfile.mkdtemp(prefix="renkei-pg-"))
    if os.geteuid() == 0:
        user = next(entry for entry in map(_known, UNPRIVILEGED) if entry)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(folder, user.pw_uid, user.pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"

    def run(*command: object) -> None:
        done = subprocess.run(
            list(map(str, command)),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **who,  # type: ignore[call-overload]
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")

    try:
        run(where / "initdb", "-D", data, "-U", "renkei", "-A", "trust", "-E", "UTF8", "--no-sync",
            "--locale=C.UTF-8")  # fmt: skip
        # Not durable: it is thrown away, and the tests are about what is said, not about power cuts.
        options = (
            f"-c listen_addresses= -c unix_socket_directories={folder} -p {port} "
            "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        )
        run(where / "pg_ctl", "-D", data, "-l", folder / "log", "-o", options, "-w", "start")
        try:
            run(where / "createdb", "-h", folder, "-p", port, "-U", "renkei", "renkei")
            folder.chmod(0o711)  # the tests reach the socket as another user
            yield f"postgresql://renkei@:{port}/renkei?host={folder}"
        finally:
            run(where / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def _known(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
