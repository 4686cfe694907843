"""The Merkle tree of a log: append, prove, verify.

The right edge of a tree is a ``Frontier``, all that appending needs. Proofs are made from a
``NodeReader``, which is somebody else's memory of the tree: tiles (``_tiles``) or a table.

Source: RFC 6962, section 2.1; RFC 9162, sections 2.1.3.2 and 2.1.4.2 (the verifications).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from renkei.kit.errors import RenkeiError, gettext_noop

HASH_BYTES = 32
LARGEST_SIZE = 2**63 - 1  # other readers of the formats keep sizes in signed 64 bits
EMPTY_ROOT = sha256(b"").digest()

NodeReader = Callable[[int, int], bytes]
"""(height, index) to the hash of that complete subtree: entries [index << height, + 1 << height)."""


class BadProofError(RenkeiError):
    """A proof does not prove what it is said to prove."""

    code = "border.bad_proof"


class OutOfTreeError(RenkeiError):
    """A position or a size lies outside the tree."""

    code = "border.out_of_tree"


class BadFrontierError(RenkeiError):
    """The stored right edge of a tree cannot be one."""

    code = "border.bad_frontier"


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry, 32 bytes."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two hashes."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Frontier:
    """The right edge of a tree: what is needed to append to it and to know its root.

    Args:
        size: entries in the tree, 0 to 2⁶³-1.
        hashes: of the complete subtrees that the size is made of, largest (leftmost) first;
            as many as the size has ones in binary.
    """

    size: int
    hashes: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.size <= LARGEST_SIZE:
            raise BadFrontierError(
                gettext_noop("a tree has 0 to 2^63-1 entries, not {size}"), size=self.size
            )
        expected = self.size.bit_count()
        if len(self.hashes) != expected or any(len(each) != HASH_BYTES for each in self.hashes):
            raise BadFrontierError(
                gettext_noop(
                    "the edge of a tree of {size} entries is {expected} hashes of 32 bytes"
                ),
                size=self.size,
                expected=expected,
            )

    @classmethod
    def empty(cls) -> "Frontier":
        """Return the edge of the tree without entries."""
        return cls(0, ())

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        if not self.hashes:
            return EMPTY_ROOT
        *rest, root = self.hashes
        for left in reversed(rest):
            root = node_hash(left, root)
        return root

    def extended(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """Return the edge after appending entries, by their hashes."""
        return self.grown(leaf_hashes)[0]

    def grown(
        self, leaf_hashes: Iterable[bytes]
    ) -> tuple["Frontier", Mapping[int, tuple[int, Sequence[bytes]]]]:
        """Append, and tell which subtrees that completed.

        Returns:
            The new edge, and for each height the index of the first subtree completed and the
            hashes of all of them in order; height 0 are the entries themselves.
        """
        level = list(leaf_hashes)
        if not {HASH_BYTES}.issuperset(map(len, level)):
            raise BadFrontierError(gettext_noop("an entry's hash has 32 bytes"))
        size = self.size + len(level)
        heights = [height for height in range(self.size.bit_length()) if self.size >> height & 1]
        edge = dict(zip(reversed(heights), self.hashes, strict=True))
        completed: dict[int, tuple[int, Sequence[bytes]]] = {}
        height, index = 0, self.size
        # The whole batch goes up one level at a time: one tight loop a level, no stack an entry.
        while level:
            completed[height] = (index, level)
            if index & 1:
                level = [edge.pop(height), *level]
            if len(level) & 1:
                edge[height] = level[-1]
            level = [
                sha256(b"\x01" + left + right).digest()
                for left, right in zip(level[::2], level[1::2], strict=False)
            ]
            index >>= 1
            height += 1
        return Frontier(size, tuple(edge[at] for at in sorted(edge, reverse=True))), completed

    def dump(self) -> bytes:
        """Return the edge as bytes: the size in 8, then the hashes."""
        return self.size.to_bytes(8, "big") + b"".join(self.hashes)

    @classmethod
    def load(cls, data: bytes) -> "Frontier":
        """Read what ``dump`` wrote.

        Raises:
            BadFrontierError: it has another length, or cannot be the edge of a tree.
        """
        if len(data) < 8 or (len(data) - 8) % HASH_BYTES:
            raise BadFrontierError(gettext_noop("the stored edge of a tree is cut short"))
        hashes = tuple(data[at : at + HASH_BYTES] for at in range(8, len(data), HASH_BYTES))
        return cls(int.from_bytes(data[:8], "big"), hashes)


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """Return the root of the tree of these entries, given by their hashes."""
    return Frontier.empty().extended(leaf_hashes).root


def frontier_of(size: int, read: NodeReader) -> Frontier:
    """Return the right edge of a tree of that size, read from memory."""
    hashes, first = [], 0
    for height in reversed(range(size.bit_length())):
        if size >> height & 1:
            hashes.append(read(height, first >> height))
            first += 1 << height
    return Frontier(size, tuple(hashes))


def _range_hash(first: int, last: int, read: NodeReader) -> bytes:
    """Return the hash of entries [first, last), where ``first`` is where a subtree begins."""
    hashes = []
    for height in reversed(range((last - first).bit_length())):
        if (last - first) >> height & 1:
            hashes.append(read(height, first >> height))
            first += 1 << height
    root = hashes.pop()
    while hashes:
        root = node_hash(hashes.pop(), root)
    return root


def _middle(first: int, last: int) -> int:
    """Return where the largest complete subtree on the left of a range ends."""
    return first + (1 << ((last - first - 1).bit_length() - 1))


def inclusion_proof(index: int, size: int, read: NodeReader) -> list[bytes]:
    """Prove that the tree of ``size`` entries has that entry at ``index``.

    Returns:
        The siblings from the leaf up, at most 63 hashes.

    Raises:
        OutOfTreeError: there is no such entry in a tree of that size.

    Source: RFC 6962, 2.1.1.
    """
    if not 0 <= index < size <= LARGEST_SIZE:
        raise OutOfTreeError(
            gettext_noop("a tree of {size} entries has no entry {index}"), size=size, index=index
        )
    first, last, path = 0, size, []
    while last - first > 1:
        middle = _middle(first, last)
        if index < middle:
            path.append(_range_hash(middle, last, read))
            last = middle
        else:
            path.append(_range_hash(first, middle, read))
            first = middle
    return path[::-1]


def consistency_proof(old: int, new: int, read: NodeReader) -> list[bytes]:
    """Prove that the tree of ``new`` entries begins with the tree of ``old`` entries.

    Returns:
        At most 64 hashes; none if the sizes are equal or ``old`` is 0.

    Raises:
        OutOfTreeError: the old tree would be the larger one.

    Source: RFC 6962, 2.1.2.
    """
    if not 0 <= old <= new <= LARGEST_SIZE:
        raise OutOfTreeError(
            gettext_noop("a tree cannot grow from {old} entries to {new}"), old=old, new=new
        )
    if old == 0:
        return []
    first, last, path = 0, new, []
    while old != last:
        middle = _middle(first, last)
        if old <= middle:
            path.append(_range_hash(middle, last, read))
            last = middle
        else:
            path.append(_range_hash(first, middle, read))
            first = middle
    if first:  # the old tree is not itself a subtree of the new one: its last part comes first
        path.append(_range_hash(first, last, read))
    return path[::-1]


def _check_proof_form(proof: Sequence[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in proof):
        raise BadProofError(gettext_noop("a proof is made of hashes of 32 bytes"))


def verify_inclusion(
    *, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the tree with this root and size has this leaf at this index.

    Args:
        index: from 0.
        size: entries in the tree.
        leaf: the entry's hash (``leaf_hash``).
        proof: siblings from the leaf up.
        root: of the tree, from a verified checkpoint.

    Raises:
        BadProofError: it does not.

    Source: RFC 9162, 2.1.3.2.
    """
    _check_proof_form(proof)
    if not 0 <= index < size <= LARGEST_SIZE:
        raise BadProofError(
            gettext_noop("a tree of {size} entries has no entry {index}"), size=size, index=index
        )
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise BadProofError(
                gettext_noop("the proof of inclusion is longer than the tree is high")
            )
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:  # a lone right edge goes up without a sibling
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    if last != 0 or found != root:
        raise BadProofError(
            gettext_noop(
                "the proof does not lead from entry {index} to the root of {size} entries"
            ),
            index=index,
            size=size,
        )


def consistency_roots(old_size: int, new_size: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the two roots that a consistency path leads to.

    Args:
        old_size: at least 1 and less than ``new_size``.
        new_size: at most 2⁶³-1.
        path: the proof, with the old root before it where ``old_size`` is a power of two.

    Raises:
        BadProofError: the path has another length than these sizes need.

    Source: RFC 9162, 2.1.4.2.
    """
    _check_proof_form(path)
    if not 0 < old_size < new_size <= LARGEST_SIZE or not path:
        raise BadProofError(
            gettext_noop("a tree of {new} entries is not proved to continue one of {old}"),
            old=old_size,
            new=new_size,
        )
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_root = new_root = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise BadProofError(
                gettext_noop("the proof of consistency is longer than the tree is high")
            )
        if at & 1 or at == last:
            old_root = node_hash(sibling, old_root)
            new_root = node_hash(sibling, new_root)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new_root = node_hash(new_root, sibling)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise BadProofError(gettext_noop("the proof of consistency is cut short"))
    return old_root, new_root


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the new tree begins with the old one.

    From the empty tree everything follows, and nothing needs a proof: it must be empty.

    Raises:
        BadProofError: it does not, or the roots of equal sizes differ.
    """
    if not 0 <= old_size <= new_size <= LARGEST_SIZE:
        raise BadProofError(
            gettext_noop("a tree of {new} entries is not proved to continue one of {old}"),
            old=old_size,
            new=new_size,
        )
    for size, root in ((old_size, old_root), (new_size, new_root)):
        if size == 0 and root != EMPTY_ROOT:
            raise BadProofError(
                gettext_noop("the root of a tree without entries is SHA-256 of nothing")
            )
    if old_size in (0, new_size):
        if proof:
            raise BadProofError(
                gettext_noop("from {old} to {new} entries there is nothing to prove"),
                old=old_size,
                new=new_size,
            )
        if old_size and old_root != new_root:
            raise BadProofError(
                gettext_noop("two trees of {size} entries have different roots"), size=old_size
            )
        return
    # A power of two is a complete subtree: its root stands in the path, and is not sent.
    path = [old_root, *proof] if old_size.bit_count() == 1 else list(proof)
    if consistency_roots(old_size, new_size, path) != (old_root, new_root):
        raise BadProofError(
            gettext_noop("a tree of {new} entries is not proved to continue one of {old}"),
            old=old_size,
            new=new_size,
        )
