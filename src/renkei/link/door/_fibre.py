"""A node's way to the simulated fibre, which is a process of its own (``renkei link fibre``)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from django.conf import settings

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link.door._local import connect

KEY_FILE = "link-fibre-{partner}"  # in a node's keys: its secret, and the fibre's file
SECONDS_FOR_A_BLOCK = 120.0
REACH_SECONDS = 5.0


class FibreAwayError(RenkeiError):
    """The source of the photons does not answer."""

    code = "link.fibre_away"
    status = 503


class BadEavesdropperError(RenkeiError):
    """A share is not within 0 and 1."""

    code = "link.bad_eavesdropper"


def key_file(partner: str) -> Path:
    """Return where this node keeps what it knows of its fibre to a partner."""
    file: Path = settings.NODE.folder / "keys" / KEY_FILE.format(partner=partner)
    return file


def key_files() -> list[Path]:
    """Return what this node knows of each of its fibres."""
    return sorted((settings.NODE.folder / "keys").glob(KEY_FILE.format(partner="*")))


@contextmanager
def _connected(file: Path, *, seconds: float) -> Iterator[Connection]:
    try:
        known = json.loads(file.read_text("utf-8"))
        port = _read(Path(known["file"]))["ports"][known["node"]]
        link = connect(port, bytes.fromhex(known["secret"]), seconds=seconds)
    except (OSError, ValueError, KeyError, AuthenticationError, EOFError) as error:
        raise FibreAwayError(
            gettext_noop("the simulated fibre does not answer: `renkei up` starts it")
        ) from error
    with link:
        yield link


def _asked(file: Path, said: dict[str, Any], *, seconds: float) -> bytes:
    with _connected(file, seconds=seconds) as link:
        try:
            link.send_bytes(json.dumps(said).encode())
            if link.poll(seconds):
                return link.recv_bytes()
        except (OSError, EOFError) as error:
            raise FibreAwayError(gettext_noop("the simulated fibre died")) from error
    raise FibreAwayError(gettext_noop("the simulated fibre is silent"))


def reach(file: Path) -> None:
    """Make sure that the fibre listens.

    Raises:
        FibreAwayError: it does not.
    """
    with _connected(file, seconds=REACH_SECONDS):
        pass


def half(file: Path, number: int, *, key_bits: int) -> bytes:
    """Return a node's half of a block.

    Args:
        file: what the node knows of the fibre.
        number: of the block.
        key_bits: how many detections in the key basis are wanted.

    Raises:
        FibreAwayError: the fibre does not answer, or nothing arrives over it.
    """
    said = {"op": "half", "number": number, "key_bits": key_bits}
    answer = _asked(file, said, seconds=SECONDS_FOR_A_BLOCK)
    if answer[:1] != b"=":
        raise FibreAwayError(
            gettext_noop("the fibre gives no block: {why}"),
            why=answer[1:].decode("utf-8", "replace"),
        )
    return answer[1:]


def eavesdropper(file: Path) -> dict[str, float]:
    """Return what the eavesdropper on the simulated fibre does, as the fibre last wrote it down.

    It is not asked: a page or a service waits for no other process.

    Raises:
        FibreAwayError: there is no fibre.
    """
    try:
        known = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FibreAwayError(
            gettext_noop("the simulated fibre does not answer: `renkei up` starts it")
        ) from error
    return dict(_read(Path(known["file"])).get("eve", {}))


def set_eavesdropper(file: Path, *, intercept: float, split: float) -> dict[str, float]:
    """Turn the eavesdropper on the simulated fibre up or down.

    Args:
        file: what the node knows of the fibre.
        intercept: share of the pulses that are measured and sent again, in [0, 1].
        split: share of the single photons that are blocked while others are split, in [0, 1].

    Raises:
        BadEavesdropperError: a share is out of its range.
        FibreAwayError: the fibre does not answer.
    """
    for share in (intercept, split):
        if not 0 <= share <= 1:
            raise BadEavesdropperError(
                gettext_noop("{share} is no share: expected 0 to 1"), share=share
            )
    said = {"op": "eve", "intercept": intercept, "split": split}
    return dict(json.loads(_asked(file, said, seconds=5.0)))


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError):
        return {}
