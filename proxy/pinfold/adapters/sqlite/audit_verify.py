"""Verifies the audit log in a ledger: every entry, column, tile and checkpoint."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from pinfold.adapters.sqlite.audit_columns import COLUMNS, QUOTED, column_values
from pinfold.adapters.sqlite.audit_parts import LoggedClient, template_digest
from pinfold.adapters.sqlite.audit_reader import LogReader, LogState, StoredBlock, StoredCheckpoint
from pinfold.adapters.sqlite.evidence import whole
from pinfold.audit.canonical import from_canonical, texts_of
from pinfold.audit.checkpoint import Checkpoint, LogKeys
from pinfold.audit.findings import Findings, Kind, Verification, spelled
from pinfold.audit.kept import open_kept
from pinfold.audit.merkle import HASH_SIZE, CompactRange, leaf_hash, root_hash, split_hashes
from pinfold.audit.note import Verifier
from pinfold.audit.tiles import WIDTH, TileNodes, TileSource
from pinfold.audit.verify import LogVerifier
from pinfold.domain.audit_entry import Action, Entry
from pinfold.domain.errors import InvalidNote, StoreError

_NAMES = ("time", *COLUMNS, "actor", "address")
_COPIES = f"time, {QUOTED}, actor, address"


def verify_store(reader: LogReader, trusted: Sequence[Verifier], kept: Iterable[bytes] = ()) -> Verification:
    """Verify the whole log in a ledger; blocking, and as slow as the log is long.

    `trusted` are public keys of the log, got from elsewhere than the ledger; one is enough. `kept` are notes of
    checkpoints that were kept elsewhere. Raises StoreError where the ledger cannot be read.
    """
    state = reader.state()
    findings = Findings()
    try:
        keys = log_keys(state, trusted)
        start = CompactRange.at(state.pruned, TileNodes(reader.tiles))
        latest = keys.open(state.note)
        if latest.size != state.size or state.pruned > state.size:
            raise InvalidNote(f"the ledger's size or mark does not fit the checkpoint of size {latest.size}")
    except (InvalidNote, StoreError, ValueError) as error:
        findings.add(Kind.MALFORMED, 0, f"nothing can be verified: {error}")
        return findings.verification(0, 0, 0)
    verifier = _StoreVerifier(reader, state, keys, start, findings)
    return verifier.run(latest, open_kept(kept, keys, findings))


def log_keys(state: LogState, trusted: Sequence[Verifier]) -> LogKeys:
    """Return all keys that the log had; raises InvalidNote unless the latest checkpoint follows from a trusted one."""
    LogKeys.of(*trusted).follow_all(state.key_changes)[0].open(state.note)
    LogKeys.of(Verifier.parse(state.present_key)).open(state.note)
    # The first key is not trusted for itself: all that it signed has to fit what the trusted ones did.
    return LogKeys.of(Verifier.parse(state.first_key)).follow_all(state.key_changes)[0]


class _StoreVerifier:
    """One run over the ledger."""

    def __init__(
        self, reader: LogReader, state: LogState, keys: LogKeys, start: CompactRange, findings: Findings
    ) -> None:
        self._reader = reader
        self._state = state
        self._keys = keys
        self._findings = findings
        self._log = LogVerifier(start, state.size, findings)
        self._tiles = _UpperTiles(reader.tiles)
        self._pruned_by_entry = 0

    def run(self, latest: Checkpoint, kept: Iterable[Checkpoint]) -> Verification:
        self._log.expect(latest)
        for checkpoint in kept:
            self._expect_kept(checkpoint)
        self._check_pruned_part()
        columns = f"body, seq, evidence, {_COPIES}"
        for block in self._reader.blocks(self._state, self._state.pruned + 1, self._state.size, columns):
            self._take(block)
        self._check_strays()
        self._check_journals()
        answer = self._log.finish()
        if answer.ok:
            # Where hashes or entries are damaged, the tiles above them cannot fit either, which says nothing new.
            self._check_tiles()
            self._check_parts()
            self._check_evidence()
        if self._pruned_by_entry < self._state.pruned:
            text = f"missing: {spelled(1, self._state.pruned)}, and no entry says that they were pruned"
            self._findings.add(Kind.MISSING, 1, text)
        return self._findings.verification(answer.first, answer.last, answer.proven)

    def _take(self, block: StoredBlock) -> None:
        for stored in block.checkpoints:
            if stored.size <= self._state.size and (checkpoint := self._open(stored)):
                self._log.expect(checkpoint)
        self._tiles.add(block.tile)
        self._log.leaves(block.first, block.hashes)
        hashes = split_hashes(block.hashes)
        for body, seq, evidence, *copies in block.rows:
            self._log.entry(body)
            place = seq - block.first
            if place < len(hashes) and leaf_hash(body) == hashes[place]:
                self._check_copies(body, seq, evidence, copies)

    def _open(self, stored: StoredCheckpoint) -> Checkpoint | None:
        try:
            checkpoint = self._keys.open(stored.note)
            if (checkpoint.size, checkpoint.successor is not None) != (stored.size, stored.ends_key):
                raise InvalidNote("it is stored as another")
        except InvalidNote as error:
            text = f"the stored checkpoint of size {stored.size} is damaged: {error}"
            self._findings.add(Kind.MALFORMED, stored.size, text)
            return None
        return checkpoint

    def _check_copies(self, body: bytes, seq: int, evidence: bytes | None, copies: Sequence[Any]) -> None:
        try:
            entry = from_canonical(body).entry
        except ValueError:
            self._findings.add(Kind.MALFORMED, seq, f"entry {seq} is as it was logged, and cannot be read")
            return
        texts = texts_of(entry)
        client = LoggedClient.of(entry.actor, b"")
        expected = (texts["time"], *column_values(entry, texts), client.actor, client.address)
        wrong = [name for name, one, other in zip(_NAMES, copies, expected, strict=True) if one != other]
        if wrong:
            text = f"entry {seq} is as it was logged, but is searched for with another {', '.join(wrong)}"
            self._findings.add(Kind.CHANGED, seq, text)
        if evidence is not None and evidence.hex() != entry.evidence_digest:
            text = f"entry {seq} is as it was logged, but other evidence is kept for it"
            self._findings.add(Kind.CHANGED, seq, text)
        if entry.action == Action.AUDIT_PRUNED:
            self._pruned_by_entry = max(self._pruned_by_entry, _pruned_through(entry, seq))

    def _expect_kept(self, kept: Checkpoint) -> None:
        if kept.size > self._state.size:
            text = f"the log ends at entry {self._state.size}, short of the checkpoint of size {kept.size} that was "
            self._findings.add(Kind.MISSING, self._state.size + 1, text + "kept elsewhere")
        elif kept.size >= self._state.pruned:
            self._log.expect(kept, kept=True)
        elif self._root(kept.size) != kept.root:
            text = f"the checkpoint of size {kept.size} that was kept elsewhere has another root: a rewrite within "
            self._findings.add(Kind.CONTRADICTED, 1, text + spelled(1, kept.size))

    def _check_pruned_part(self) -> None:
        """Check what is still there of pruned entries: hashes and checkpoints."""
        for index in range(self._state.pruned // WIDTH):
            self._tiles.add(self._reader.tiles.tile(0, index))
        if self._state.pruned:
            for stored in self._reader.checkpoints(0, self._state.pruned):
                checkpoint = self._open(stored)
                if checkpoint is not None and self._root(checkpoint.size) != checkpoint.root:
                    text = f"the stored checkpoint of size {stored.size} has another root than the hashes give"
                    self._findings.add(Kind.MALFORMED, stored.size, text)

    def _root(self, size: int) -> bytes:
        try:
            return CompactRange.at(size, TileNodes(self._reader.tiles)).root()
        except StoreError:
            return b""

    def _check_strays(self) -> None:
        for seq in self._reader.strays(self._state):
            text = f"an entry {seq} is there that is not of the log, which has "
            last, first = self._state.size, self._state.pruned + 1
            self._findings.add(Kind.INSERTED, seq, text + (spelled(first, last) if first <= last else "none"))

    def _check_journals(self) -> None:
        if not self._state.are_journals_as_signed:
            text = "what the ledger says of journals is not what was signed: entries may be missing, or be there twice"
            self._findings.add(Kind.MALFORMED, self._state.size + 1, text)

    def _check_tiles(self) -> None:
        for level, index in self._tiles.finish():
            first = (index << 8 * (level + 1)) + 1
            text = f"the tile {level}/{index} of hashes, from entry {first} on, does not fit those below it"
            self._findings.add(Kind.MALFORMED, first, text)
        size, stored = self._reader.tile_bytes()
        if stored != (expected := HASH_SIZE * sum(size >> 8 * level for level in range(8))):
            text = f"the tiles have {stored} bytes, and those of {size} entries would have {expected}"
            self._findings.add(Kind.MALFORMED, size + 1, text)

    def _check_parts(self) -> None:
        if any(sha256(text).digest() != digest for digest, text in self._reader.parts()):
            text = "a client or a set of verdicts does not fit its digest, though no entry is wrong by it"
            self._findings.add(Kind.MALFORMED, self._state.size + 1, text)
        if any(template_digest(*told) != digest for digest, told in self._reader.templates()):
            text = "a template does not fit its digest, though no entry is wrong by it"
            self._findings.add(Kind.MALFORMED, self._state.size + 1, text)

    def _check_evidence(self) -> None:
        for number, digest, parts in self._reader.evidence():
            if not _makes(parts, digest):
                seq = self._reader.first_with(number)
                text = f"the evidence {digest.hex()[:12]} is not what "
                text += f"entry {seq} was decided on" if seq else "it was, though no entry refers to it"
                self._findings.add(Kind.CHANGED, seq or self._state.size + 1, text)


def _makes(parts: Iterable[bytes], digest: bytes) -> bool:
    try:
        return sha256(whole(parts)).digest() == digest
    except ValueError:
        return False


class _UpperTiles:
    """The tiles above the leaf hashes, computed anew from these and compared with those that are stored."""

    def __init__(self, stored: TileSource) -> None:
        self._stored = stored
        self._levels: list[list[bytes]] = []
        self._counts: list[int] = []
        self._wrong: list[tuple[int, int]] = []

    def add(self, tile: bytes) -> None:
        """Take the next tile of leaf hashes; one that is not full is the last one, and is in no tile above."""
        hashes = split_hashes(tile)
        if len(hashes) == WIDTH:
            self._push(1, root_hash(hashes))

    def finish(self) -> list[tuple[int, int]]:
        """Return the level and index of each tile that is not as it should be."""
        for level in range(1, len(self._levels) + 1):
            if self._levels[level - 1]:
                self._compare(level)
        return self._wrong

    def _push(self, level: int, node: bytes) -> None:
        if len(self._levels) < level:
            self._levels.append([])
            self._counts.append(0)
        hashes = self._levels[level - 1]
        hashes.append(node)
        if len(hashes) == WIDTH:
            self._compare(level)
            self._levels[level - 1] = []
            self._counts[level - 1] += 1
            self._push(level + 1, root_hash(hashes))

    def _compare(self, level: int) -> None:
        index, expected = self._counts[level - 1], b"".join(self._levels[level - 1])
        # The log may have grown since, and with it the last tile.
        if self._stored.tile(level, index)[: len(expected)] != expected:
            self._wrong.append((level, index))


def _pruned_through(entry: Entry, seq: int) -> int:
    through = entry.details.get("through")
    return through if isinstance(through, int) and through < seq else 0
