"""A log in memory with its keys, for the tests of the border."""

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from renkei.border import engine


def ed25519(seed):
    """A key that is the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(sha256(seed.encode()).digest())


def mldsa44(seed):
    """A key that is the same in every run."""
    return MLDSA44PrivateKey.from_seed_bytes(sha256(seed.encode()).digest())


class Log:
    """Entries, every node of their tree, and the log's two keys."""

    def __init__(self, origin="us.example/log", entries=(), seed=""):
        self.origin = origin
        self.ed25519 = engine.Ed25519NoteSigner(origin, ed25519(seed + origin))
        self.mldsa44 = engine.MlDsa44Cosigner(origin, mldsa44(seed + origin))
        self.keys = (self.ed25519.key, self.mldsa44.key)
        self.entries, self.nodes = [], {}
        self.frontier = engine.Frontier.empty()
        self.append(entries)

    def append(self, entries):
        entries = list(entries)
        self.entries += entries
        self.frontier, levels = self.frontier.grown(map(engine.leaf_hash, entries))
        for height, (first, hashes) in levels.items():
            self.nodes.update({(height, at): each for at, each in enumerate(hashes, first)})

    def read(self, height, index):
        return self.nodes[height, index]

    def checkpoint(self, size=None, timestamp=1_790_000_000):
        """The signed checkpoint of the first ``size`` entries."""
        size = len(self.entries) if size is None else size
        root = engine.frontier_of(size, self.read).root
        return engine.sign_checkpoint(
            engine.Checkpoint(self.origin, size, root),
            ed25519=self.ed25519,
            mldsa44=self.mldsa44,
            timestamp=timestamp,
        )

    def publish(self, folder):
        """Write all tiles, bundles and the checkpoint below a folder."""
        for tile in engine.new_tiles(0, len(self.entries)):
            file = folder / tile.path
            file.parent.mkdir(parents=True, exist_ok=True)
            first = tile.index * engine.TILE_WIDTH
            file.write_bytes(
                engine.bundle(self.entries[first : first + tile.width])
                if tile.level == engine.ENTRIES
                else engine.tile_hashes(tile, self.read)
            )
        (folder / "checkpoint").write_bytes(self.checkpoint())


def numbered(count, first=0):
    """Entries that are all different."""
    return [b"entry %d" % number for number in range(first, first + count)]


def cosigners(name):
    """A cosigner's two keys under one name."""
    return (
        engine.Ed25519Cosigner(name, ed25519(name)),
        engine.MlDsa44Cosigner(name, mldsa44(name)),
    )
