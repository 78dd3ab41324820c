"""Verifies a run of audit entries against signed checkpoints, in one pass and with bounded memory.

Two trees grow side by side: one from the leaf hashes that are stored apart from the entries, one from the entries. As
long as they agree they are one. At each checkpoint the signed root tells which of them is true: if it is the kept
hashes, every entry that deviates from its hash is known by its number; if it is the entries, the hashes were tampered
with; if it is neither, an entry was changed together with its hash since the last checkpoint that fitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import msgspec

from pinfold.audit.checkpoint import Checkpoint
from pinfold.audit.damage import Damage, Leaves, Seen
from pinfold.audit.findings import Findings, Kind, Verification, spelled
from pinfold.audit.merkle import HASH_SIZE, CompactRange, leaf_hash, split_hashes, subtrees
from pinfold.audit.tiles import WIDTH


@dataclass(slots=True)
class _Block:
    """The hashes that were stored of up to 256 entries, and the entries that came after them."""

    first: int | None = None
    hashes: list[bytes] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)


class _Awaited(NamedTuple):
    checkpoint: Checkpoint
    kept: bool


class _Numbered(msgspec.Struct):
    seq: Annotated[int, msgspec.Meta(ge=1, lt=10**18)]


_numbered = msgspec.json.Decoder(_Numbered)


class LogVerifier:
    """Takes the entries of a log up to number `last`, in order: block by block, the stored hashes and then the entries.

    `start` stands for the entries before, be they pruned or of no interest; that it is true follows, as for the rest,
    from a checkpoint whose root is met. A checkpoint is announced before the block that reaches its size has ended.
    """

    def __init__(self, start: CompactRange, last: int, findings: Findings) -> None:
        self._first = self._next = start.size + 1
        self._last = last
        self._findings = findings
        self._damage = Damage(findings)
        self._block = _Block()
        self._by_hashes = self._by_entries = start.copy()
        self._lost_at: int | None = None
        self._awaited: dict[int, list[_Awaited]] = {}
        self._met = {False: start.size, True: start.size}
        self._contradicted: set[bool] = set()
        self._proven = 0

    @property
    def position(self) -> int:
        """The number that the next entry should have, if none is missing or too many so far."""
        return self._next + len(self._block.seen)

    def expect(self, checkpoint: Checkpoint, *, kept: bool = False) -> None:
        """Announce a trusted checkpoint, be it the log's own or one that was kept elsewhere.

        Raises ValueError when entries beyond its size have been compared already.
        """
        if checkpoint.size < self._next - 1:
            raise ValueError(f"the checkpoint of size {checkpoint.size} comes after entry {self._next - 1}")
        self._awaited.setdefault(checkpoint.size, []).append(_Awaited(checkpoint, kept))
        self._meet()

    def leaves(self, first: int, hashes: bytes) -> None:
        """Take the stored leaf hashes, 1 to 256 of them, of the entries that come next, from number `first` on."""
        if self._block.hashes or first != self._next:
            self._close()
        if not 0 < len(hashes) <= WIDTH * HASH_SIZE or len(hashes) % HASH_SIZE:
            self._findings.add(Kind.MALFORMED, self._next, f"the stored hashes from entry {self._next} on are damaged")
            return
        if self._block.seen:
            self._findings.add(Kind.MALFORMED, first, f"entries stand ahead of the stored hashes from entry {first} on")
        self._block.first = first
        self._block.hashes = split_hashes(hashes)

    def entry(self, canonical: bytes) -> None:
        """Take an entry's canonical bytes."""
        seen = Seen(leaf_hash(canonical), _claim(canonical))
        block, width = self._block, self._width()
        if seen.claim == self._next + width and (not block.hashes or len(block.seen) >= width):
            self._close()
        if len(self._block.seen) < 2 * WIDTH:
            self._block.seen.append(seen)
        else:
            self._damage.push_in(self._next + width, seen)

    def finish(self, remainder: Sequence[bytes] = ()) -> Verification:
        """Return the answer; `remainder` are the hashes of the subtrees from the last entry to the last checkpoint."""
        self._close()
        if self._next <= self._last:
            self._lose(self._last)
        size = max([self._last, *self._awaited])
        nodes = list(subtrees(self._last, size))
        if len(nodes) != len(remainder) or any(len(node) != HASH_SIZE for node in remainder):
            text = f"the hashes that lead from entry {self._last} to the checkpoint of size {size} are damaged"
            self._findings.add(Kind.MALFORMED, self._last + 1, text)
        elif self._lost_at is None:
            for (level, _), node in zip(nodes, remainder, strict=True):
                self._append(node, node, level)
        self._damage.report()
        self._report_unproven()
        return self._findings.verification(self._first, self._last, self._proven)

    def _width(self) -> int:
        """Return how many entries the open block should have."""
        to_tile_end = WIDTH - (self._next - 1) % WIDTH
        return len(self._block.hashes) or max(0, min(to_tile_end, self._last - self._next + 1))

    def _close(self) -> None:
        block = self._block
        if not block.hashes and not block.seen:
            return
        self._locate(block)
        hashes: Leaves = [*block.hashes]
        if not hashes:
            by_claim = {seen.claim: seen.hash for seen in reversed(block.seen)}
            hashes = [by_claim.get(seq) for seq in range(self._next, self._next + self._width())]
            if hashes:
                self._findings.add(
                    Kind.MALFORMED, self._next, f"the stored hashes from entry {self._next} on are missing"
                )
        self._block = _Block()
        by_hashes, by_entries = self._damage.compare(self._next, hashes, block.seen)
        for one, other in zip(by_hashes, by_entries, strict=True):
            if one is None or other is None:
                self._lost_at = self._lost_at or self._next
            elif self._lost_at is None:
                self._append(one, other)
            self._next += 1

    def _locate(self, block: _Block) -> None:
        """Find out where a block belongs: either its first number is wrong, or all that came before it is gone."""
        first = block.first
        if first is not None and first != self._next:
            if block.seen and block.seen[0].claim == first and self._next < first <= self._last:
                self._lose(first - 1)
            else:
                text = f"the stored hashes from entry {self._next} on call themselves those from entry {first} on"
                self._findings.add(Kind.MALFORMED, self._next, text)
        room = max(0, self._last - self._next + 1)
        if len(block.hashes) > room:
            self._findings.add(Kind.MALFORMED, self._last + 1, f"there are stored hashes beyond entry {self._last}")
            del block.hashes[room:]

    def _lose(self, through: int) -> None:
        """Give up entries of which neither bytes nor hashes are left, and with them the trees."""
        self._findings.add(Kind.MISSING, self._next, f"missing: {spelled(self._next, through)}")
        self._lost_at = self._lost_at or self._next
        self._next = through + 1

    def _append(self, by_hashes: bytes, by_entries: bytes, level: int = 0) -> None:
        if by_hashes != by_entries and self._by_entries is self._by_hashes:
            self._by_entries = self._by_hashes.copy()
        self._by_hashes.append(by_hashes, level)
        if self._by_entries is not self._by_hashes:
            self._by_entries.append(by_entries, level)
        if self._by_hashes.size in self._awaited:
            self._meet()

    def _meet(self) -> None:
        size = self._by_hashes.size
        for checkpoint, kept in self._awaited.pop(size, ()):
            if self._by_hashes.root() == checkpoint.root:
                self._by_entries = self._by_hashes
            elif self._by_entries.root() == checkpoint.root:
                self._damage.blame_hashes(range(max(self._met.values()) + 1, size + 1))
                self._by_hashes = self._by_entries
            else:
                self._contradict(size, kept=kept)
                continue
            self._met[kept] = self._proven = size

    def _contradict(self, size: int, *, kept: bool) -> None:
        # What does not lead to one root leads to none after it: the first contradiction says all there is to say.
        if kept in self._contradicted:
            return
        self._contradicted.add(kept)
        first = (self._met[True] if kept else max(self._met.values())) + 1
        among = spelled(first, size) if first <= size else f"the entries before {first}"
        if kept:
            text = f"the checkpoint of size {size} that was kept elsewhere has another root: a rewrite within {among}"
            self._findings.add(Kind.CONTRADICTED, first, text)
        else:
            text = f"the root that is signed for size {size} follows neither from the bytes nor the hashes of {among}"
            if not self._proven and self._first > 1:
                text += ", given the hashes that stand for the entries before"
            self._findings.add(Kind.UNPROVEN, first, text)

    def _report_unproven(self) -> None:
        if self._lost_at is not None:
            text = f"nothing from entry {self._lost_at} on can be proven: neither it nor its hash is there"
            self._findings.add(Kind.UNPROVEN, self._lost_at, text)
            return
        for size in self._awaited:
            text = f"it cannot be told whether the entries fit the checkpoint of size {size}"
            self._findings.add(Kind.UNPROVEN, self._last + 1, text)
        if self._proven < self._last and not self._contradicted:
            first = max(self._met.values()) + 1
            text = f"no signed checkpoint vouches for {spelled(first, self._last)}"
            self._findings.add(Kind.UNPROVEN, first, text)


def _claim(canonical: bytes) -> int | None:
    try:
        return _numbered.decode(canonical).seq
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
