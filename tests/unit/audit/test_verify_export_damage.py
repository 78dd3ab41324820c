"""What is damaged in an export is found, and named."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.audit.exports import (
    EXPORT,
    FIRST_ENTRY,
    FOOTER,
    LARGE,
    LARGE_LINES,
    LEAVES,
    LINES,
    SMALL,
    first_of,
    large_line,
    told,
)
from tests.unit.audit.logs import Log, canonical, verified

from pinfold.audit.findings import Kind
from pinfold.audit.merkle import leaf_hash
from pinfold.audit.note import to_base64


def test_every_changed_byte_is_found_and_named() -> None:
    offset = 0
    for number, line in enumerate(LINES):
        for at in range(len(line)):
            place = offset + at
            changed = EXPORT[:place] + bytes([EXPORT[place] ^ 1 << place % 8]) + EXPORT[place + 1 :]
            answer = verified(changed)
            assert not answer.ok, place
            problem = answer.problems[0]
            if number < FIRST_ENTRY:
                assert problem.kind is not Kind.CHANGED
            elif line is not FOOTER:
                assert problem.seq == number - FIRST_ENTRY + 1, place
        offset += len(line)


@settings(max_examples=150)
@given(st.integers(0, len(EXPORT) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_any_few_bytes_that_are_put_cut_or_exchanged_are_found(place: int, put: bytes, cut: int) -> None:
    changed = EXPORT[:place] + put + EXPORT[place + cut :]
    assert verified(changed).ok == (changed == EXPORT)


def test_a_changed_entry_is_named() -> None:
    for seq in range(1, 7):
        lines = [*LINES]
        lines[FIRST_ENTRY + seq - 1] = lines[FIRST_ENTRY + seq - 1].replace(b"six", b"nix")
        assert told(verified(b"".join(lines))) == [(Kind.CHANGED, seq)]


def test_a_removed_entry_is_named() -> None:
    for seq in range(1, 7):
        lines = [*LINES]
        del lines[FIRST_ENTRY + seq - 1]
        assert (Kind.MISSING, seq) == first_of(lines)
        assert verified(b"".join(lines)).proven == 6


@pytest.mark.parametrize("inserted", [canonical(3), canonical(7), canonical(3).replace(b"six", b"nix"), b'{"entry":'])
def test_an_inserted_entry_is_named(inserted: bytes) -> None:
    for seq in range(1, 8):
        lines = [*LINES]
        lines.insert(FIRST_ENTRY + seq - 1, inserted + b"\n")
        kind, place = first_of(lines)
        assert kind is Kind.INSERTED
        # Of two equal entries side by side either is the one too many.
        assert place == seq or (inserted == canonical(3) and {place, seq} == {3, 4})


def test_exchanged_entries_are_named() -> None:
    for one, other in combinations(range(1, 7), 2):
        lines = [*LINES]
        a, b = FIRST_ENTRY + one - 1, FIRST_ENTRY + other - 1
        lines[a], lines[b] = lines[b], lines[a]
        assert first_of(lines) == (Kind.REORDERED, one)


def test_any_line_removed_doubled_moved_or_exchanged_is_found() -> None:
    for one, line in enumerate(LINES):
        others = LINES[:one] + LINES[one + 1 :]
        assert not verified(b"".join(others)).ok
        for place in range(len(LINES)):
            assert not verified(b"".join([*LINES[:place], line, *LINES[place:]])).ok
            assert verified(b"".join([*others[:place], line, *others[place:]])).ok == (place == one)
    for one, other in combinations(range(len(LINES)), 2):
        lines = [*LINES]
        lines[one], lines[other] = lines[other], lines[one]
        assert not verified(b"".join(lines)).ok


@pytest.mark.parametrize("place", [0, 1, 2, -1])
def test_another_spelling_of_a_line_is_found(place: int) -> None:
    lines = [*LINES]
    for spelled in (lines[place].replace(b":", b": ", 1), lines[place].replace(b'"}', b'" }'), b" " + lines[place]):
        changed = [*lines[:place], spelled, *lines[place:][1:]]
        assert verified(b"".join(changed)).ok == (changed == lines)


def test_older_checkpoints_stand_in_order_and_ahead_of_their_block() -> None:
    lines = LARGE.export(1, 520, checkpoints=[100, 200, 300]).splitlines(keepends=True)
    one, two, three = (at for at, line in enumerate(lines) if line.startswith(b'{"checkpoint"'))
    exchanged = [lines[0], lines[two], lines[one], *lines[3:]]
    assert told(verified(b"".join(exchanged))) == [(Kind.MALFORMED, 1)]
    too_early = [*lines[:3], lines[three], *lines[3:three], *lines[three + 1 :]]
    assert told(verified(b"".join(too_early))) == [(Kind.MALFORMED, 1)]
    beyond = LARGE.export(1, 600, checkpoints=[550]).splitlines(keepends=True)
    beyond_line = next(line for line in beyond if line.startswith(b'{"checkpoint"'))
    assert told(verified(b"".join([*lines[:three], beyond_line, *lines[three + 1 :]]))) == [(Kind.MALFORMED, 257)]


def test_an_export_that_is_cut_off_anywhere_is_found() -> None:
    for end in range(0, len(EXPORT), 7):
        assert not verified(EXPORT[:end]).ok
    cut = verified(b"".join(LINES[:-3]))
    assert (told(cut), cut.proven) == ([(Kind.MISSING, 5), (Kind.MALFORMED, 5)], 6)
    assert cut.problems[0].text == "missing: entries 5 to 6"


def test_a_changed_hash_is_told_from_a_changed_entry() -> None:
    hashes = b"".join(map(leaf_hash, SMALL.entries))
    for seq in range(1, 7):
        at = (seq - 1) * 32
        tampered = hashes[:at] + bytes(32) + hashes[at + 32 :]
        lines = [*LINES]
        lines[2] = LEAVES.replace(to_base64(hashes).encode(), to_base64(tampered).encode())
        assert told(verified(b"".join(lines))) == [(Kind.HASH_CHANGED, seq)]


def test_exchanged_hashes_are_told_from_exchanged_entries() -> None:
    hashes = [leaf_hash(entry) for entry in SMALL.entries]
    exchanged = [hashes[0], hashes[3], hashes[2], hashes[1], *hashes[4:]]
    old, new = to_base64(b"".join(hashes)), to_base64(b"".join(exchanged))
    assert told(verified(EXPORT.replace(old.encode(), new.encode())))[0] == (Kind.HASH_CHANGED, 2)
    assert {kind for kind, _ in told(verified(EXPORT.replace(old.encode(), new.encode())))} == {Kind.HASH_CHANGED}


def test_each_checkpoint_tells_for_itself_whether_entries_or_hashes_were_changed() -> None:
    log = Log(12)
    hashes = [leaf_hash(entry) for entry in log.entries]
    tampered = [*hashes[:9], bytes(32), *hashes[10:]]
    export = log.export(checkpoints=[4, 8]).replace(canonical(2), canonical(2).replace(b"six", b"nix"))
    export = export.replace(to_base64(b"".join(hashes)).encode(), to_base64(b"".join(tampered)).encode())
    answer = verified(export)
    assert (told(answer), answer.proven) == ([(Kind.CHANGED, 2), (Kind.HASH_CHANGED, 10)], 12)


@pytest.mark.parametrize("number", [0, 3, 7, 10**17])
def test_a_wrong_first_number_of_a_block_is_named(number: int) -> None:
    lines = [*LINES]
    lines[2] = LEAVES.replace(b'"first":1', b'"first":%d' % number)
    answer = verified(b"".join(lines))
    assert {kind for kind, _ in told(answer)} == {Kind.MALFORMED}
    assert (answer.problems[0].seq, answer.proven) == (1, 6)


def test_an_entry_pushed_in_between_blocks_does_not_displace_the_next_block() -> None:
    lines = [*LARGE_LINES]
    lines.insert(large_line(256) + 1, canonical(257).replace(b"six", b"nix") + b"\n")
    answer = verified(b"".join(lines))
    assert (told(answer), answer.proven) == ([(Kind.INSERTED, 257), (Kind.MALFORMED, 257), (Kind.MALFORMED, 601)], 600)


def test_several_kinds_of_damage_are_told_apart() -> None:
    lines = [*LARGE_LINES]
    lines[large_line(500)] = lines[large_line(500)].replace(b"six", b"nix")
    lines[large_line(40)], lines[large_line(45)] = lines[large_line(45)], lines[large_line(40)]
    del lines[large_line(10)]
    lines.insert(lines.index(canonical(300) + b"\n"), canonical(20) + b"\n")
    assert told(verified(b"".join(lines))) == [
        (Kind.MISSING, 10),
        (Kind.REORDERED, 40),
        (Kind.REORDERED, 40),
        (Kind.INSERTED, 300),
        (Kind.CHANGED, 500),
    ]


@pytest.mark.parametrize("seq", [1, 255, 256, 257, 512, 513, 600])
def test_damage_at_the_border_of_blocks_is_named(seq: int) -> None:
    at = large_line(seq)
    assert first_of(LARGE_LINES[:at] + LARGE_LINES[at + 1 :]) == (Kind.MISSING, seq)
    stranger = canonical(seq).replace(b"six", b"nix") + b"\n"
    assert first_of([*LARGE_LINES[:at], stranger, *LARGE_LINES[at + 1 :]]) == (Kind.CHANGED, seq)
    assert first_of([*LARGE_LINES[:at], stranger, *LARGE_LINES[at:]]) == (Kind.INSERTED, seq)
    assert first_of([*LARGE_LINES[: at + 1], stranger, *LARGE_LINES[at + 1 :]]) == (Kind.INSERTED, seq + 1)


@pytest.mark.parametrize(("one", "other"), [(256, 257), (1, 600), (100, 300)])
def test_entries_exchanged_between_blocks_are_named(one: int, other: int) -> None:
    lines = [*LARGE_LINES]
    a, b = large_line(one), large_line(other)
    lines[a], lines[b] = lines[b], lines[a]
    assert told(verified(b"".join(lines))) == [(Kind.REORDERED, one), (Kind.REORDERED, one)]


def test_a_block_without_hashes_is_proven_by_its_entries() -> None:
    lines = [line for line in LARGE_LINES if not line.startswith(b'{"leaves":{"first":257')]
    answer = verified(b"".join(lines))
    assert (told(answer), answer.proven) == ([(Kind.MALFORMED, 257)], 600)
    lines = [line for line in LARGE_LINES if not line.startswith(b'{"leaves"')]
    assert told(verified(b"".join(lines))) == [(Kind.MALFORMED, 1), (Kind.MALFORMED, 257), (Kind.MALFORMED, 513)]


def test_an_entry_that_is_gone_with_its_hash_is_named() -> None:
    lines = [line for line in LARGE_LINES if not line.startswith(b'{"leaves"') and line != canonical(300) + b"\n"]
    assert told(verified(b"".join(lines)))[:3] == [(Kind.MALFORMED, 1), (Kind.MALFORMED, 257), (Kind.MISSING, 300)]
    assert (Kind.UNPROVEN, 300) in told(verified(b"".join(lines)))


def test_a_removed_block_is_named() -> None:
    start = next(at for at, line in enumerate(LARGE_LINES) if line.startswith(b'{"leaves":{"first":257'))
    answer = verified(b"".join(LARGE_LINES[:start] + LARGE_LINES[start + 257 :]))
    assert told(answer) == [(Kind.MISSING, 257), (Kind.UNPROVEN, 257), (Kind.MALFORMED, 601)]
    assert "257 to 512" in answer.problems[0].text


def test_an_entry_changed_together_with_its_hash_is_enclosed_by_checkpoints() -> None:
    log = Log(12)
    lines = log.export(checkpoints=[4, 8]).splitlines(keepends=True)
    forged = canonical(6).replace(b"six", b"nix")
    hashes = b"".join(map(leaf_hash, log.entries))
    tampered = hashes.replace(leaf_hash(canonical(6)), leaf_hash(forged))
    export = b"".join(lines).replace(canonical(6), forged)
    export = export.replace(to_base64(hashes).encode(), to_base64(tampered).encode())
    answer = verified(export)
    assert (told(answer), answer.proven) == ([(Kind.UNPROVEN, 5)], 4)
    assert "5 to 8" in answer.problems[0].text


@pytest.mark.parametrize(("first", "last"), [(3, 5), (4, 4), (2, 6)])
def test_a_changed_neighbour_of_a_range_spoils_it(first: int, last: int) -> None:
    whole = SMALL.export(first, last)
    start = Log(6, rewritten=frozenset({first - 1})).start(first - 1).hashes
    for old, new in zip(SMALL.start(first - 1).hashes, start, strict=True):
        forged = whole.replace(to_base64(old).encode(), to_base64(new).encode())
        if forged != whole:
            assert told(verified(forged)) == [(Kind.UNPROVEN, first)]
    if last < 6:
        forged = whole.replace(b'"remainder":["', b'"remainder":["AAAA', 1)
        assert told(verified(forged)) == [
            (Kind.UNPROVEN, first),
            (Kind.UNPROVEN, last + 1),
            (Kind.MALFORMED, last + 1),
        ]
