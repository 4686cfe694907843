"""Write the reference pages from the code: settings, commands, doors, addresses.

``python docs/reference/make.py`` writes them; ``tests/test_docs.py`` compares them with the code.
"""

import importlib
import inspect
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MADE = "<!-- made by make.py from the code; do not edit -->"


def settings() -> str:
    """Return the page of ``node.toml``."""
    from renkei.site import config

    lines = ["# Settings: node.toml", "", MADE, ""]
    tables: list[tuple[str, type[Any]]] = [
        ("Top level", config.NodeConfig),
        ("[listen]", config.Listen),
        ("[sign_in]", config.SignIn),
        ("[[partners]]", config.Partner),
    ]
    for title, kind in tables:
        lines += [f"## {title}", "", "| key | default | meaning |", "| --- | --- | --- |"]
        for item in fields(kind):
            if "help" not in item.metadata:
                continue
            default = "required" if item.default is MISSING else f"`{item.default!r}`"
            if item.default_factory is not MISSING:
                default = "see its table"
            lines.append(f"| `{item.name}` | {default} | {item.metadata['help']} |")
        lines.append("")
    lines += [
        "Environment: `RENKEI_NODE` names the node's folder, `DATABASE_URL` a PostgreSQL database",
        "(`postgresql://user:password@host:port/name`) instead of the embedded SQLite.",
        "",
    ]
    return "\n".join(lines)


def doors() -> str:
    """Return the page of every room's verbs."""
    from renkei.site.rooms import BUILT_IN

    lines = ["# Doors: what rooms offer each other", "", MADE, ""]
    for package in BUILT_IN:
        door = importlib.import_module(f"{package}.door")
        lines += [f"## {package.removeprefix('renkei.')}", ""]
        lines += ["| name | what it does |", "| --- | --- |"]
        for name in sorted(door.__all__):
            said = (inspect.getdoc(getattr(door, name)) or "").splitlines()
            lines.append(f"| `{name}` | {said[0] if said else ''} |")
        lines.append("")
    return "\n".join(lines)


def commands() -> str:
    """Return the page of the command line."""
    import click

    from renkei.site.cli import main

    lines = ["# Commands", "", MADE, ""]

    def walk(command: click.Command, path: str, parent: click.Context | None) -> None:
        context = click.Context(command, info_name=path.rsplit(maxsplit=1)[-1], parent=parent)
        lines.extend([f"## {path}", "", "```text", command.get_help(context).rstrip(), "```", ""])
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                if inner is not None and not inner.hidden:
                    walk(inner, f"{path} {name}", context)

    walk(main, "renkei", None)
    return "\n".join(line.rstrip() for line in lines)


def addresses() -> str:
    """Return the page of every address and who may call it."""
    lines = ["# Addresses", "", MADE, "", "| address | who |", "| --- | --- |"]
    lines += [f"| `{path}` | {', '.join(sorted(who))} |" for path, who in _routes()]
    return "\n".join([*lines, ""])


def _routes() -> Iterator[tuple[str, frozenset[str]]]:
    from django.urls import URLPattern, get_resolver
    from django.utils.translation import override

    from renkei.base.access import BY_OPERATION, rule_of
    from renkei.site.api import api

    def walk(patterns: Any, prefix: str) -> Iterator[tuple[str, frozenset[str]]]:
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if not isinstance(pattern, URLPattern):
                yield from walk(pattern.url_patterns, path)
            elif (rule := rule_of(pattern.callback)) and rule != BY_OPERATION:
                yield "/" + path.replace("en/", "<language>/", 1), rule

    with override("en"):  # the prefix of pages is the active language
        found = set(walk(get_resolver().url_patterns, ""))
    yield from sorted(found, key=lambda row: (row[0], sorted(row[1])))
    for prefix, router in api._routers:  # noqa: SLF001  ninja has no public way to list them
        for path, view in sorted(router.path_operations.items()):
            for operation in view.operations:
                who = operation.auth_callbacks[0].roles if operation.auth_callbacks else frozenset()
                for method in operation.methods:
                    whole = "/".join(part.strip("/") for part in ("node/v1", prefix, path) if part)
                    yield f"{method} /{whole.rstrip('/')}", frozenset(who)


PAGES = {
    "settings.md": settings,
    "doors.md": doors,
    "commands.md": commands,
    "addresses.md": addresses,
}


def _found_scratch_node() -> None:
    """Give Django a node to read its settings from, where the caller has none."""
    if "RENKEI_NODE" in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="renkei-docs-"))
    for name in ("keys", "blobs", "cache/static"):
        (folder / name).mkdir(parents=True)
    (folder / "keys" / "web-secret").write_text(secrets.token_urlsafe(50))
    (folder / "node.toml").write_text('name = "us"\nparty = "US"\n')
    os.environ["RENKEI_NODE"] = str(folder)


if __name__ == "__main__":
    _found_scratch_node()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renkei.site.settings")
    import django

    django.setup()
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), "utf-8")
        sys.stdout.write(f"{name}\n")
