"""What import contracts do not show: engines without Django, keys that point down, one owner a path."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.urls import URLPattern, get_resolver

from renkei.site.api import api
from renkei.site.rooms import BUILT_IN

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "renkei"
LAYERS = ["base", "border", "record", "materials", "link"]


@pytest.mark.parametrize("package", BUILT_IN)
def test_an_engine_loads_without_django(package):
    program = (
        "import sys; sys.modules['django'] = sys.modules['ninja'] = None; "
        f"import {package}.engine as engine; assert engine.__all__; "
        "assert all(hasattr(engine, name) for name in engine.__all__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_foreign_keys_point_the_way_imports_do():
    ours = {config.label for config in apps.get_app_configs() if config.name.startswith("renkei.")}
    wrong = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model in apps.get_models()
        if model._meta.app_label in ours
        for field in model._meta.get_fields()
        if field.is_relation
        and not field.auto_created
        and field.related_model._meta.app_label in ours
        and LAYERS.index(field.related_model._meta.app_label) > LAYERS.index(model._meta.app_label)
    ]
    assert wrong == []


def test_no_two_rooms_claim_an_address():
    def walk(patterns, prefix):
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLPattern):
                yield path
            else:
                yield from walk(pattern.url_patterns, path)

    paths = list(walk(get_resolver().url_patterns, ""))
    assert len(paths) > 20
    # allauth brings both forms of a few addresses; in the API, methods of one path share a view,
    # and the room's name is part of it.
    ours = [path for path in paths if "accounts/" not in path and not path.startswith("node/v1/")]
    assert sorted(ours) == sorted(set(ours))


def _files(*suffixes):
    found = [
        path
        for path in SOURCE.rglob("*")
        if path.suffix in suffixes and "__pycache__" not in path.parts
    ]
    assert found
    return found


def test_models_are_imported_and_not_looked_up_by_name():
    lookups = [
        str(path)
        for path in _files(".py")
        if "migrations" not in path.parts and "get_model(" in path.read_text("utf-8")
    ]
    assert lookups == []


def test_packages_of_rooms_import_nothing():
    for package in BUILT_IN:
        tree = ast.parse((SOURCE / package.split(".")[1] / "__init__.py").read_text("utf-8"))
        assert [type(node).__name__ for node in tree.body] == ["Expr"]


def test_migrations_are_complete(db):
    from django.core.management import call_command

    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_nothing_inline_in_templates():
    """The content security policy forbids it: a page with it would silently not work."""
    wrong = []
    for path in _files(".html"):
        text = path.read_text("utf-8")
        marks = ("<style", " style=", " onclick=", "javascript:", "|safe")
        wrong += [f"{path.name}: {mark}" for mark in marks if mark in text]
    assert wrong == []


def test_lock_files_have_hashes_and_no_addresses():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text("utf-8")
        assert "--hash=sha256:" in text
        for mark in ("://", "--index-url", "--extra-index-url", "--find-links"):
            assert mark not in text, f"{path.name}: {mark}"


def test_no_two_rooms_describe_different_things_by_one_name():
    """The API's description knows a schema by its class's name alone."""
    owners = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("renkei.") and ".schemas" in name:
            for schema in vars(module).values():
                if isinstance(schema, type) and schema.__module__.startswith("renkei."):
                    owners.setdefault(schema.__name__, set()).add(schema.__module__)
    used = set(api.get_openapi_schema()["components"]["schemas"])
    assert used
    assert {name: where for name, where in owners.items() if name in used and len(where) > 1} == {}
