"""The ways to spoil a proof that transparency-dev/merkle publishes as vectors, made by rule.

Its vectors take six proofs of a tree of eight entries and spoil each in some thirty ways. Here
the same ways are tried on every proof of every tree up to 20 entries. Two of its cases differ on
purpose: from size 0 an empty proof is accepted, since a witness must, and hashes that are absent
rather than wrong cannot be handed over here.
"""

import pytest
from tests.border.logs import Log, numbered

from renkei.border import engine

LARGEST = 20
LOG = Log(entries=numbered(LARGEST))
ROOTS = [
    engine.frontier_of(size, LOG.read).root if size else engine.EMPTY_ROOT
    for size in range(LARGEST + 1)
]
SOME = engine.leaf_hash(b"some other hash")


def spoilt_lists(proof, *others):
    """The spoilt forms of a list of hashes that both kinds of proof share."""
    yield [*proof, b""]
    for other in others:
        yield [*proof, other]
        yield [other, *proof]
    yield [b"", *proof]
    yield [*proof, SOME]
    if proof:
        yield []
        yield proof[:-1]
        yield proof[1:]
        yield [*proof[:-1], b""]
        yield [*proof, proof[-1]]
        yield [proof[0], *proof]
    for at, each in enumerate(proof):
        yield [*proof[:at], bytes([each[0] ^ 4]) + each[1:], *proof[at + 1 :]]
        yield [*proof[:at], each[:31] + bytes([each[31] ^ 128]), *proof[at + 1 :]]
        yield [*proof[:at], each + b"\0", *proof[at + 1 :]]
        yield [*proof[:at], each[:-1], *proof[at + 1 :]]
    for at in range(len(proof) - 1):
        yield [*proof[:at], proof[at + 1], proof[at], *proof[at + 2 :]]


def spoilt_inclusions(index, size, leaf, proof, root):
    good = {"index": index, "size": size, "leaf": leaf, "proof": proof, "root": root}
    yield from ({**good, "index": wrong} for wrong in {index - 1, index + 1, index ^ 2})
    yield from ({**good, "size": wrong} for wrong in {size * 2, size // 2} - {size})
    yield from ({**good, "leaf": wrong} for wrong in (b"", SOME, root) if wrong != leaf)
    yield from ({**good, "root": wrong} for wrong in (b"", SOME, leaf) if wrong != root)
    yield from ({**good, "proof": wrong} for wrong in spoilt_lists(proof, root, leaf))


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_no_spoilt_inclusion_is_believed(size):
    for index in range(size):
        leaf = LOG.read(0, index)
        proof = engine.inclusion_proof(index, size, LOG.read)
        spoilt = list(spoilt_inclusions(index, size, leaf, proof, ROOTS[size]))
        assert len(spoilt) >= 15
        for wrong in spoilt:
            with pytest.raises(engine.BadProofError):
                engine.verify_inclusion(**wrong)


def spoilt_consistencies(old, new, proof):
    old_root, new_root = ROOTS[old], ROOTS[new]
    good = {
        "old_size": old, "old_root": old_root, "new_size": new, "new_root": new_root, "proof": proof,
    }  # fmt: skip
    yield from ({**good, "old_size": wrong} for wrong in {old - 1, old + 1, old ^ 2} - {0})
    yield from ({**good, "new_size": wrong} for wrong in {new * 2, new // 2} - {new})
    yield from ({**good, "old_root": wrong} for wrong in (b"", SOME, new_root) if wrong != old_root)
    yield from ({**good, "new_root": wrong} for wrong in (b"", SOME, old_root) if wrong != new_root)
    if old != new:
        yield {**good, "old_root": new_root, "new_root": old_root}
    yield from ({**good, "proof": wrong} for wrong in spoilt_lists(proof, old_root, new_root))


@pytest.mark.parametrize("new", range(1, LARGEST + 1))
def test_no_spoilt_consistency_is_believed(new):
    for old in range(1, new + 1):
        proof = engine.consistency_proof(old, new, LOG.read)
        spoilt = list(spoilt_consistencies(old, new, proof))
        assert len(spoilt) >= 12
        for wrong in spoilt:
            with pytest.raises(engine.BadProofError):
                engine.verify_consistency(**wrong)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 0), (2, 1), (1, 1), (-1, 1), (0, -1)])
def test_no_entry_outside_the_tree_is_believed(index, size):
    for leaf in (engine.EMPTY_ROOT, SOME):
        for proof in ([], [SOME]):
            with pytest.raises(engine.BadProofError):
                engine.verify_inclusion(index=index, size=size, leaf=leaf, proof=proof, root=leaf)
