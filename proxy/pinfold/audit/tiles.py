"""How the tree is kept: tiles of 256 hashes, laid out as in C2SP tlog-tiles (https://c2sp.org/tlog-tiles).

Tile `(level, index)` is the concatenation of up to 256 node hashes of tree level `8 * level`, the first being node
`256 * index`. The levels in between are hashed anew from a tile when a proof asks for them. Against one row per node
this takes a third of the space, 35 instead of 90 bytes per entry in SQLite, at the same cost to append, and only the
last tile of each level is ever written again. Tiles stay when entries are pruned: all proofs go on working.
"""

from collections.abc import Iterable
from typing import Protocol

from pinfold.audit.merkle import HASH_SIZE, node_hash, split_hashes
from pinfold.domain.errors import StoreError

WIDTH = 256
_HEIGHT = 8
_TILE_BYTES = WIDTH * HASH_SIZE

TileKey = tuple[int, int]
"""A tile's level and index."""


class TileSource(Protocol):
    """Where tiles are kept."""

    def tile(self, level: int, index: int) -> bytes:
        """Return a tile as far as it is filled; empty where it is not kept."""
        ...


class TileNodes:
    """The nodes of a tree that is kept as tiles; each tile is read once, so make a new one for every question."""

    def __init__(self, tiles: TileSource) -> None:
        self._tiles = tiles
        self._read: dict[TileKey, bytes] = {}

    def node(self, level: int, index: int) -> bytes:
        """Return a node's hash; raises StoreError where the tiles do not have it."""
        tile_level, height = divmod(level, _HEIGHT)
        tile_index, place = divmod(index << height, WIDTH)
        tile = self._tile(tile_level, tile_index)
        wanted = tile[place * HASH_SIZE : (place + (1 << height)) * HASH_SIZE]
        if len(wanted) != HASH_SIZE << height:
            raise StoreError(f"the audit log's tile {tile_level}/{tile_index} is damaged: it has no hash {place}")
        return _complete_root(split_hashes(wanted))

    def _tile(self, level: int, index: int) -> bytes:
        key = level, index
        if key not in self._read:
            self._read[key] = self._tiles.tile(level, index)
        return self._read[key]


def grow(size: int, leaves: Iterable[bytes], tiles: TileSource) -> dict[TileKey, bytes]:
    """Return the tiles that change when leaf hashes are appended to a tree of `size` leaves, with their new content.

    Raises StoreError where the last tiles do not fit the size. Whoever stores the result must make sure that nobody
    else appends in between: read the size, grow and write within one transaction.
    """
    changed: dict[TileKey, bytes] = {}
    level, nodes = 0, list(leaves)
    while nodes:
        index, filled = divmod(size, WIDTH)
        nodes = _unfinished(level, index, filled, tiles) + nodes
        full = []
        for at in range(0, len(nodes), WIDTH):
            tile = nodes[at : at + WIDTH]
            changed[level, index + at // WIDTH] = b"".join(tile)
            if len(tile) == WIDTH:
                full.append(_complete_root(tile))
        level, nodes, size = level + 1, full, index
    return changed


def _unfinished(level: int, index: int, filled: int, tiles: TileSource) -> list[bytes]:
    tile = tiles.tile(level, index) if filled else b""
    if len(tile) != filled * HASH_SIZE:
        raise StoreError(f"the audit log's tile {level}/{index} is damaged: it has {len(tile)} bytes")
    return split_hashes(tile)


def _complete_root(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]
