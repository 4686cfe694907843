"""The one base of everything Renkei refuses.

An error is a sentence for people, a code for programs and the status a web answer would carry.
The sentence is kept apart from its values, so that it can be said in the reader's language:
``raise BadRowError(gettext_noop("row {row}: expected 1"), row=3)``.
"""

from typing import ClassVar


def gettext_noop(sentence: str) -> str:
    """Mark a sentence for the translation catalogue and return it unchanged."""
    return sentence


class RenkeiError(Exception):
    """What was wrong, where, and what would be accepted.

    Args:
        sentence: English, with ``{name}`` places; also the key of its translation.
        **values: what fills the places.
    """

    code: ClassVar[str] = "renkei.error"
    status: ClassVar[int] = 422

    def __init__(self, sentence: str, **values: object) -> None:
        self.sentence = sentence
        self.values = values
        super().__init__(sentence.format(**values) if values else sentence)


class NotFoundError(RenkeiError):
    """There is no such thing here."""

    code = "renkei.not_found"
    status = 404


class ConflictError(RenkeiError):
    """Somebody else changed it first, or it stands in the way of something else."""

    code = "renkei.conflict"
    status = 409


class ForbiddenError(RenkeiError):
    """The caller is known, and may not."""

    code = "renkei.forbidden"
    status = 403


class SignInError(RenkeiError):
    """The caller is not known."""

    code = "renkei.sign_in"
    status = 401


class TooLargeError(RenkeiError):
    """More bytes than are taken here."""

    code = "renkei.too_large"
    status = 413
