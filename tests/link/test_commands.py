"""Files that the commands write: whole or not at all, and refused before any key is used."""

import errno
import os

import pytest
from django.utils import translation

from renkei.link import commands


def test_a_file_appears_with_what_was_written_whatever_room_was_made(tmp_path):
    for said in (b"", b"x" * 10):
        with commands.appearing(tmp_path / f"{len(said)}", room=1000) as out:
            out.write(said)
        assert (tmp_path / f"{len(said)}").read_bytes() == said
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "there").write_bytes(b"old")
    with (
        pytest.raises(commands.FileThereError, match="is there already"),
        commands.appearing(tmp_path / "there"),
    ):
        pytest.fail("nothing may be done for a file that cannot appear")
    assert (tmp_path / "there").read_bytes() == b"old"


def test_no_space_is_found_before_anything_is_done(tmp_path, monkeypatch):
    """A key that was taken for a file which then finds no room would be lost."""

    def full(_file, offset, length):
        assert (offset, length) == (0, 1000)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with (
        pytest.raises(commands.CannotWriteError, match="new cannot be written: No space left"),
        commands.appearing(tmp_path / "new", room=1000),
    ):
        pytest.fail("nothing may be done for a file that cannot appear")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("where", ["nowhere/new", "file/new"])
def test_a_folder_that_cannot_be_written_to_is_named_in_words(tmp_path, where):
    (tmp_path / "file").touch()
    with (
        pytest.raises(commands.CannotWriteError, match=f"{where} cannot be written"),
        commands.appearing(tmp_path / where),
    ):
        pytest.fail("nothing may be done for a file that cannot appear")


def test_nothing_is_left_of_a_file_whose_writing_breaks_off(tmp_path):
    def broken():
        with commands.appearing(tmp_path / "new", room=10) as out:
            out.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("language", "head", "end"),
    [
        ("en", "Block  Sifted bits", "error rate too high"),
        ("ja", "ブロック  ふるい", "誤り率が高すぎます"),
    ],
)
def test_blocks_are_told_in_the_readers_language(capsys, language, head, end):
    runs = [
        {
            "number": 12,
            "sifted_bits": 2_097_152,
            "qber": qber,
            "leak_bits": 284_333,
            "key_bits": 0,
            "seconds": 1.625,
            "refused": refused,
        }
        for qber, refused in ((0.25, "error_rate"), (None, "something new"))
    ]
    with translation.override(language):
        commands.print_runs(runs)
    first, high, unknown = capsys.readouterr().out.splitlines()

    assert first.startswith(head)
    assert "25.00 %" in high
    assert end in high
    assert unknown.split()[:3] == ["12", "2,097,152", "-"]
    assert "something new" in unknown
