"""A node's keys: written to files, read back, and said plainly when a file is not its key."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.border.engine.pair import stream

from renkei.border import engine


@pytest.fixture(scope="module")
def keys():
    return engine.NodeKeys.generate(stream("keys"))


def test_keys_come_back_from_their_files(keys):
    found = engine.NodeKeys.from_files(keys.to_files())

    assert found.to_files() == keys.to_files()
    assert (found.log.public, found.witness.public, found.mirror.public, found.recovery.public) == (
        keys.log.public,
        keys.witness.public,
        keys.mirror.public,
        keys.recovery.public,
    )
    assert found.sealing.public == keys.sealing.public


def test_a_node_runs_without_the_recovery_key(keys):
    files = keys.to_files()
    for name in engine.NodeKeys.OFFLINE:
        del files[name]

    found = engine.NodeKeys.from_files(files)

    assert found.recovery.private is None
    assert found.recovery.public == keys.recovery.public
    assert found.to_files() == keys.without_recovery().to_files()


def test_every_key_is_new():
    one, two = engine.NodeKeys.generate(), engine.NodeKeys.generate()

    ours = {kid for keys in (one, two) for kid in _kids(keys)}
    assert len(ours) == 2 * 9


def _kids(keys):
    pairs = (keys.log, keys.witness, keys.mirror, keys.recovery)
    return [kid for pair in pairs for kid in pair.public.kids] + [keys.sealing.public.kid]


def test_a_known_key_has_its_known_name():
    """RFC 8032, 7.1, test 1: the public key; the name is SHA-256 of algorithm, newline, key."""
    raw = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")

    assert engine.PublicKey("ed25519", raw).kid == "632d74b7b1a5b9911b7b43e99701fbe2"


def test_no_secret_is_shown(keys):
    """Neither by repr of the whole nor of a part; and nothing is pickled by mistake."""
    secret = keys.log_ed25519.private_bytes_raw()
    shown = " ".join(
        map(repr, (keys, keys.log, keys.log.ed25519, keys.sealing, keys.recovery, keys.log.public))
    )

    assert secret.hex() not in shown
    assert "private" not in shown.replace("private half here", "")
    with pytest.raises(TypeError):
        pickle.dumps(keys)


@pytest.mark.parametrize(
    "name", sorted(engine.NodeKeys.generate(stream("names")).without_recovery().to_files())
)
def test_a_missing_file_is_named(keys, name):
    files = keys.to_files()
    del files[name]

    with pytest.raises(engine.MissingKeyFileError, match=f"{name} is missing"):
        engine.NodeKeys.from_files(files)


@pytest.mark.parametrize("damage", ["cut", "empty", "other kind", "not text"])
@pytest.mark.parametrize("name", ["log-ed25519.pem", "mirror-mldsa44.pem", "sealing-mlkem768.pem"])
def test_a_damaged_file_is_named(keys, name, damage):
    files = keys.to_files()
    files[name] = {
        "cut": files[name][:60],
        "empty": "",
        "other kind": files["sealing-x25519.pem"],
        "not text": b"\xff\x00" * 40,
    }[damage]

    with pytest.raises(engine.DamagedKeyFileError, match=f"{name} is damaged: expected an"):
        engine.NodeKeys.from_files(files)


def test_one_key_for_two_roles_is_refused(keys):
    """One Ed25519 key per cosigner: its cosignature does not say whose it is."""
    files = keys.to_files()
    files["witness-ed25519.pem"] = files["log-ed25519.pem"]

    with pytest.raises(engine.DamagedKeyFileError, match=r"same key as log-ed25519\.pem"):
        engine.NodeKeys.from_files(files)


def test_another_recovery_key_is_refused(keys):
    files = keys.to_files() | {
        name: text
        for name, text in engine.NodeKeys.generate(stream("other")).to_files().items()
        if name in engine.NodeKeys.OFFLINE
    }

    with pytest.raises(
        engine.DamagedKeyFileError, match="not the private half of recovery-ed25519"
    ):
        engine.NodeKeys.from_files(files)


@pytest.mark.parametrize(
    ("alg", "raw"), [("ed25519", b"short"), ("ml-dsa-44", bytes(32)), ("rsa", bytes(32))]
)
def test_what_is_no_key_is_refused(alg, raw):
    with pytest.raises(engine.BadKeyError, match="expected"):
        engine.PublicKey(alg, raw)


def test_what_is_no_sealing_key_is_refused():
    with pytest.raises(engine.BadKeyError, match="expected 1216 bytes"):
        engine.SealingPublicKey(bytes(40))


# RFC 8032, section 7.1, test 3: key, message, signature.
RFC_8032 = tuple(
    bytes.fromhex(text)
    for text in (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    )
)


def test_a_known_signature():
    key, message, signature = RFC_8032
    assert engine.PublicKey("ed25519", key).verifies(signature, message)


@given(place=st.integers(0, 511), cut=st.integers(0, 63))
def test_no_other_signature_is_its_own(place, cut):
    key, message, signature = RFC_8032
    flipped = bytearray(signature)
    flipped[place // 8] ^= 1 << place % 8
    for other in (bytes(flipped), signature[:cut], signature + b"\0"):
        assert not engine.PublicKey("ed25519", key).verifies(other, message)


def test_public_keys_travel_to_other_processes(keys):
    for key in (*keys.log.public.by_kid.values(), keys.sealing.public):
        _ = getattr(key, "loaded", None)
        assert pickle.loads(pickle.dumps(key)) == key
