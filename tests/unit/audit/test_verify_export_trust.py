"""Who signed an export, and what somebody else kept of its log."""

from dataclasses import replace

from tests.unit.audit.exports import (
    EXPORT,
    LARGE,
    NEXT,
    SMALL,
    STRANGER,
    told,
)
from tests.unit.audit.logs import SIGNER, Log, verified

from pinfold.audit.checkpoint import LogKeys
from pinfold.audit.findings import Kind


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
