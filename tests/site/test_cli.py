"""The command line: quick help, honest exit codes, data and words apart, a node's life."""

import json
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection
from tests.site.command import renkei

from renkei import __version__
from renkei.site import cli, words
from renkei.site.config import load

CPU_SECONDS_OF_HELP = 0.8  # four times what is promised: this machine is not alone in its work


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a founded node that no test touches."""
    folder = tmp_path_factory.mktemp("founded") / "us"
    done = renkei("node", "init", folder, "--name", "us", "--party", "US")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def node(founded: Path, tmp_path: Path) -> Path:
    """Return a newly founded node."""
    return shutil.copytree(founded, tmp_path / "us")


def test_help_is_quick_and_loads_no_django() -> None:
    asked = (
        "import sys\nfrom renkei.site.cli import main\n"
        "main(['--help'], prog_name='renkei', standalone_mode=False)\n"
        "heavy = {'django', 'granian', 'numpy', 'altair', 'sqlite3'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=False
    )

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert {"up", "down", "node"} <= set(done.stdout.split())
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < CPU_SECONDS_OF_HELP


def test_the_version_is_said() -> None:
    done = renkei("--version")

    assert (done.returncode, done.stdout.split()) == (0, ["renkei,", "version", __version__])


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["node", "init"], ["up", "--base-port", "70000"], ["--wrong"]]
)
def test_a_wrong_call_ends_with_2(arguments: list[str]) -> None:
    done = renkei(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage:" in done.stderr


def test_a_refusal_ends_with_1_and_is_a_problem_for_programs(tmp_path: Path) -> None:
    in_words = renkei("node", "migrate", tmp_path)
    for_programs = renkei("node", "migrate", tmp_path, "--json")

    assert (in_words.returncode, in_words.stdout) == (1, "")
    assert "no node in" in in_words.stderr
    assert (for_programs.returncode, for_programs.stdout) == (1, "")
    problem = json.loads(for_programs.stderr)
    assert problem["code"] == "site.node_config"
    assert str(tmp_path) in problem["detail"]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"RENKEI_LANG": "ja"}, "にはノードがありません"),
        ({"LC_ALL": "ja_JP.UTF-8", "RENKEI_LANG": ""}, "にはノードがありません"),
        ({"RENKEI_LANG": "fr"}, "no node in"),
    ],
)
def test_words_are_in_the_language_of_the_environment(
    tmp_path: Path, environment: dict[str, str], said: str
) -> None:
    assert said in renkei("node", "migrate", tmp_path, **environment).stderr


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("node", "--nope"), "エラー: '--nope' というオプションはありません。"),
        (("nope",), "エラー: 'nope' というコマンドはありません。"),
        (("materials", "risk"), "エラー: MATERIAL 又は --country を指定してください"),
        (("--help",), "使い方: renkei"),
        (("border", "--help"), "この説明を表示します。"),
        (("--help",), "量子セキュアリンクの操作"),
        (("border", "--help"), "audit        自国のログ"),
    ],
)
def test_the_library_of_the_command_line_speaks_japanese_too(
    asked: tuple[str, ...], said: str
) -> None:
    done = renkei(*asked, RENKEI_LANG="ja")

    assert said in done.stdout + done.stderr
    assert "Usage" not in done.stdout + done.stderr


@pytest.mark.parametrize("asked", [["--lang", "ja"], ["--lang=ja"]])
def test_a_refusal_is_in_the_language_that_the_command_names(
    tmp_path: Path, asked: list[str]
) -> None:
    done = renkei("materials", "show", "--node", tmp_path, *asked, RENKEI_LANG="en")

    assert "ノードがありません" in done.stderr


def test_help_is_in_japanese_too() -> None:
    done = renkei("node", "--help", RENKEI_LANG="ja")

    assert "ノード" in done.stdout
    assert "Found, run" not in done.stdout


def test_an_empty_sentence_is_not_the_header_of_the_catalogue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RENKEI_LANG", "ja")

    assert words.gettext("") == ""


def test_a_founded_node_is_whole_and_private(node: Path) -> None:
    assert load(node).name == "us"
    assert stat.S_IMODE((node / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((node / "keys" / "web-secret").stat().st_mode) == 0o600
    with sqlite3.connect(node / "node.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM base_user").fetchone() == (0,)
    database.close()
    assert [item.name for item in node.parent.iterdir()] == ["us"]  # nothing left of its making


def test_a_node_is_founded_in_an_empty_folder_alone(node: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("mine")
    before = (node / "keys" / "web-secret").read_text()

    again = renkei("node", "init", node, "--name", "us", "--party", "US")
    mixed = renkei("node", "init", other, "--name", "us", "--party", "US")

    assert (again.returncode, mixed.returncode) == (1, 1)
    assert "has a node already" in again.stderr
    assert "letter.txt" in mixed.stderr
    assert (node / "keys" / "web-secret").read_text() == before
    assert [item.name for item in other.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    "wrong",
    [["--name", "U S"], ["--party", "us"], ["--web-port", "8811"], ["--partner", "us:JP:http://a"]],
)
def test_an_impossible_node_leaves_nothing(tmp_path: Path, wrong: list[str]) -> None:
    given = {"--name": "us", "--party": "US", wrong[0]: wrong[1]}

    done = renkei(
        "node", "init", tmp_path / "x", *(part for pair in given.items() for part in pair)
    )

    assert done.returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_a_partner_is_named_in_one_word(tmp_path: Path) -> None:
    renkei("node", "init", tmp_path / "us", "--name", "us", "--party", "US",
           "--partner", "jp:JP:https://node.example:8443/a", "--base-port", "9300")  # fmt: skip

    node = load(tmp_path / "us")
    assert [(one.name, one.party, one.address) for one in node.partners] == [
        ("jp", "JP", "https://node.example:8443/a")
    ]
    assert (node.listen.web, node.listen.bulk, node.listen.etsi014) == (9301, 9311, 9321)


def test_a_sound_node_passes_its_check(node: Path) -> None:
    done = renkei("node", "check", node, "--json")

    assert done.returncode == 0
    assert {one["name"]: one["ok"] for one in json.loads(done.stdout)} == dict.fromkeys(
        ["node.toml", "keys", "database", "migrations", "integrity", "record"], True
    )


def test_what_is_wrong_with_a_node_is_found(node: Path) -> None:
    (node / "keys" / "web-secret").chmod(0o644)
    with sqlite3.connect(node / "node.sqlite3") as database:
        database.execute("DELETE FROM django_migrations WHERE app = 'base'")
    database.close()

    done = renkei("node", "check", node, "--json")

    wrong = {one["name"]: one["detail"] for one in json.loads(done.stdout) if not one["ok"]}
    assert done.returncode == 1
    assert wrong.keys() == {"keys", "migrations"}
    assert "chmod" in wrong["keys"]
    assert "renkei node migrate" in wrong["migrations"]


def test_a_damaged_database_is_found(node: Path) -> None:
    size = (node / "node.sqlite3").stat().st_size
    with (node / "node.sqlite3").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))

    done = renkei("node", "check", node, "--json")

    assert done.returncode == 1
    assert not json.loads(done.stdout)[-1]["ok"]


def test_a_lost_database_does_not_pass_for_a_new_one(node: Path) -> None:
    (node / "node.sqlite3").unlink()

    for command in ("serve", "work", "migrate"):
        done = renkei("node", command, node)
        assert (done.returncode, "half made: node.sqlite3 is missing" in done.stderr) == (1, True)
    assert not (node / "node.sqlite3").exists()


def test_an_old_database_is_not_served(node: Path) -> None:
    with sqlite3.connect(node / "node.sqlite3") as database:
        database.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
        database.execute("DROP TABLE django_session")
    database.close()

    refused = renkei("node", "serve", node)
    migrated = renkei("node", "migrate", node, "--json")

    assert (refused.returncode, "renkei node migrate" in refused.stderr) == (1, True)
    assert json.loads(migrated.stdout) == {"applied": ["sessions.0001_initial"]}


def test_a_command_on_an_old_database_names_what_helps(node: Path) -> None:
    with sqlite3.connect(node / "node.sqlite3") as database:
        database.execute("DELETE FROM django_migrations WHERE name = '0007_scenario_sites'")
        database.execute("ALTER TABLE materials_scenario DROP COLUMN sites")
    database.close()

    refused = renkei("materials", "respond", "nothing", "--node", node)

    assert (refused.returncode, "renkei node migrate" in refused.stderr) == (1, True)


@pytest.mark.django_db
def test_a_founded_node_has_the_tables_that_migrations_make(founded: Path) -> None:
    """Founding takes a shorter way through them; the tests' own database takes Django's."""
    made = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'"
    with connection.cursor() as cursor:
        wanted = set(cursor.execute(made).fetchall())
        steps = cursor.execute("SELECT app, name FROM django_migrations ORDER BY id").fetchall()
        types = set(cursor.execute("SELECT app_label, model FROM django_content_type").fetchall())
        rights = set(cursor.execute("SELECT codename FROM auth_permission").fetchall())

    with sqlite3.connect(founded / "node.sqlite3") as database:
        found = set(database.execute(made))
        taken = list(database.execute("SELECT app, name FROM django_migrations ORDER BY id"))
        known = set(database.execute("SELECT app_label, model FROM django_content_type"))
        given = set(database.execute("SELECT codename FROM auth_permission"))
    database.close()

    assert found == wanted
    assert (taken, known, given) == (steps, types, rights)


def test_an_account_is_made_once_with_its_roles(node: Path) -> None:
    made = renkei(
        "node", "user", "add", node, "ada", "--role", "officer", "--role", "board", "--json"
    )
    again = renkei("node", "user", "add", node, "ada", "--role", "officer")

    assert len(json.loads(made.stdout)["password"]) > 20
    assert (again.returncode, "ada" in again.stderr) == (1, True)
    with sqlite3.connect(node / "node.sqlite3") as database:
        rows = database.execute("SELECT party, role FROM base_grant ORDER BY role").fetchall()
    database.close()
    assert rows == [("US", "board"), ("US", "officer")]


def test_a_password_from_stdin_is_not_printed_and_not_weak(node: Path) -> None:
    weak = renkei(
        "node", "user", "add", node, "bo", "--role", "operator", "--password-stdin", given="12345\n"
    )
    good = renkei(
        "node",
        "user",
        "add",
        node,
        "bo",
        "--role",
        "operator",
        "--password-stdin",
        given="violet-harbour-92\n",
    )

    assert (weak.returncode, weak.stdout) == (1, "")
    assert (good.returncode, good.stdout) == (0, "")
    assert "violet" not in good.stderr


def test_a_name_that_is_no_name_is_refused(node: Path) -> None:
    done = renkei("node", "user", "add", node, "a b\n", "--role", "officer")

    assert (done.returncode, "Traceback" in done.stderr) == (1, False)


def test_a_room_is_loaded_when_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its one line of help is read without importing what could not be imported here."""
    package = tmp_path / "garden"
    package.mkdir()
    (package / "__init__.py").write_text('"""A room."""\n')
    (package / "commands.py").write_text(
        '"""Commands."""\nimport no_such_module\n\n\n'
        '@click.group(help=gettext_noop("Grow things."))\ndef garden():\n    """Hold commands."""\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("renkei.site.rooms.BUILT_IN", ("garden",))
    cli.room_commands.cache_clear()

    try:
        assert cli.room_commands()["garden"] == ("garden.commands", "Grow things.")
    finally:
        cli.room_commands.cache_clear()
