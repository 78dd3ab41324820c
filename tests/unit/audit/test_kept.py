import pytest
from tests.unit.audit.logs import KEYS, Log, canonical

from pinfold.audit.findings import Findings, Kind
from pinfold.audit.kept import open_kept, split_notes

LOG = Log(5)
NOTES = [LOG.note(size) for size in range(1, 6)]


@pytest.mark.parametrize("between", [b"", b"\n", b"\n\n\n"])
def test_notes_are_told_apart_however_they_are_joined(between: bytes) -> None:
    assert list(split_notes(between.join(NOTES))) == NOTES
    assert list(split_notes(between + between.join(NOTES) + between)) == NOTES


@pytest.mark.parametrize("data", [b"", b"\n\n", b"hello\n", canonical(1), NOTES[0].partition(b"\n\n")[0]])
def test_what_nobody_signed_is_no_checkpoint(data: bytes) -> None:
    assert list(split_notes(data)) == []


def test_every_note_that_was_changed_contradicts() -> None:
    findings = Findings()
    changed = NOTES[1].replace(b"\n2\n", b"\n3\n")
    kept = list(open_kept([NOTES[0], changed, b"nonsense"], KEYS, findings))
    assert [checkpoint.size for checkpoint in kept] == [1]
    problems = findings.verification(0, 0, 0).problems
    assert [problem.kind for problem in problems] == [Kind.CONTRADICTED] * 2
