"""What the collector of sentences cannot see."""

import ast
from pathlib import Path

import polib

SOURCE = Path(__file__).resolve().parent.parent / "src" / "renkei"
MARKS = {"gettext", "gettext_noop", "gettext_lazy", "_"}


def test_sentences_inside_formatted_strings_are_in_a_catalogue():
    """xgettext does not look into them: the Japanese is there only if the sentence stands elsewhere."""
    known = {
        entry.msgid
        for file in SOURCE.glob("*/locale/ja/LC_MESSAGES/django.po")
        for entry in polib.pofile(str(file))
        if entry.msgstr and not entry.obsolete
    }
    said = {
        call.args[0].value: f"{file.relative_to(SOURCE)}:{part.lineno}"
        for file in SOURCE.rglob("*.py")
        for part in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(part, ast.JoinedStr)
        for call in ast.walk(part)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in MARKS
        if call.args and isinstance(call.args[0], ast.Constant)
    }
    assert said
    assert {sentence: where for sentence, where in said.items() if sentence not in known} == {}
