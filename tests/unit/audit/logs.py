"""A small log with all that is kept of it, for the tests of its verification."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO

from pinfold.audit.canonical import canonical_bytes
from pinfold.audit.checkpoint import Checkpoint, LogKeys
from pinfold.audit.export import Block, Header, Link, export_lines
from pinfold.audit.findings import Verification
from pinfold.audit.merkle import CompactRange, consistency_proof, leaf_hash, subtrees
from pinfold.audit.note import Signer
from pinfold.audit.tiles import WIDTH, TileKey, TileNodes, grow
from pinfold.audit.verify_export import verify_export
from pinfold.domain.audit_entry import Action, Actor, Entry

ORIGIN = "pinfold.example/audit"
SIGNER = Signer.from_seed(ORIGIN, bytes(32))
KEYS = LogKeys.of(SIGNER.verifier)


def canonical(seq: int) -> bytes:
    time = datetime(2026, 3, 24, 10, 39, tzinfo=UTC) + timedelta(seconds=seq)
    return canonical_bytes(seq, Entry(Action.FILE_SERVED, time, Actor("ci"), project="six", version=f"1.{seq}"))


@dataclass
class Log:
    """Entries, tiles, and what leads from them to checkpoints, as a store has it."""

    size: int
    signer: Signer = SIGNER
    rewritten: frozenset[int] = frozenset()
    """Numbers of entries in which this log differs from others of its size."""
    entries: list[bytes] = field(init=False)
    tiles: dict[TileKey, bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = [
            canonical(seq).replace(b'"six"', b'"nix"') if seq in self.rewritten else canonical(seq)
            for seq in range(1, self.size + 1)
        ]
        self.tiles = {}
        self.tiles = grow(0, map(leaf_hash, self.entries), self)

    def tile(self, level: int, index: int) -> bytes:
        return self.tiles.get((level, index), b"")

    def start(self, size: int) -> CompactRange:
        return CompactRange.at(size, TileNodes(self))

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(ORIGIN, size, self.start(size).root())

    def note(self, size: int) -> bytes:
        return self.checkpoint(size).sign(self.signer)

    def blocks(self, first: int, last: int, checkpoints: Iterable[int] = ()) -> Iterable[Block]:
        while first <= last:
            end = min(last, (first - 1) // WIDTH * WIDTH + WIDTH)
            hashes = b"".join(map(leaf_hash, self.entries[first - 1 : end]))
            notes = [self.note(size) for size in checkpoints if first <= size <= end]
            yield Block(first, hashes, self.entries[first - 1 : end], notes)
            first = end + 1

    def export(
        self,
        first: int = 1,
        last: int | None = None,
        *,
        size: int | None = None,
        checkpoints: Iterable[int] = (),
        links: Iterable[int] = (),
        key_changes: Iterable[bytes] = (),
    ) -> bytes:
        size = self.size if size is None else size
        last = size if last is None else last
        nodes = TileNodes(self)
        header = Header(
            origin=ORIGIN,
            key=str(self.signer.verifier),
            first=first,
            last=last,
            start=self.start(first - 1).hashes,
            remainder=tuple(nodes.node(level, index) for level, index in subtrees(last, size)),
            checkpoint=self.note(size).decode(),
            key_changes=tuple(note.decode() for note in key_changes),
            consistency=tuple(
                Link(self.note(old).decode(), tuple(consistency_proof(old, size, nodes))) for old in links
            ),
        )
        return b"".join(export_lines(header, self.blocks(first, last, tuple(checkpoints))))


def verified(export: bytes, *kept: Checkpoint, keys: LogKeys = KEYS) -> Verification:
    return verify_export(BytesIO(export), keys, [checkpoint.sign(SIGNER) for checkpoint in kept])
