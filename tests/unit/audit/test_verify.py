from collections.abc import Iterable

import pytest
from tests.unit.audit.logs import Log, canonical

from pinfold.audit.checkpoint import Checkpoint
from pinfold.audit.findings import Findings, Kind, Verification
from pinfold.audit.merkle import CompactRange, leaf_hash
from pinfold.audit.verify import LogVerifier

LOG = Log(600)


def verifier(last: int = LOG.size, start: int = 0) -> LogVerifier:
    return LogVerifier(LOG.start(start), last, Findings())


def feed(log: LogVerifier, first: int = 1, last: int = LOG.size) -> LogVerifier:
    for block in LOG.blocks(first, last):
        log.leaves(block.first, block.hashes)
        for entry in block.entries:
            log.entry(entry)
    return log


def told(answer: Verification) -> list[tuple[Kind, int]]:
    return [(problem.kind, problem.seq) for problem in answer.problems]


def expecting(log: LogVerifier, checkpoints: Iterable[Checkpoint]) -> LogVerifier:
    for checkpoint in checkpoints:
        log.expect(checkpoint)
    return log


def test_a_store_is_verified_against_all_its_checkpoints() -> None:
    log = expecting(verifier(), map(LOG.checkpoint, (0, 1, 256, 300, 600)))
    assert feed(log).finish() == Verification(1, 600, 600)


def test_what_remains_of_a_pruned_log_is_proven() -> None:
    log = expecting(verifier(start=300), [LOG.checkpoint(600)])
    assert feed(log, 301).finish() == Verification(301, 600, 600)


def test_what_stands_for_pruned_entries_is_proven_as_well() -> None:
    other = Log(300, rewritten=frozenset({7})).start(300)
    log = expecting(LogVerifier(other, 600, Findings()), [LOG.checkpoint(600)])
    answer = feed(log, 301).finish()
    assert told(answer) == [(Kind.UNPROVEN, 301)]
    assert "stand for the entries before" in answer.problems[0].text
    log = LogVerifier(other, 600, Findings())
    log.expect(LOG.checkpoint(300))
    assert told(feed(log, 301).finish()) == [(Kind.UNPROVEN, 301)]


def test_entries_after_the_last_checkpoint_are_unproven() -> None:
    answer = feed(expecting(verifier(), [LOG.checkpoint(590)])).finish()
    assert (told(answer), answer.proven) == ([(Kind.UNPROVEN, 591)], 590)
    assert told(feed(verifier()).finish()) == [(Kind.UNPROVEN, 1)]


def test_a_checkpoint_beyond_the_last_entry_needs_what_leads_to_it() -> None:
    answer = feed(expecting(verifier(598), [LOG.checkpoint(600)]), 1, 598).finish()
    assert told(answer) == [(Kind.UNPROVEN, 1), (Kind.UNPROVEN, 599), (Kind.MALFORMED, 599)]


def test_a_checkpoint_that_is_passed_over_is_not_taken_for_met() -> None:
    log = expecting(verifier(596), [LOG.checkpoint(596), LOG.checkpoint(597), LOG.checkpoint(600)])
    remainder = CompactRange()
    for entry in LOG.entries[596:600]:
        remainder.append(leaf_hash(entry))
    assert told(feed(log, 1, 596).finish(remainder.hashes)) == [(Kind.UNPROVEN, 597)]


def test_a_checkpoint_that_is_announced_too_late_is_an_error() -> None:
    log = feed(verifier())
    with pytest.raises(ValueError, match="size 100 comes after entry"):
        log.expect(LOG.checkpoint(100))


def test_two_checkpoints_of_one_size_and_different_roots_cannot_both_fit() -> None:
    fork = Log(300, rewritten=frozenset({7})).checkpoint(300)
    answer = feed(expecting(verifier(), [LOG.checkpoint(300), fork, LOG.checkpoint(600)])).finish()
    assert told(answer) == [(Kind.UNPROVEN, 301)]


@pytest.mark.parametrize("hashes", [b"", bytes(31), bytes(33), bytes(257 * 32)])
def test_damaged_hashes_are_named_and_the_entries_prove_themselves(hashes: bytes) -> None:
    log = expecting(verifier(), [LOG.checkpoint(600)])
    log.leaves(1, hashes)
    for entry in LOG.entries[:256]:
        log.entry(entry)
    answer = feed(log, 257).finish()
    assert (told(answer), answer.proven) == ([(Kind.MALFORMED, 1), (Kind.MALFORMED, 1)], 600)


def test_hashes_beyond_the_last_entry_are_named() -> None:
    log = expecting(verifier(10), [LOG.checkpoint(10)])
    log.leaves(1, b"".join(map(leaf_hash, LOG.entries[:12])))
    for entry in LOG.entries[:12]:
        log.entry(entry)
    answer = log.finish()
    assert told(answer) == [(Kind.INSERTED, 11), (Kind.INSERTED, 11), (Kind.MALFORMED, 11)]
    assert answer.proven == 10


def test_an_entry_that_was_logged_under_another_number_is_named() -> None:
    entries = [canonical(1), canonical(3), canonical(3)]
    root = CompactRange()
    for entry in entries:
        root.append(leaf_hash(entry))
    log = LogVerifier(CompactRange(), 3, Findings())
    log.expect(Checkpoint("pinfold.example/audit", 3, root.root()))
    log.leaves(1, b"".join(map(leaf_hash, entries)))
    for entry in entries:
        log.entry(entry)
    answer = log.finish()
    assert told(answer) == [(Kind.MALFORMED, 2)]
    assert "calls itself entry 3" in answer.problems[0].text


def test_nothing_is_claimed_of_a_log_that_was_not_seen() -> None:
    answer = expecting(verifier(), [LOG.checkpoint(600)]).finish()
    assert told(answer) == [(Kind.MISSING, 1), (Kind.UNPROVEN, 1)]
    assert answer.proven == 0
