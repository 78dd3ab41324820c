"""The Merkle tree of RFC 6962 (RFC 9162, section 2.1): its hashes, its growth and its proofs.

Leaves are counted from 0. A *node* is a complete subtree, addressed as the RFCs' followers do: node `(level, index)`
covers the `2**level` leaves from `index * 2**level` on and never changes once its last leaf is there, so whatever
keeps the nodes (see `tiles`) can serve every proof for every size that the tree ever had, in O(log n) reads.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Protocol, Self

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of the tree without leaves."""

_MAX_SIZE = 2**63
_COUNT_BYTES = 8


class NodeSource(Protocol):
    """Where the hashes of complete subtrees are kept."""

    def node(self, level: int, index: int) -> bytes:
        """Return a node's hash; raises StoreError where it should be kept and is not."""
        ...


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf. The prefix keeps a leaf from being passed off as a node."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two hashes side by side."""
    return sha256(b"\x01" + left + right).digest()


def split_hashes(data: bytes) -> list[bytes]:
    """Return the hashes that were written one after the other; the last one is short where the data are torn."""
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def subtrees(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the fewest nodes that cover the leaves from `start` up to, not including, `end`, from left to right."""
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        yield level, start >> level
        start += 1 << level


class CompactRange:
    """The leaves from 0 on, reduced to the hashes of the nodes that cover them: what a tree needs in order to grow.

    At most one hash per bit of the size. `bytes()` gives a form to store, `from_bytes` takes it back.
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self._size = size
        self._hashes = list(hashes)
        if not 0 <= size < _MAX_SIZE or len(self._hashes) != size.bit_count():
            raise ValueError(f"{len(self._hashes)} hashes cannot cover {size} leaves")
        if not all(map(_is_hash, self._hashes)):
            raise ValueError("a hash has the wrong length")

    @classmethod
    def at(cls, size: int, nodes: NodeSource) -> Self:
        """Return what a tree was reduced to when it had so many leaves."""
        return cls(size, [nodes.node(level, index) for level, index in subtrees(0, size)])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return what `bytes()` was taken of; raises ValueError for anything else."""
        size, hashes = data[:_COUNT_BYTES], data[_COUNT_BYTES:]
        if len(size) < _COUNT_BYTES:
            raise ValueError("a compact range starts with its size")
        return cls(int.from_bytes(size), split_hashes(hashes))

    def __bytes__(self) -> bytes:
        return self._size.to_bytes(_COUNT_BYTES) + b"".join(self._hashes)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The hashes of the nodes that cover the leaves, from left to right."""
        return tuple(self._hashes)

    def copy(self) -> "CompactRange":
        """Return an independent range of the same leaves."""
        return CompactRange(self._size, self._hashes)

    def append(self, node: bytes, level: int = 0) -> None:
        """Add a leaf's hash, in amortised O(1), or that of the next complete subtree of a level.

        Raises ValueError where no subtree of that level can begin at this size.
        """
        if self._size & ((1 << level) - 1):
            raise ValueError(f"no subtree of level {level} begins at leaf {self._size}")
        carry = self._size >> level
        while carry & 1:
            node = node_hash(self._hashes.pop(), node)
            carry >>= 1
        self._hashes.append(node)
        self._size += 1 << level

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add the hashes of leaves, as `append` does one by one."""
        for leaf in leaves:
            node, carry = leaf, self._size
            while carry & 1:
                node = node_hash(self._hashes.pop(), node)
                carry >>= 1
            self._hashes.append(node)
            self._size += 1

    def root(self) -> bytes:
        """Return the tree's root hash."""
        return _fold(self._hashes) if self._hashes else EMPTY_ROOT


def root_hash(leaves: Iterable[bytes]) -> bytes:
    """Return the root of the tree over leaf hashes."""
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def inclusion_proof(index: int, size: int, nodes: NodeSource) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size` leaves (RFC 9162, section 2.1.3.1).

    Raises ValueError where there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    return [_range_hash(start, end, nodes) for start, end in _inclusion_path(index, size)]


def consistency_proof(old_size: int, new_size: int, nodes: NodeSource) -> list[bytes]:
    """Return the proof that a tree grew from one size to another by appending only (RFC 9162, section 2.1.4.1).

    Raises ValueError where the sizes do not follow each other.
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a tree does not grow from {old_size} to {new_size} leaves")
    return [_range_hash(start, end, nodes) for start, end in _consistency_path(old_size, new_size)]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether a proof shows that the tree of this size and root has this leaf hash at `index`."""
    if not 0 <= index < size < _MAX_SIZE or not all(map(_is_hash, [leaf, root, *proof])):
        return False
    path = _inclusion_path(index, size)
    if len(path) != len(proof):
        return False
    reached = leaf
    for (start, _), sibling in zip(path, proof, strict=True):
        reached = node_hash(reached, sibling) if start > index else node_hash(sibling, reached)
    return reached == root


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether a proof shows that the first tree's leaves are the second tree's first leaves."""
    if not 0 <= old_size <= new_size < _MAX_SIZE or not all(map(_is_hash, [old_root, new_root, *proof])):
        return False
    path = _consistency_path(old_size, new_size)
    if len(path) != len(proof):
        return False
    if old_size == new_size:
        return old_root == new_root
    if old_size == 0:
        return old_root == EMPTY_ROOT
    steps = list(zip(path, proof, strict=True))
    # The proof begins with the old tree's last subtree, unless that is the whole old tree, whose root is known.
    seed = old_root if old_size.bit_count() == 1 else steps.pop(0)[1]
    old = new = seed
    for (start, _), sibling in steps:
        if start >= old_size:
            new = node_hash(new, sibling)
        else:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
    return old == old_root and new == new_root


def _inclusion_path(index: int, size: int) -> list[tuple[int, int]]:
    """Return the ranges of leaves that a leaf's siblings cover, from the leaf upwards: PATH of RFC 9162."""
    path = []
    start, end = 0, size
    while end - start > 1:
        split = _split(start, end)
        if index < split:
            path.append((split, end))
            end = split
        else:
            path.append((start, split))
            start = split
    return path[::-1]


def _consistency_path(old_size: int, new_size: int) -> list[tuple[int, int]]:
    """Return the ranges of leaves whose hashes link two sizes, from the deepest upwards: SUBPROOF of RFC 9162."""
    if old_size == 0:
        return []
    path = []
    start, end = 0, new_size
    while end != old_size:
        split = _split(start, end)
        if old_size <= split:
            path.append((split, end))
            end = split
        else:
            path.append((start, split))
            start = split
    if start:
        path.append((start, end))
    return path[::-1]


def _split(start: int, end: int) -> int:
    """Return where a subtree parts: after the largest power of two of leaves that leaves something on the right."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def _range_hash(start: int, end: int, nodes: NodeSource) -> bytes:
    return _fold([nodes.node(level, index) for level, index in subtrees(start, end)])


def _fold(hashes: Sequence[bytes]) -> bytes:
    *rest, folded = hashes
    for left in reversed(rest):
        folded = node_hash(left, folded)
    return folded


def _is_hash(value: bytes) -> bool:
    return len(value) == HASH_SIZE
