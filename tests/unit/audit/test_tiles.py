import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinfold.audit.merkle import (
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from pinfold.audit.tiles import TileKey, TileNodes, grow
from pinfold.domain.errors import StoreError

LEAVES = [leaf_hash(b"entry %d" % number) for number in range(70_000)]


class KeptTiles(dict[TileKey, bytes]):
    reads = 0

    def tile(self, level: int, index: int) -> bytes:
        self.reads += 1
        return self.get((level, index), b"")


@pytest.fixture(scope="module")
def kept() -> KeptTiles:
    tiles = KeptTiles()
    tiles.update(grow(0, LEAVES, tiles))
    return tiles


@settings(max_examples=30)
@given(st.lists(st.integers(1, 300), max_size=6))
def test_tiles_do_not_depend_on_how_commits_are_grouped(groups: list[int]) -> None:
    tiles, size = KeptTiles(), 0
    for group in groups:
        tiles.update(grow(size, LEAVES[size : size + group], tiles))
        size += group
    at_once = KeptTiles()
    assert tiles == grow(0, LEAVES[:size], at_once)
    assert CompactRange.at(size, TileNodes(tiles)).root() == root_hash(LEAVES[:size])


def test_a_tile_holds_the_roots_of_256_of_the_level_below(kept: KeptTiles) -> None:
    assert kept[0, 1] == b"".join(LEAVES[256:512])
    assert kept[1, 0][32:64] == root_hash(LEAVES[256:512])
    assert kept[2, 0] == root_hash(LEAVES[:65_536])
    assert sorted({level for level, _ in kept}) == [0, 1, 2]


def test_an_append_touches_few_tiles_whatever_the_size(kept: KeptTiles) -> None:
    before = kept.reads
    changed = grow(70_000, LEAVES[:16], kept)
    assert list(changed) == [(0, 70_000 // 256)]
    assert kept.reads == before + 1


@settings(max_examples=30)
@given(st.integers(1, 70_000), st.data())
def test_proofs_from_tiles_verify_with_few_reads(kept: KeptTiles, size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    root = CompactRange.at(size, TileNodes(kept)).root()
    old_root = CompactRange.at(old, TileNodes(kept)).root()
    before = kept.reads
    inclusion = inclusion_proof(index, size, TileNodes(kept))
    consistency = consistency_proof(old, size, TileNodes(kept))
    assert kept.reads - before <= 10
    assert verify_inclusion(index, size, LEAVES[index], inclusion, root)
    assert verify_consistency(old, size, old_root, root, consistency)


def test_a_missing_tile_is_no_proof(kept: KeptTiles) -> None:
    torn = KeptTiles(kept)
    torn[0, 3] = torn[0, 3][:-32]
    with pytest.raises(StoreError, match="tile 0/3 is damaged"):
        inclusion_proof(3 * 256 + 3, 70_000, TileNodes(torn))
    del torn[1, 0]
    with pytest.raises(StoreError, match="tile 1/0 is damaged"):
        inclusion_proof(0, 70_000, TileNodes(torn))


@pytest.mark.parametrize("size", [255, 257, 300])
def test_nothing_is_appended_where_the_tiles_do_not_fit_the_size(size: int) -> None:
    tiles = KeptTiles(grow(0, LEAVES[:258], KeptTiles()))
    with pytest.raises(StoreError, match=r"tile 0/. is damaged"):
        grow(size, LEAVES[:1], tiles)
