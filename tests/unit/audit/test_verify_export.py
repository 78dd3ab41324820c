import tracemalloc
from dataclasses import replace
from io import BytesIO
from itertools import chain, combinations, islice, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.audit.logs import KEYS, ORIGIN, SIGNER, Log, canonical, verified

from pinfold.audit.checkpoint import LogKeys
from pinfold.audit.export import MAX_LINE_BYTES
from pinfold.audit.findings import LIMIT, Kind, Verification
from pinfold.audit.merkle import leaf_hash
from pinfold.audit.note import Signer, to_base64
from pinfold.audit.verify_export import verify_export

SMALL = Log(6)
EXPORT = SMALL.export(checkpoints=[3])
LINES = EXPORT.splitlines(keepends=True)
HEADER, CHECKPOINT, LEAVES, *ENTRIES, FOOTER = LINES
FIRST_ENTRY = LINES.index(ENTRIES[0])
LARGE = Log(600)
LARGE_LINES = LARGE.export().splitlines(keepends=True)
NEXT = Signer.from_seed(ORIGIN, bytes([1]) * 32)
STRANGER = Signer.from_seed(ORIGIN, bytes([2]) * 32)


def told(answer: Verification) -> list[tuple[Kind, int]]:
    return [(problem.kind, problem.seq) for problem in answer.problems]


def first_of(lines: list[bytes]) -> tuple[Kind, int]:
    answer = verified(b"".join(lines))
    assert not answer.ok
    return told(answer)[0]


def large_line(seq: int) -> int:
    """The place of an entry's line in the large export."""
    return LARGE_LINES.index(canonical(seq) + b"\n")


# What is whole verifies


@pytest.mark.parametrize(
    ("log", "first", "last"), [(SMALL, 1, 6), (SMALL, 3, 5), (SMALL, 6, 6), (LARGE, 1, 600), (LARGE, 200, 520)]
)
def test_an_export_proves_itself_with_the_public_key_alone(log: Log, first: int, last: int) -> None:
    answer = verified(log.export(first, last))
    assert answer == Verification(first, last, log.size)
    assert answer.ok


def test_every_line_of_an_entry_is_what_its_leaf_hash_covers() -> None:
    assert [line.rstrip(b"\n") for line in ENTRIES] == [canonical(seq) for seq in range(1, 7)]


def test_an_empty_log_is_proven_empty() -> None:
    assert verified(Log(0).export()) == Verification(1, 0, 0)
    assert verified(SMALL.export(4, 3)) == Verification(4, 3, 6)


def test_an_export_that_broke_off_is_resumed_by_another() -> None:
    broken_off = b"".join(LARGE_LINES[: large_line(300)])
    assert not verified(broken_off).ok
    assert verified(LARGE.export(300, 600)).ok


def test_older_checkpoints_are_met_on_the_way() -> None:
    assert verified(LARGE.export(1, 600, checkpoints=[1, 255, 256, 257, 300, 512, 599, 600])).ok
    assert verified(LARGE.export(200, 520, checkpoints=[200, 256, 300, 520])).ok


@settings(max_examples=20)
@given(st.data())
def test_any_range_of_any_log_proves_itself(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 600))
    first = data.draw(st.integers(1, size))
    last = data.draw(st.integers(first - 1, size))
    assert verified(LARGE.export(first, last, size=size)) == Verification(first, last, size)


# What is not is found and named


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


# Who signed, and what somebody else kept


def test_a_log_that_was_rewritten_and_signed_anew_contradicts_what_was_kept() -> None:
    rewritten = Log(12, rewritten=frozenset({6}))
    original = Log(12)
    assert verified(rewritten.export()).ok
    answer = verified(rewritten.export(), original.checkpoint(4), original.checkpoint(8))
    assert (told(answer), answer.proven) == ([(Kind.CONTRADICTED, 5)], 12)
    assert "5 to 8" in answer.problems[0].text
    answer = verified(rewritten.export(checkpoints=[8]), original.checkpoint(4), original.checkpoint(12))
    assert told(answer) == [(Kind.CONTRADICTED, 5)]
    assert verified(original.export(), original.checkpoint(4), original.checkpoint(8), original.checkpoint(12)).ok


def test_a_log_that_was_cut_and_signed_anew_contradicts_what_was_kept() -> None:
    assert told(verified(Log(10).export(), Log(12).checkpoint(12))) == [(Kind.MISSING, 11)]


def test_a_checkpoint_outside_the_range_is_linked_by_a_proof() -> None:
    kept = LARGE.checkpoint(100)
    assert told(verified(LARGE.export(300, 400), kept)) == [(Kind.UNPROVEN, 1)]
    assert verified(LARGE.export(300, 400, links=[100]), kept).ok
    assert verified(LARGE.export(300, 400, links=[100, 500]), kept, LARGE.checkpoint(500)).ok
    forged = replace(kept, root=bytes(32))
    assert told(verified(LARGE.export(300, 400, links=[100]), forged)) == [(Kind.CONTRADICTED, 1)]


def test_a_proof_that_links_another_log_is_refused() -> None:
    other = Log(600, rewritten=frozenset({7}))
    mixed = LARGE.export(300, 400, links=[100]).replace(
        LARGE.note(100).decode().replace("\n", "\\n").encode(), other.note(100).decode().replace("\n", "\\n").encode()
    )
    assert told(verified(mixed)) == [(Kind.UNPROVEN, 1)]


def test_a_checkpoint_of_another_log_contradicts() -> None:
    kept = replace(SMALL.checkpoint(3), origin="other.example/audit")
    assert told(verified(EXPORT, kept)) == [(Kind.CONTRADICTED, 0)]


def test_an_export_is_not_trusted_for_the_key_that_it_names() -> None:
    forged = Log(6, signer=STRANGER).export()
    assert told(verified(forged)) == [(Kind.MALFORMED, 0)]
    assert "no trusted key" in verified(forged).problems[0].text
    assert verified(forged, keys=LogKeys.of(STRANGER.verifier)).ok


def test_an_export_over_a_change_of_keys_is_verified_by_the_first_key() -> None:
    change = LARGE.checkpoint(300).sign_as_last(SIGNER, NEXT)
    after = Log(600, signer=NEXT)
    assert told(verified(after.export())) == [(Kind.MALFORMED, 0)]
    assert verified(after.export(key_changes=[change])).ok
    assert verified(after.export(), keys=LogKeys.of(NEXT.verifier)).ok
    stolen = Log(600, rewritten=frozenset({7})).export(key_changes=[change])
    assert told(verified(stolen)) == [(Kind.MALFORMED, 0)]


def test_a_change_of_keys_must_fit_the_log() -> None:
    elsewhere = Log(600, rewritten=frozenset({7})).checkpoint(300).sign_as_last(SIGNER, NEXT)
    answer = verified(Log(600, signer=NEXT).export(key_changes=[elsewhere]))
    assert told(answer) == [(Kind.UNPROVEN, 1)]


# Whatever comes, there is an answer, and soon


@given(st.lists(st.binary(max_size=60) | st.sampled_from(LINES), max_size=12))
def test_garbage_is_answered(lines: list[bytes]) -> None:
    export = b"".join(lines)
    assert verified(export).ok == (export == EXPORT)
    assert verified(HEADER + export).ok == (HEADER + export == EXPORT)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000 + b"\n",
        b'{"entry":' + b"[" * 100_000 + b"\n",
        b'{"entry":{},"seq":' + b"9" * 5000 + b"}\n",
        b'{"entry":{},"seq":-1}\n',
        b'{"entry":\xff\xfe}\n',
        b"\n",
        b"\0\n",
        b"null\n",
        b"{}\n",
        b'{"footer":{"entries":6,"checkpoints":1},"checkpoint":"x"}\n',
        b'{"checkpoint":"\\ud800"}\n',
        b'{"leaves":{"first":1,"hashes":""}}\n',
        b'{"leaves":{"first":1,"hashes":"AAAA"}}\n',
        b'{"leaves":{"first":1,"hashes":"' + b"A" * 12_000 + b'"}}\n',
        b'{"leaves":{"first":999999999999999999,"hashes":"' + to_base64(bytes(32)).encode() + b'"}}\n',
        b'{"entry":{},"seq":999999999999999999}\n',
    ],
)
def test_an_odd_line_anywhere_is_found(line: bytes) -> None:
    for at in range(len(LINES) + 1):
        assert not verified(b"".join([*LINES[:at], line, *LINES[at:]])).ok


def test_a_flood_of_problems_is_counted_and_not_kept() -> None:
    flood = [canonical(seq).replace(b"six", b"nix") + b"\n" for seq in range(3000)]
    answer = verified(b"".join([*LINES[:5], *flood, *LINES[5:]]))
    assert answer.problems[0].seq == 3
    assert len(answer.problems) <= LIMIT
    assert "more damage" in answer.problems[-2].text
    answer = verified(b"".join([*LINES[:5], *(b"%d\n" % number for number in range(3000)), *LINES[5:]]))
    assert len(answer.problems) + answer.more == 3000


def test_a_ruined_log_is_answered_soon() -> None:
    log = Log(3000)
    lines = log.export().splitlines(keepends=True)
    entries = [line for line in lines if line.startswith(b'{"entry"')]
    answer = verified(b"".join([*lines[:2], *reversed(entries), *lines[-1:]]))
    assert not answer.ok
    assert answer.problems[0].seq == 1


@pytest.mark.parametrize("line", [ENTRIES[2], b"x\n"], ids=["an entry", "no entry"])
def test_memory_does_not_grow_with_the_export(line: bytes) -> None:
    class Endless(BytesIO):
        def __init__(self) -> None:
            self.lines = islice(chain([HEADER], repeat(line)), 20_000)

        def readline(self, size: int | None = -1, /) -> bytes:
            return next(self.lines, b"")

    tracemalloc.start()
    try:
        answer = verify_export(Endless(), KEYS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not answer.ok
    assert peak < 2_000_000


def test_a_line_without_end_is_not_read_into_memory() -> None:
    reads: list[int | None] = []

    class OneLine(BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            reads.append(size)
            return super().readline(size)

    assert not verify_export(OneLine(HEADER + b"x" * (MAX_LINE_BYTES + 1)), KEYS).ok
    assert set(reads) == {MAX_LINE_BYTES}
