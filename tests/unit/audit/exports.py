"""Exports of a small and of a large log, for the tests of their verification."""

from tests.unit.audit.logs import ORIGIN, Log, canonical, verified

from pinfold.audit.findings import Kind, Verification
from pinfold.audit.note import Signer

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
