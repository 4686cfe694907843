"""Collect the sentences to translate and compile them; ``--check`` only tells what is missing.

A catalogue lives beside the code that says its sentences: ``<room>/locale/ja/LC_MESSAGES``.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import polib

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "renkei"
COMMAND = [sys.executable, "-m", "django", "makemessages", "--locale=ja", "--verbosity=0"]
CATALOGUE = Path("locale") / "ja" / "LC_MESSAGES" / "django.po"


def collect(folder: Path) -> None:
    """Bring the catalogue of one package up to date with its code."""
    (folder / "locale").mkdir(exist_ok=True)
    environment = {
        name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
    }
    subprocess.run(COMMAND, cwd=folder, env=environment, check=True)


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
    compiled = (folder / CATALOGUE).with_suffix(".mo")
    if not wrong and (folder / CATALOGUE).exists():
        source = {
            (one.msgctxt, one.msgid): one.msgstr
            for one in polib.pofile(str(folder / CATALOGUE))
            if not one.obsolete
        }
        built = (
            {(one.msgctxt, one.msgid): one.msgstr for one in polib.mofile(str(compiled))}
            if compiled.exists()
            else {}
        )
        if source != built:
            wrong.append(f"{compiled.name} is older than {CATALOGUE.name}: run `make messages`")
    return wrong


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
        if (folder / CATALOGUE).exists():
            for said in lacking(folder / CATALOGUE):
                print(f"{folder.name}: not translated: {said}")
                missing += 1
            polib.pofile(str(folder / CATALOGUE)).save_as_mofile(
                str((folder / CATALOGUE).with_suffix(".mo"))
            )
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
