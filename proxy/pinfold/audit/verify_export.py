"""Verifies an export of the audit log with nothing but the log's public key."""

from collections.abc import Iterable
from typing import BinaryIO

from pinfold.audit.checkpoint import Checkpoint, LogKeys
from pinfold.audit.export import ENTRY_START, MAX_LINE_BYTES, Footer, Header, Leaves, parse_line
from pinfold.audit.findings import Findings, Kind, Verification, spelled
from pinfold.audit.kept import open_kept
from pinfold.audit.merkle import HASH_SIZE, CompactRange, verify_consistency
from pinfold.audit.note import Verifier, open_note
from pinfold.audit.verify import LogVerifier
from pinfold.domain.errors import InvalidNote


def verify_export(stream: BinaryIO, keys: LogKeys, kept: Iterable[bytes] = ()) -> Verification:
    """Verify the export that a stream holds; whatever that is, the answer is a result and no exception."""
    verifier = ExportVerifier(keys, kept)
    while line := stream.readline(MAX_LINE_BYTES):
        verifier.line(line)
    return verifier.finish()


class ExportVerifier:
    """Takes an export line by line.

    `keys` are public keys of the log, got from elsewhere than the export; the first one is enough, for the changes
    since are followed. `kept` are notes of checkpoints that somebody kept elsewhere: a log that was rewritten and
    signed anew does not fit them.
    """

    def __init__(self, keys: LogKeys, kept: Iterable[bytes] = ()) -> None:
        self._keys = keys
        self._kept = tuple(kept)
        self._findings = Findings()
        self._begun = False
        self._body: _Body | None = None

    def line(self, line: bytes) -> None:
        """Take the next line, with its line end."""
        if self._body is not None:
            self._body.line(line)
        elif not self._begun:
            self._begun = True
            try:
                self._begin(line)
            except (InvalidNote, ValueError) as error:
                self._findings.add(Kind.MALFORMED, 0, f"nothing can be verified: the export's first line: {error}")

    def finish(self) -> Verification:
        """Return the answer."""
        if self._body is not None:
            return self._body.finish()
        if not self._begun:
            self._findings.add(Kind.MALFORMED, 0, "nothing can be verified: the export is empty")
        return self._findings.verification(0, 0, 0)

    def _begin(self, line: bytes) -> None:
        header = parse_line(line)
        if not isinstance(header, Header):
            raise ValueError("it is no header")
        keys, changes = self._keys.follow_all(note.encode() for note in header.key_changes)
        checkpoint = keys.open(header.checkpoint.encode())
        open_note(header.checkpoint.encode(), [Verifier.parse(header.key)])
        start = CompactRange(header.first - 1, header.start)
        if header.origin != checkpoint.origin:
            raise ValueError("it names another log than its checkpoint")
        if not start.size <= header.last <= checkpoint.size:
            raise ValueError("it names entries that its checkpoint does not cover")
        log = LogVerifier(start, header.last, self._findings)
        for expected in (*changes, checkpoint):
            if start.size <= expected.size <= header.last or expected is checkpoint:
                log.expect(expected)
        self._expect_kept(log, header, checkpoint, keys)
        self._body = _Body(log, header, keys, self._findings)

    def _linked(self, header: Header, checkpoint: Checkpoint, keys: LogKeys) -> dict[int, bytes]:
        """Return sizes and roots of the checkpoints that the header proves to be of the same log."""
        linked = {}
        for link in header.consistency:
            old = keys.open(link.checkpoint.encode())
            if verify_consistency(old.size, checkpoint.size, old.root, checkpoint.root, link.proof):
                linked[old.size] = old.root
            else:
                text = f"the checkpoint of size {old.size} in the first line is not shown to be of the same log"
                self._findings.add(Kind.UNPROVEN, 1, text)
        return linked

    def _expect_kept(self, log: LogVerifier, header: Header, checkpoint: Checkpoint, keys: LogKeys) -> None:
        linked = self._linked(header, checkpoint, keys)
        for kept in open_kept(self._kept, keys, self._findings):
            name = f"the checkpoint of size {kept.size} that was kept elsewhere"
            if kept.size > checkpoint.size:
                text = f"the log ends at entry {checkpoint.size}, short of {name}"
                self._findings.add(Kind.MISSING, checkpoint.size + 1, text)
            elif kept.size == checkpoint.size or header.first - 1 <= kept.size <= header.last:
                log.expect(kept, kept=True)
            elif kept.size not in linked:
                text = f"the export does not link {name} to its own: let it be made with a proof for that size"
                self._findings.add(Kind.UNPROVEN, 1, text)
            elif linked[kept.size] != kept.root:
                text = f"{name} has another root: a rewrite within {spelled(1, kept.size)}"
                self._findings.add(Kind.CONTRADICTED, 1, text)


class _Body:
    """What comes after the header: keeps to the order of lines and counts them."""

    def __init__(self, log: LogVerifier, header: Header, keys: LogKeys, findings: Findings) -> None:
        self._log = log
        self._header = header
        self._keys = keys
        self._findings = findings
        self._lines = 1
        self._entries = 0
        self._checkpoints = 0
        self._size = header.first - 1
        """Of the latest checkpoint."""
        self._ahead: list[int] = []
        """The sizes of checkpoints whose block has not come yet."""
        self._footer: Footer | None = None

    def line(self, line: bytes) -> None:
        self._lines += 1
        if not line.endswith(b"\n"):
            self._malformed("it has no end, for the export was cut off or the line is too long")
        elif self._footer is not None:
            self._malformed("it comes after the end")
        elif line.startswith(ENTRY_START):
            self._entry(line[:-1])
        else:
            self._other(line)

    def finish(self) -> Verification:
        footer = self._footer
        if footer is None:
            self._findings.add(Kind.MALFORMED, self._log.position, "the export has no end: it was cut off")
        elif (footer.entries, footer.checkpoints) != (self._entries, self._checkpoints) or self._ahead:
            text = f"the export ends with other counts than of its {self._entries} entries and its checkpoints"
            self._findings.add(Kind.MALFORMED, self._header.last + 1, text)
        return self._log.finish(self._header.remainder)

    def _entry(self, canonical: bytes) -> None:
        self._entries += 1
        self._log.entry(canonical)

    def _other(self, line: bytes) -> None:
        try:
            match parse_line(line):
                case str(note):
                    self._take_checkpoint(note)
                case Leaves(first, hashes):
                    self._take_leaves(first, hashes)
                case Footer() as footer:
                    self._footer = footer
                case Header():
                    self._malformed("a second header")
        except (InvalidNote, ValueError) as error:
            self._malformed(str(error))

    def _take_checkpoint(self, note: str) -> None:
        self._checkpoints += 1
        checkpoint = self._keys.open(note.encode())
        if not self._size < checkpoint.size <= self._header.last:
            raise ValueError("a checkpoint out of order")
        self._log.expect(checkpoint)
        self._size = checkpoint.size
        self._ahead.append(checkpoint.size)

    def _take_leaves(self, first: int, hashes: bytes) -> None:
        if any(not first <= size < first + len(hashes) // HASH_SIZE for size in self._ahead):
            self._malformed("another block than that of the checkpoint before it")
        self._ahead.clear()
        self._log.leaves(first, hashes)

    def _malformed(self, text: str) -> None:
        self._findings.add(Kind.MALFORMED, self._log.position, f"line {self._lines} of the export: {text}")
