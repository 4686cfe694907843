"""The Japanese catalogue of the shell: complete, compiled, and true to its places."""

import re
from pathlib import Path

import polib
import pytest
from django.utils import translation

import renkei.base
from renkei.base import problems
from renkei.kit.errors import NotFoundError

CATALOGUE = Path(renkei.base.__file__).parent / "locale" / "ja" / "LC_MESSAGES" / "django.po"
PLACE = re.compile(r"%\(\w+\)s|{\w+[^}]*}")


@pytest.fixture(scope="module")
def catalogue():
    return polib.pofile(str(CATALOGUE))


def test_every_sentence_is_translated(catalogue):
    assert len(catalogue) > 100
    assert not catalogue.untranslated_entries()
    assert not catalogue.fuzzy_entries()
    assert not catalogue.obsolete_entries()


def test_every_place_of_a_sentence_is_kept(catalogue):
    for entry in catalogue:
        assert sorted(PLACE.findall(entry.msgid)) == sorted(PLACE.findall(entry.msgstr)), (
            entry.msgid
        )


def test_what_is_compiled_is_what_is_written(catalogue):
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))
    assert {e.msgid: e.msgstr for e in compiled} == {e.msgid: e.msgstr for e in catalogue}


def test_a_refusal_is_said_in_japanese():
    error = NotFoundError("there is no job {task}", task="7")
    with translation.override("ja"):
        assert problems.say(error) == "ジョブ 7 はありません"


def test_our_words_win_over_those_of_other_packages():
    with translation.override("ja"):
        said = translation.gettext("The username and/or password you specified are not correct.")
    assert said == "ユーザー名またはパスワードが正しくありません。"


def test_one_sentence_has_one_translation_in_all_rooms():
    """All catalogues are one when a page is drawn: what means something else has a context."""
    said = {}
    for file in Path(renkei.base.__file__).parent.parent.glob("*/locale/ja/LC_MESSAGES/django.po"):
        for entry in polib.pofile(str(file)):
            words = entry.msgstr or tuple(sorted(entry.msgstr_plural.items()))
            said.setdefault((entry.msgctxt, entry.msgid), set()).add(words)
    assert {key: words for key, words in said.items() if len(words) > 1} == {}
