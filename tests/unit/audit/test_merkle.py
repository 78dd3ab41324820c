import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.unit.audit import rfc6962

from pinfold.audit.merkle import (
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_hash,
    subtrees,
    verify_consistency,
    verify_inclusion,
)

# The eight leaves of the reference tests of Certificate Transparency, and the roots of the trees of 0 to 8 of them.
INPUTS = [
    bytes.fromhex(data)
    for data in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}

sizes = st.integers(1, 70)
hashes = st.binary(min_size=32, max_size=32)


class Nodes:
    """Every complete subtree of a small tree."""

    def __init__(self, data: list[bytes]) -> None:
        self.data = data

    def node(self, level: int, index: int) -> bytes:
        covered = self.data[index << level : (index + 1) << level]
        assert len(covered) == 1 << level, "an incomplete subtree has no hash that stays"
        return rfc6962.mth(covered)


def entries(size: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(size)]


def test_the_reference_roots() -> None:
    for size, root in enumerate(ROOTS):
        assert rfc6962.mth(INPUTS[:size]) == root
        assert root_hash(map(leaf_hash, INPUTS[:size])) == root
    assert ROOTS[0] == EMPTY_ROOT


def test_the_reference_inclusion_proofs() -> None:
    for (index, size), expected in INCLUSION.items():
        proof = inclusion_proof(index, size, Nodes(INPUTS))
        assert [step.hex() for step in proof] == expected
        assert verify_inclusion(index, size, leaf_hash(INPUTS[index]), proof, ROOTS[size])


def test_the_reference_consistency_proofs() -> None:
    for (old, new), expected in CONSISTENCY.items():
        proof = consistency_proof(old, new, Nodes(INPUTS))
        assert [step.hex() for step in proof] == expected
        assert verify_consistency(old, new, ROOTS[old], ROOTS[new], proof)


@given(sizes)
def test_growing_leaf_by_leaf_gives_the_recursive_root(size: int) -> None:
    assert root_hash(map(leaf_hash, entries(size))) == rfc6962.mth(entries(size))


@given(sizes, st.data())
def test_proofs_are_those_of_the_rfc_and_verify(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree = entries(size)
    inclusion = inclusion_proof(index, size, Nodes(tree))
    assert inclusion == rfc6962.path(index, tree)
    assert verify_inclusion(index, size, leaf_hash(tree[index]), inclusion, rfc6962.mth(tree))
    old = data.draw(st.integers(1, size))
    consistency = consistency_proof(old, size, Nodes(tree))
    assert consistency == rfc6962.proof(old, tree)
    assert verify_consistency(old, size, rfc6962.mth(tree[:old]), rfc6962.mth(tree), consistency)


@given(sizes, st.data())
def test_a_proof_of_inclusion_holds_for_nothing_else(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree = entries(size)
    leaf, root, proof = leaf_hash(tree[index]), rfc6962.mth(tree), inclusion_proof(index, size, Nodes(tree))

    other = data.draw(st.integers(-2, 2 * size))
    assume(other != index)
    assert not verify_inclusion(other, size, leaf, proof, root)
    assert not verify_inclusion(index, size, _flipped(leaf, data), proof, root)
    assert not verify_inclusion(index, size, leaf, proof, _flipped(root, data))
    assert not verify_inclusion(index, size, leaf, [*proof, root], root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not verify_inclusion(index, size, leaf, [*proof[:at], _flipped(proof[at], data), *proof[at + 1 :]], root)
        assert not verify_inclusion(index, size, leaf, proof[:at] + proof[at + 1 :], root)


def test_a_proof_of_inclusion_alone_does_not_tell_the_size() -> None:
    # Neighbouring sizes share a leaf's path: it takes the checkpoint, which signs size and root as one.
    tree = entries(13)
    leaf, proof, root = leaf_hash(tree[4]), inclusion_proof(4, 13, Nodes(tree)), rfc6962.mth(tree)
    assert [size for size in range(40) if verify_inclusion(4, size, leaf, proof, root)] == [*range(9, 17)]


@given(sizes, st.data())
def test_a_proof_of_consistency_holds_for_nothing_else(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, size))
    tree = entries(size)
    old, new = rfc6962.mth(tree[:old_size]), rfc6962.mth(tree)
    proof = consistency_proof(old_size, size, Nodes(tree))

    other = data.draw(st.integers(-2, size + 2))
    assume(other != old_size)
    assert not verify_consistency(other, size, old, new, proof)
    assert not verify_consistency(old_size, size, _flipped(old, data), new, proof)
    assert not verify_consistency(old_size, size, old, _flipped(new, data), proof)
    assert not verify_consistency(old_size, size, old, new, [*proof, new])
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:at], _flipped(proof[at], data), *proof[at + 1 :]]
        assert not verify_consistency(old_size, size, old, new, changed)
        assert not verify_consistency(old_size, size, old, new, proof[:at] + proof[at + 1 :])


@given(sizes, st.data())
def test_a_rewritten_prefix_has_no_proof(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, size))
    tree = entries(size)
    rewritten = [*tree]
    rewritten[data.draw(st.integers(0, old_size - 1))] = b"rewritten"
    proof = consistency_proof(old_size, size, Nodes(rewritten))
    assert not verify_consistency(old_size, size, rfc6962.mth(tree[:old_size]), rfc6962.mth(rewritten), proof)


@given(st.lists(st.integers(0, 70), min_size=3, max_size=3).map(sorted))
def test_consistency_is_transitive(three: list[int]) -> None:
    first, second, third = three
    tree = entries(third)
    for old, new in ((first, second), (second, third), (first, third)):
        proof = consistency_proof(old, new, Nodes(tree))
        assert verify_consistency(old, new, rfc6962.mth(tree[:old]), rfc6962.mth(tree[:new]), proof)


def test_the_empty_tree_is_the_beginning_of_every_tree_and_of_nothing_else() -> None:
    assert verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    assert verify_consistency(0, 8, EMPTY_ROOT, ROOTS[8], [])
    assert not verify_consistency(0, 8, ROOTS[1], ROOTS[8], [])
    assert not verify_consistency(0, 0, EMPTY_ROOT, ROOTS[8], [])
    assert not verify_consistency(0, 8, EMPTY_ROOT, ROOTS[8], [ROOTS[1]])


@given(
    st.integers(),
    st.integers(),
    st.one_of(hashes, st.binary()),
    st.one_of(hashes, st.binary()),
    st.lists(st.one_of(hashes, st.binary())),
)
def test_verifiers_answer_no_to_garbage(first: int, second: int, one: bytes, other: bytes, proof: list[bytes]) -> None:
    assume(one != other)
    assert verify_inclusion(first, second, one, proof, other) is False
    assume(first != 0)
    assert verify_consistency(first, second, one, other, proof) is False


def test_an_absurd_size_costs_nothing() -> None:
    assert not verify_inclusion(0, 1 << 1_000_000, ROOTS[1], [ROOTS[1]] * 3, ROOTS[2])
    assert not verify_consistency(1, 1 << 1_000_000, ROOTS[1], ROOTS[2], [ROOTS[1]] * 3)


def test_a_node_cannot_pose_as_a_leaf() -> None:
    left, right = map(leaf_hash, INPUTS[:2])
    assert leaf_hash(left + right) != node_hash(left, right)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="has no leaf"):
        inclusion_proof(index, size, Nodes(INPUTS))


@pytest.mark.parametrize(("old", "new"), [(3, 2), (-1, 2)])
def test_there_is_no_proof_of_shrinking(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="does not grow"):
        consistency_proof(old, new, Nodes(INPUTS))


@given(st.integers(0, 200), st.integers(0, 200))
def test_subtrees_cover_a_range_without_gap_or_overlap(start: int, end: int) -> None:
    covered = [leaf for level, index in subtrees(start, end) for leaf in range(index << level, (index + 1) << level)]
    assert covered == list(range(start, end))


@given(st.integers(0, 70), st.integers(0, 70))
def test_a_compact_range_goes_on_from_what_was_stored(size: int, more: int) -> None:
    tree = entries(size + more)
    stored = bytes(CompactRange.at(size, Nodes(tree[:size])))
    assert len(stored) == 8 + 32 * size.bit_count()
    reloaded = CompactRange.from_bytes(stored)
    assert (reloaded.size, reloaded.root()) == (size, rfc6962.mth(tree[:size]))
    for data in tree[size:]:
        reloaded.append(leaf_hash(data))
    assert (reloaded.size, reloaded.root()) == (size + more, rfc6962.mth(tree))
    assert reloaded.hashes == CompactRange.at(size + more, Nodes(tree)).hashes


@given(st.integers(0, 70), st.integers(0, 70))
def test_a_compact_range_takes_whole_subtrees(size: int, more: int) -> None:
    tree = entries(size + more)
    grown = CompactRange.at(size, Nodes(tree))
    for level, index in subtrees(size, size + more):
        grown.append(Nodes(tree).node(level, index), level)
    assert grown.root() == rfc6962.mth(tree)


def test_a_compact_range_refuses_a_subtree_that_cannot_begin_here() -> None:
    three = CompactRange.at(3, Nodes(INPUTS))
    with pytest.raises(ValueError, match="no subtree of level 1 begins at leaf 3"):
        three.append(ROOTS[2], 1)
    assert three.root() == ROOTS[3]


def test_a_copy_grows_by_itself() -> None:
    one = CompactRange.at(1, Nodes(INPUTS))
    one.copy().append(leaf_hash(INPUTS[1]))
    assert one.root() == ROOTS[1]


@given(st.binary(max_size=120))
def test_a_compact_range_is_read_back_exactly_or_refused(data: bytes) -> None:
    try:
        read = CompactRange.from_bytes(data)
    except ValueError:
        return
    assert bytes(read) == data


def test_a_torn_compact_range_is_refused() -> None:
    whole = bytes(CompactRange.at(7, Nodes(INPUTS)))
    for torn in (whole[:-1], whole[:-32], whole + b"\0", whole + ROOTS[1], b"", b"\xff" * 8 + ROOTS[1] * 64):
        with pytest.raises(ValueError, match=r"hash|size"):
            CompactRange.from_bytes(torn)


def _flipped(value: bytes, data: st.DataObject) -> bytes:
    at = data.draw(st.integers(0, len(value) * 8 - 1))
    return bytes(byte ^ (1 << at % 8) if place == at // 8 else byte for place, byte in enumerate(value))


@given(st.integers(0, 70), st.integers(0, 70))
def test_many_leaves_at_once_are_what_they_are_one_by_one(before: int, count: int) -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(before + count)]
    one_by_one, at_once = CompactRange(), CompactRange()
    for leaf in leaves:
        one_by_one.append(leaf)
    at_once.extend(leaves[:before])
    at_once.extend(leaves[before:])
    assert bytes(at_once) == bytes(one_by_one)
