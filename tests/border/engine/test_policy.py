"""Policies: the specification's rules, the Renkei quorum, and a third nation by one more line."""

import pytest
from tests.border.logs import Log, cosigners, ed25519, numbered

from renkei.border import engine

NATIONS = ("us", "jp", "kr")
LOG = Log(entries=numbered(3))
KEYS = {name: [each.key.text for each in cosigners(f"{name}.example/witness")] for name in NATIONS}
LOGS = f"log {LOG.keys[0].text} https://us.example/log/\nlog {LOG.keys[1].text}\n"
WITNESSES = "".join(
    f"witness {name}1 {KEYS[name][0]} https://{name}.example/witness/\n"
    f"witness {name}2 {KEYS[name][1]}\n"
    f"group {name} all {name}1 {name}2\n"
    for name in NATIONS
)


def cosigned(*names, note=None):
    note = note or LOG.checkpoint()
    for name in names:
        note = engine.with_cosignatures(
            note, engine.cosign(note, cosigners(f"{name}.example/witness"), 7)
        )
    return note


def policy(rules):
    return engine.parse_policy((LOGS + WITNESSES + rules).encode())


@pytest.mark.parametrize(
    ("rules", "enough", "too_few"),
    [
        ("quorum none\n", [(), ("us",)], []),
        ("quorum us\n", [("us",), ("us", "jp")], [(), ("jp",)]),
        ("quorum jp1\n", [("jp",)], [(), ("us",)]),
        ("group both all us jp\nquorum both\n", [("us", "jp"), NATIONS], [(), ("us",), ("jp", "kr")]),
        ("group g all us jp kr\nquorum g\n", [NATIONS], [("us", "jp"), ("us", "kr")]),
        ("group g 2 us jp kr\nquorum g\n", [("us", "jp"), ("jp", "kr"), NATIONS], [(), ("kr",)]),
        ("group g any us jp kr\nquorum g\n", [("kr",), ("us",)], [()]),
        ("group a any us jp\ngroup b all a kr\nquorum b\n", [("us", "kr"), NATIONS], [("us", "jp"), ("kr",)]),
    ],
)  # fmt: skip
def test_quorums(rules, enough, too_few):
    read = policy(rules)
    for names in enough:
        assert read.is_satisfied(cosigned(*names))
        assert read.check(cosigned(*names), require=engine.HYBRID).size == 3
    for names in too_few:
        assert not read.is_satisfied(cosigned(*names))
        with pytest.raises(engine.UnmetQuorumError, match="missing"):
            read.check(cosigned(*names))


def test_one_algorithm_of_a_witness_is_half_a_witness():
    note = LOG.checkpoint()
    for one in cosigners("us.example/witness"):
        half = engine.with_cosignatures(note, engine.cosign(note, [one], 7))
        assert not policy("quorum us\n").is_satisfied(half)


def test_the_log_must_have_signed():
    read = policy("quorum us\n")
    stranger = Log("kr.example/log", LOG.entries)
    assert not read.is_satisfied(cosigned("us", note=stranger.checkpoint()))
    with pytest.raises(engine.UnsignedNoteError):
        read.check(cosigned("us", note=stranger.checkpoint()))
    # Any one key of the log will do for a policy, unless both are asked for.
    note = engine.parse_note(cosigned("us"))
    for stripped in LOG.keys:
        left = tuple(each for each in note.signatures if each.key_id != stripped.key_id)
        weaker = engine.SignedNote(note.text, left).dump()
        assert read.is_satisfied(weaker)
        assert not read.is_satisfied(weaker, require=engine.HYBRID)


def test_a_log_signs_for_itself_alone():
    """A listed log that signs another listed log's checkpoint vouches for nothing."""
    other = Log("jp.example/log", numbered(2))
    lines = f"log {LOG.keys[0].text}\nlog {other.keys[0].text}\nquorum none\n"
    read = engine.parse_policy(lines.encode())
    text = engine.parse_note(LOG.checkpoint()).text
    by_other = engine.sign_note(text, [other.ed25519]).dump()
    assert read.is_satisfied(LOG.checkpoint())
    assert read.is_satisfied(other.checkpoint())
    assert not read.is_satisfied(by_other)


def test_a_witness_named_like_a_log_is_no_log():
    impostor = cosigners(LOG.origin)[1]
    lines = f"log {LOG.keys[0].text}\nwitness w {impostor.key.text}\nquorum w\n"
    read = engine.parse_policy(lines.encode())
    text = engine.parse_note(LOG.checkpoint()).text
    line = engine.NoteSignature(
        impostor.key.name, impostor.key.key_id, impostor.sign_note(text.encode(), timestamp=1)
    )
    assert not read.is_satisfied(engine.SignedNote(text, (line,)).dump())
    assert read.is_satisfied(engine.with_cosignatures(LOG.checkpoint(), [line.line]))


def test_a_false_cosignature_spoils_the_note():
    note = cosigned("us")
    false = engine.parse_note(cosigned("jp", note=LOG.checkpoint(2))).signatures[-1]
    assert not policy("quorum us\n").is_satisfied(note + false.line.encode())


def test_what_is_no_note_satisfies_nothing():
    assert not policy("quorum none\n").is_satisfied(b"hello")


def test_space_comments_addresses_and_octets():
    """C2SP tlog-policy: whitespace is space and tab; names are octets; comments are ignored."""
    key = KEYS["us"][0].encode()
    kelvin = "\N{KELVIN SIGN}".encode()
    text = (
        b"\n \t \n# comment\n\t # comment\nwitness\tK "
        + key
        + b"  \n\twitness \xff "
        + KEYS["jp"][0].encode()
    )
    text += (
        b" http://x \n witness "
        + kelvin
        + b" "
        + KEYS["kr"][0].encode()
        + b"\ngroup g 01 K \xff\nquorum g\n"
    )
    read = engine.parse_policy(text)
    assert list(read.witnesses) == [b"K", b"\xff", kelvin]
    assert read.addresses == {b"\xff": "http://x"}
    assert (read.groups[b"g"].threshold, read.groups[b"g"].members) == (1, (b"K", b"\xff"))


MORE = engine.Ed25519NoteSigner("m.example", ed25519("m")).key.text


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("", "has a quorum line"), ("quorum us", "ends in a newline"), ("quorum\n", "expected 'log"),
        ("quorum us\nquorum us\n", "line 13.*second"), ("quorum xx\n", "no witness and no group 'xx'"),
        ("quorum g\ngroup g all us jp\n", "no witness and no group 'g'"), ("quorum us jp\n", "expected 'log"),
        ("group g all us xx\nquorum g\n", "line 12.*'xx'"), ("group g all g\nquorum g\n", "'g'"),
        ("group g all\nquorum g\n", "expected 'log"), ("group none all us\nquorum none\n", "taken"),
        ("group g all none\nquorum g\n", "'none'"), ("group us all jp\nquorum us\n", "taken"),
        ("group g all us us\nquorum g\n", "second time"), ("group g any us1 us\nquorum g\n", "second time"),
        ("group g 0 us jp\nquorum g\n", "1 to 2"), ("group g 3 us jp\nquorum g\n", "1 to 2"),
        ("group g -1 us jp\nquorum g\n", "1 to 2"), ("group g most us jp\nquorum g\n", "1 to 2"),
        ("group g 1.0 us\nquorum g\n", "1 to 1"), ("group g ALL us\nquorum g\n", "1 to 1"),
        ("group g 9999999999999 us\nquorum g\n", "1 to 1"),
        (f"witness w {MORE}\nquorum w\n", "0x01 cannot sign here; expected 0x04, 0x06"),
        (f"log {KEYS['us'][0]}\nquorum us\n", "0x04 cannot sign here; expected 0x01, 0x06"),
        (f"witness w {KEYS['us'][0]}\nquorum w\n", "second time"), (f"log {LOG.keys[0].text}\nquorum us\n", "second"),
        (f"witness us {MORE}\nquorum us\n", "taken"), ("witness w nonsense\nquorum us\n", "verifier key"),
        (f"log {MORE} a b\nquorum us\n", "expected 'log"), (f"logs {MORE}\nquorum us\n", "expected 'log"),
        ("quorum us\r\n", "control character"), ("quorum us\0\n", "control character"),
        ("quorum us # comment\n", "expected 'log"), ("Quorum us\n", "expected 'log"),
    ],
)  # fmt: skip
def test_what_is_no_policy_is_refused_by_line(rules, words):
    with pytest.raises(engine.BadPolicyError, match=words) as refused:
        policy(rules)
    assert len(str(refused.value)) < 500


def test_a_policy_is_bounded_and_32_of_each_fit():
    with pytest.raises(engine.BadPolicyError, match="at most"):
        engine.parse_policy(b"#" * (1 << 20) + b"\n")
    lines, names = [], []
    for number in range(32):
        log = Log(f"log{number}.example")
        witness = cosigners(f"w{number}.example")[1]
        lines += [f"log {log.keys[1].text}", f"witness w{number} {witness.key.text}"]
        lines.append(f"group g{number} all w{number}")
        names.append(f"g{number}")
    lines += ["group all-of-them all " + " ".join(names), "quorum all-of-them", ""]
    assert len(engine.parse_policy("\n".join(lines).encode()).groups) == 33
