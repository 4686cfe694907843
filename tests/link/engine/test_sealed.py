"""Sealed files: they open with all keys, whole, and not otherwise."""

import io
import json
import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renkei.link import engine
from renkei.link.engine import Policy, Source

RECEIVER = engine.Recipient(bytes(range(96)))
KEY = ("94d4eaa0-8f17-836b-8222-395fc0010000", b"q" * 32, Source.SIMULATED)


def sealed(plain, *, qkd=KEY, policy=Policy.REQUIRE_QKD, name="note.txt"):
    out = io.BytesIO()
    engine.seal(
        io.BytesIO(plain),
        out,
        public=RECEIVER.public,
        sender="us",
        receiver="jp",
        policy=policy,
        qkd=qkd,
        name=name,
    )
    return out.getvalue()


def opened(text, *, qkd=KEY[1], receiver=RECEIVER):
    file, out = io.BytesIO(text), io.BytesIO()
    header, head = engine.read_header(file)
    engine.unseal(file, out, recipient=receiver, header=header, head=head, qkd=qkd)
    return out.getvalue()


@pytest.fixture
def small_chunks(monkeypatch):
    from renkei.link.engine import _sealed

    monkeypatch.setattr(_sealed, "CHUNK_BYTES", 64)
    monkeypatch.setattr(_sealed, "REKEY_BYTES", 256)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 128, 1000])
def test_a_file_of_any_length_comes_back(small_chunks, length):
    plain = bytes(at % 251 for at in range(length))
    assert opened(sealed(plain)) == plain


def test_the_header_says_what_protects_the_file():
    header, _head = engine.read_header(io.BytesIO(sealed(b"x")))
    assert (header.sender, header.receiver, header.name) == ("us", "jp", "note.txt")
    assert header.source is Source.SIMULATED
    assert header.key_ids == (KEY[0],)
    assert not header.is_downgrade


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("日本語 メモ.txt", "日本語 メモ.txt"),
        (os.fsdecode(b"bad\xff.txt"), "bad\N{REPLACEMENT CHARACTER}.txt"),
        ("a\n\x1b[2J", "a" + 2 * "\N{REPLACEMENT CHARACTER}" + "[2J"),
        ("x" * 100_000, "x" * 255),
    ],
)
def test_a_name_of_any_bytes_is_sealed_as_it_can_be_shown(name, shown):
    text = sealed(b"x", name=name)
    assert engine.read_header(io.BytesIO(text))[0].name == shown
    assert opened(text) == b"x"


def test_a_name_that_somebody_else_wrote_is_shown_without_what_a_terminal_obeys():
    header, _head = engine.read_header(io.BytesIO(sealed(b"x")))
    forged = engine.write_header(replace(header, name="\x1b]0;title\x07"))
    assert "\x1b" not in engine.read_header(io.BytesIO(forged))[0].name


def test_without_a_qkd_key_the_policy_decides_and_the_header_says_so():
    with pytest.raises(engine.PolicyError, match="nothing was sealed"):
        sealed(b"x", qkd=None)
    text = sealed(b"x", qkd=None, policy=Policy.HYBRID_OR_PQC)
    header, _head = engine.read_header(io.BytesIO(text))
    assert header.is_downgrade
    assert header.source is Source.NONE
    assert opened(text, qkd=b"") == b"x"


def test_a_public_qkd_key_alone_opens_nothing_and_neither_do_the_others_without_it():
    text = sealed(b"secret")
    with pytest.raises(engine.NotSealedError):
        opened(text, receiver=engine.Recipient(bytes(96)))
    with pytest.raises(engine.NotSealedError):
        opened(text, qkd=b"p" * 32)
    with pytest.raises(engine.NotSealedError):
        opened(text, qkd=b"")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_one_flipped_bit_anywhere_is_noticed(data):
    text = bytearray(sealed(b"attack at dawn" * 5))
    at = data.draw(st.integers(0, 8 * len(text) - 1))
    text[at // 8] ^= 1 << at % 8
    with pytest.raises((engine.NotSealedError, engine.PolicyError, engine.BadPublicKeyError)):
        opened(bytes(text))


@pytest.mark.parametrize("cut", [1, 16, 17, 80, 81, 200])
def test_a_cut_file_is_noticed(small_chunks, cut):
    text = sealed(bytes(300))
    with pytest.raises(engine.NotSealedError):
        opened(text[:-cut])


def test_chunks_cannot_be_swapped_repeated_or_left_out(small_chunks):
    text = sealed(bytes(range(256)))
    _header, head = engine.read_header(io.BytesIO(text))
    body = text[len(head) :]
    chunks = [body[at : at + 80] for at in range(0, len(body), 80)]
    assert len(chunks) == 4
    for order in ([1, 0, 2, 3], [0, 1, 1, 2, 3], [0, 2, 3], [0, 1, 2, 3, 3], [0, 1, 3]):
        with pytest.raises(engine.NotSealedError):
            opened(head + b"".join(chunks[at] for at in order))


def test_the_key_changes_with_the_volume(small_chunks):
    """After 256 bytes here (2^30 in earnest): the fifth chunk opens under another key alone."""
    from renkei.link.engine import _sealed

    plain = bytes(64 * 5)
    text = sealed(plain)
    assert opened(text) == plain
    _sealed.REKEY_BYTES = 1 << 30
    with pytest.raises(engine.NotSealedError, match="chunk 5"):
        opened(text)


@pytest.mark.parametrize(
    "said",
    [
        {"suite": "rot13"},
        {"policy": "none"},
        {"source": "moon"},
        {"key_ids": 5},
        {"key_ids": [5]},
        {"encapsulated": "%%"},
        {"name": None},
        {"source": "none"},
        {"key_ids": []},
    ],
)
def test_a_header_that_says_something_else_is_refused(said):
    text = sealed(b"x")
    _header, head = engine.read_header(io.BytesIO(text))
    body = json.dumps(json.loads(head[20:]) | said).encode()
    forged = head[:16] + len(body).to_bytes(4, "big") + body + text[len(head) :]
    with pytest.raises((engine.NotSealedError, engine.PolicyError)):
        engine.read_header(io.BytesIO(forged))


@given(st.binary(max_size=100))
def test_other_bytes_are_no_sealed_file(junk):
    with pytest.raises(engine.NotSealedError):
        engine.read_header(io.BytesIO(junk))
    with pytest.raises(engine.NotSealedError):
        engine.read_header(io.BytesIO(b"renkei sealed 1\n" + junk))


# One-time pad


@given(st.binary(max_size=200), st.randoms(use_true_random=False))
def test_a_padded_message_comes_back_and_hides_its_length(message, chance):
    key = chance.randbytes(engine.pad_bytes(len(message)))
    text = engine.seal_pad(message, sender="us", receiver="jp", qkd=("id", key, Source.QUANTUM))
    file = io.BytesIO(text)
    header, head = engine.read_header(file)
    rest = file.read()

    assert header.suite == engine.PAD_SUITE
    assert engine.unseal_pad(rest, head=head, key=key) == message
    assert (len(rest) - 16) % 64 == 0


def test_any_message_of_the_length_is_as_likely():
    """What a pad is: for each message there is a key that gives the same text."""
    key = bytes(range(96))
    text = engine.seal_pad(b"yes", sender="us", receiver="jp", qkd=("id", key, Source.QUANTUM))
    body = text[-80:-16]
    other = b"no!" + b"\x80" + bytes(60)
    pad = bytes(a ^ b for a, b in zip(body, other, strict=True))
    again = engine.seal_pad(
        b"no!", sender="us", receiver="jp", qkd=("id", pad + key[64:], Source.QUANTUM)
    )
    assert again[-80:-16] == body


def test_a_changed_padded_message_is_refused():
    key = bytes(range(96))
    text = engine.seal_pad(b"yes", sender="us", receiver="jp", qkd=("id", key, Source.QUANTUM))
    file = io.BytesIO(text)
    _header, head = engine.read_header(file)
    rest = bytearray(file.read())
    for at in range(len(rest)):
        rest[at] ^= 1
        with pytest.raises(engine.NotSealedError):
            engine.unseal_pad(bytes(rest), head=head, key=key)
        rest[at] ^= 1
    with pytest.raises(engine.NotSealedError):
        engine.unseal_pad(bytes(rest), head=head + b" ", key=key)


def test_a_long_message_is_no_matter_for_a_pad():
    with pytest.raises(engine.PolicyError, match="at most 16384 bytes"):
        engine.pad_bytes(16 << 10 | 1)
    with pytest.raises(engine.PolicyError):
        engine.seal_pad(b"x", sender="us", receiver="jp", qkd=("id", bytes(5), Source.QUANTUM))
