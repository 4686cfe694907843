"""Collect the sentences to translate and compile them; ``--check`` only tells what is missing.

A catalogue lives beside the code that says its sentences: ``<room>/locale/ja/LC_MESSAGES``. What the
library of the command line says is translated in ``click.po`` of the house.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import polib

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "renkei"
COMMAND = [sys.executable, "-m", "django", "makemessages", "--locale=ja", "--verbosity=0"]
CATALOGUE = Path("locale") / "ja" / "LC_MESSAGES" / "django.po"
CLICK = CATALOGUE.with_name("click.po")


def collect(folder: Path) -> None:
    """Bring the catalogue of one package up to date with its code."""
    (folder / "locale").mkdir(exist_ok=True)
    environment = {
        name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
    }
    subprocess.run(COMMAND, cwd=folder, env=environment, check=True)


def said_by_click() -> set[str]:
    """Return the sentences of the installed library of the command line."""
    with tempfile.TemporaryDirectory() as scratch:
        found = Path(scratch) / "click.pot"
        subprocess.run(
            ["xgettext", "--from-code=UTF-8", "--language=Python", "--keyword=_",
             "--keyword=ngettext:1,2", "-o", found, *Path(click.__file__).parent.glob("*.py")],
            check=True,
        )  # fmt: skip
        return {entry.msgid for entry in polib.pofile(str(found))}


def lacking(catalogue: Path) -> list[str]:
    """Return the sentences without a sure translation."""
    entries = polib.pofile(str(catalogue))
    return [entry.msgid for entry in [*entries.untranslated_entries(), *entries.fuzzy_entries()]]


def check(folder: Path) -> list[str]:
    """Return what is wrong with the catalogue of one package."""
    wrong = []
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / folder.name
        shutil.copytree(folder, copy)
        collect(copy)
        if (copy / CATALOGUE).exists():
            wrong = [f"not translated: {said}" for said in lacking(copy / CATALOGUE)]
    if (folder / CLICK).exists():
        left = said_by_click() - {entry.msgid for entry in polib.pofile(str(folder / CLICK))}
        wrong += [f"not translated: {said}" for said in [*sorted(left), *lacking(folder / CLICK)]]
    for catalogue in (folder / CATALOGUE, folder / CLICK):
        if not wrong and catalogue.exists() and sentences(catalogue) != compiled(catalogue):
            wrong.append(f"{catalogue.stem}.mo is older than {catalogue.name}: run `make messages`")
    return wrong


def sentences(catalogue: Path) -> dict[object, object]:
    """Return what a catalogue says."""
    return {
        (one.msgctxt, one.msgid): one.msgstr or one.msgstr_plural
        for one in polib.pofile(str(catalogue))
        if not one.obsolete
    }


def compiled(catalogue: Path) -> dict[object, object]:
    """Return what its compiled form says."""
    file = catalogue.with_suffix(".mo")
    found = polib.mofile(str(file)) if file.exists() else ()
    return {(one.msgctxt, one.msgid): one.msgstr or one.msgstr_plural for one in found}


def main() -> int:
    """Do it for every package."""
    folders = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
    if "--check" in sys.argv[1:]:
        found = [f"{folder.name}: {said}" for folder in folders for said in check(folder)]
        print("\n".join(found) or "every sentence is translated")
        return int(bool(found))
    missing = 0
    for folder in folders:
        collect(folder)
        for catalogue in (folder / CATALOGUE, folder / CLICK):
            if catalogue.exists():
                for said in lacking(catalogue):
                    print(f"{folder.name}: not translated: {said}")
                    missing += 1
                polib.pofile(str(catalogue)).save_as_mofile(str(catalogue.with_suffix(".mo")))
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
