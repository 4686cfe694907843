"""Bytes under their digest."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from renkei.base import storage


@given(content=st.binary(max_size=2_000))
@hypothesis_settings(max_examples=40)
def test_what_is_put_comes_back(content):
    digest = storage.put(content)

    assert digest == hashlib.sha256(content).hexdigest()
    assert storage.put(content) == digest
    assert storage.get(digest) == content


def test_what_was_never_put_is_not_there():
    assert storage.get("0" * 64) is None


def test_damaged_bytes_are_refused():
    digest = storage.put(b"as it was")
    storage._path(digest).write_bytes(b"as it is")

    with pytest.raises(storage.DamagedBytesError, match=digest):
        storage.get(digest)
    storage._path(digest).unlink()
