"""The tree: known roots, the recursive definition, proofs, and every way to spoil one."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.border import engine

# The entries and the roots of the trees of 1 to 8 of them that the authors of RFC 6962 used in
# their implementation's tests; every other implementation repeats them.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243",
        "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def defined(leaves):
    """The hash of a list of leaves, word for word as RFC 6962, 2.1 defines it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1" + defined(leaves[:k]) + defined(leaves[k:])).digest()


def leaves_of(count):
    return [engine.leaf_hash(b"entry %d" % number) for number in range(count)]


def reader(leaves):
    """Nodes by the definition, for complete subtrees alone."""

    def read(height, index):
        part = leaves[index << height : (index + 1) << height]
        assert len(part) == 1 << height
        return defined(part)

    return read


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots(size):
    """Test data of the implementation of RFC 6962."""
    leaves = list(map(engine.leaf_hash, ENTRIES[:size]))
    assert engine.root_of(leaves).hex() == ROOTS[size - 1]


def test_the_empty_tree():
    assert engine.Frontier.empty().root == engine.EMPTY_ROOT == sha256().digest()


def test_the_worked_proofs_of_the_rfc():
    """RFC 6962, 2.1.3: which nodes prove entries 0, 3, 4, 6 of 7, and sizes 3, 4, 6 to 7."""
    leaves = leaves_of(7)
    read = reader(leaves)
    a, b, c, d, e, f, j = leaves
    node = engine.node_hash
    g, h, i = node(a, b), node(c, d), node(e, f)
    k, l = node(g, h), node(i, j)  # noqa: E741 - the letters of the figure
    assert engine.inclusion_proof(0, 7, read) == [b, h, l]
    assert engine.inclusion_proof(3, 7, read) == [c, g, l]
    assert engine.inclusion_proof(4, 7, read) == [f, j, k]
    assert engine.inclusion_proof(6, 7, read) == [i, k]
    assert engine.consistency_proof(3, 7, read) == [c, d, g, l]
    assert engine.consistency_proof(4, 7, read) == [l]
    assert engine.consistency_proof(6, 7, read) == [i, j, k]


@given(st.lists(st.integers(0, 70), max_size=6))
def test_the_edge_is_the_definition_however_the_entries_come(batches):
    frontier, leaves = engine.Frontier.empty(), []
    completed = {}
    for batch in batches:
        more = [engine.leaf_hash(b"%d" % (len(leaves) + at)) for at in range(batch)]
        leaves += more
        frontier, levels = frontier.grown(more)
        for height, (first, hashes) in levels.items():
            for at, each in enumerate(hashes, first):
                assert (height, at) not in completed
                completed[height, at] = each
    assert frontier.size == len(leaves)
    assert frontier.root == engine.root_of(leaves) == defined(leaves)
    assert engine.Frontier.load(frontier.dump()) == frontier
    read = reader(leaves)
    assert engine.frontier_of(len(leaves), read) == frontier
    # What was completed is every complete subtree, once.
    assert set(completed) == {
        (height, at)
        for height in range(len(leaves).bit_length())
        for at in range(len(leaves) >> height)
    }
    assert all(hash_ == read(*place) for place, hash_ in completed.items())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 31, 33, 64])
def test_every_entry_is_proved_and_no_other(size):
    leaves = leaves_of(size)
    root, read = defined(leaves), reader(leaves)
    for index, leaf in enumerate(leaves):
        proof = engine.inclusion_proof(index, size, read)
        engine.verify_inclusion(index=index, size=size, leaf=leaf, proof=proof, root=root)
        for other in set(range(size)) - {index}:
            with pytest.raises(engine.BadProofError):
                engine.verify_inclusion(index=other, size=size, leaf=leaf, proof=proof, root=root)


def test_every_pair_of_sizes_is_proved():
    leaves = leaves_of(40)
    read = reader(leaves)
    roots = [defined(leaves[:size]) for size in range(41)]
    for new in range(41):
        for old in range(new + 1):
            proof = engine.consistency_proof(old, new, read)
            good = {"old_size": old, "old_root": roots[old], "new_size": new}
            engine.verify_consistency(**good, new_root=roots[new], proof=proof)
            if old not in (0, new):
                for wrong in ({"new_root": roots[old]}, {"old_root": roots[new]}):
                    with pytest.raises(engine.BadProofError):
                        engine.verify_consistency(
                            **{**good, "new_root": roots[new], "proof": proof, **wrong}
                        )


def spoilt(data, rng_bit):
    at, bit = divmod(rng_bit % (len(data) * 8), 8)
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


@given(st.data())
def test_any_bit_flipped_fails(data):
    size = data.draw(st.integers(2, 200), "size")
    leaves = leaves_of(size)
    root, read = defined(leaves), reader(leaves)
    bit = data.draw(st.integers(0, 10**6), "bit")
    index = data.draw(st.integers(0, size - 1), "index")
    proof = engine.inclusion_proof(index, size, read)
    at = data.draw(st.integers(0, len(proof) - 1), "place")
    bad = [*proof[:at], spoilt(proof[at], bit), *proof[at + 1 :]]
    good = {"index": index, "size": size, "leaf": leaves[index], "proof": proof, "root": root}
    for wrong in (
        {"proof": bad},
        {"leaf": spoilt(leaves[index], bit)},
        {"root": spoilt(root, bit)},
        {"proof": proof[:-1]},
        {"proof": [*proof, root]},
        {"proof": [*proof[:-1], proof[-1][:31]]},
    ):
        with pytest.raises(engine.BadProofError):
            engine.verify_inclusion(**{**good, **wrong})

    old = data.draw(st.integers(1, size - 1), "old")
    proof = engine.consistency_proof(old, size, read)
    at = data.draw(st.integers(0, len(proof) - 1), "place")
    old_root = defined(leaves[:old])
    good = {
        "old_size": old,
        "old_root": old_root,
        "new_size": size,
        "new_root": root,
        "proof": proof,
    }
    engine.verify_consistency(**good)
    for wrong in (
        {"proof": [*proof[:at], spoilt(proof[at], bit), *proof[at + 1 :]]},
        {"old_root": spoilt(old_root, bit)},
        {"new_root": spoilt(root, bit)},
        {"proof": proof[:-1]},
        {"proof": [*proof, root]},
        {"proof": []},
        {"old_size": old + 1} if old + 1 < size else {"old_size": 0},
    ):
        with pytest.raises(engine.BadProofError):
            engine.verify_consistency(**{**good, **wrong})


@given(
    st.integers(1, 2**63 - 1),
    st.integers(1, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=70),
)
def test_no_sizes_make_verification_long_or_crash(one, other, proof):
    """A proof is at most as long as a tree is high, whatever a stranger sends."""
    root = bytes(32)
    with pytest.raises(engine.BadProofError):
        engine.verify_consistency(
            old_size=one, old_root=root, new_size=other, new_root=b"\1" * 32, proof=proof
        )
    with pytest.raises(engine.BadProofError):
        engine.verify_inclusion(index=one, size=other, leaf=b"\2" * 32, proof=proof, root=root)


def test_size_zero_and_equal_sizes():
    root = engine.root_of(leaves_of(5))
    empty = {"old_size": 0, "old_root": engine.EMPTY_ROOT}
    engine.verify_consistency(**empty, new_size=5, new_root=root, proof=[])
    engine.verify_consistency(**empty, new_size=0, new_root=engine.EMPTY_ROOT, proof=[])
    engine.verify_consistency(old_size=5, old_root=root, new_size=5, new_root=root, proof=[])
    for wrong in (
        {**empty, "new_size": 5, "new_root": root, "proof": [root]},
        {**empty, "new_size": 0, "new_root": root, "proof": []},
        {"old_size": 0, "old_root": root, "new_size": 5, "new_root": root, "proof": []},
        {"old_size": 5, "old_root": root, "new_size": 5, "new_root": root, "proof": [root]},
        {"old_size": 5, "old_root": root, "new_size": 5, "new_root": bytes(32), "proof": []},
        {"old_size": 5, "old_root": root, "new_size": 4, "new_root": root, "proof": []},
        {"old_size": -1, "old_root": root, "new_size": 4, "new_root": root, "proof": []},
    ):
        with pytest.raises(engine.BadProofError):
            engine.verify_consistency(**wrong)


def test_what_is_outside_the_tree_is_refused():
    read = reader(leaves_of(4))
    for index, size in ((4, 4), (-1, 4), (0, 0), (0, 2**63)):
        with pytest.raises(engine.OutOfTreeError, match="has no entry"):
            engine.inclusion_proof(index, size, read)
    for old, new in ((5, 4), (-1, 4), (1, 2**63)):
        with pytest.raises(engine.OutOfTreeError, match="cannot grow"):
            engine.consistency_proof(old, new, read)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 7, b"\0" * 40, b"\0" * 7 + b"\3" + b"\0" * 32, b"\0" * 7 + b"\1" + b"\0" * 31,
     b"\xff" * 8 + b"\0" * 32 * 64],
)  # fmt: skip
def test_a_stored_edge_that_is_none_is_refused(data):
    with pytest.raises(engine.BadFrontierError):
        engine.Frontier.load(data)


def test_a_hash_of_another_length_is_not_appended():
    with pytest.raises(engine.BadFrontierError, match="32 bytes"):
        engine.Frontier.empty().extended([bytes(32), bytes(31)])
