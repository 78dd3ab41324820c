"""Names what happened to entries, by comparing those that are there with the hashes of those that were logged."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

from pinfold.audit.findings import LIMIT, Findings, Kind, spelled

Leaves = list[bytes | None]
"""The leaf hashes of consecutive entries; None for one that is not known."""


class Seen(NamedTuple):
    """An entry as it was met."""

    hash: bytes
    claim: int | None
    """The number that it gives itself; None where it cannot be read."""


@dataclass(frozen=True, slots=True)
class _Gap:
    """A place whose entry is not in it."""

    seq: int
    hash: bytes | None


@dataclass(frozen=True, slots=True)
class _Stray:
    """An entry that is not in its place."""

    place: int
    """The place where it stands, or before which it was pushed in."""
    seen: Seen
    instead: bool
    """Whether it stands there instead of another."""


class Damage:
    """The places and the entries that do not fit together; what became of them can only be told in the end."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._gaps: list[_Gap] = []
        self._strays: list[_Stray] = []
        self._misnumbered: list[tuple[int, Seen]] = []
        self._wrong_hashes: list[range] = []
        self._passed_over: int | None = None

    def compare(self, first: int, hashes: Leaves, seen: list[Seen]) -> tuple[Leaves, Leaves]:
        """Compare entries with the hashes of those from number `first` on; return the leaves as either side has them.

        After too much damage the comparison is only of whether there is more.
        """
        found: Leaves = [entry.hash for entry in seen]
        if found == hashes and all(entry.claim == seq for seq, entry in enumerate(seen, first)):
            return found, found
        by_entries = hashes.copy()
        if self._is_full():
            differing = (at for at, pair in enumerate(zip(hashes, found, strict=False)) if pair[0] != pair[1])
            self._pass_over(first + next(differing, min(len(hashes), len(found))))
        else:
            for _, at, at_end, i, i_end in SequenceMatcher(None, hashes, found, autojunk=False).get_opcodes():
                both = min(at_end - at, i_end - i)
                for place, entry in zip(range(at, at_end), seen[i:i_end], strict=False):
                    by_entries[place] = entry.hash
                    self._compare_one(first + place, hashes[place], entry)
                self._gaps += [_Gap(first + place, hashes[place]) for place in range(at + both, at_end)]
                self._strays += [_Stray(first + at_end, entry, instead=False) for entry in seen[i + both : i_end]]
        return hashes, found if len(found) == len(hashes) else by_entries

    def push_in(self, place: int, entry: Seen) -> None:
        """Note an entry that stands before a place and has none of its own."""
        if self._is_full():
            self._pass_over(place)
        else:
            self._strays.append(_Stray(place, entry, instead=False))

    def blame_hashes(self, places: range) -> None:
        """Take note that in these places the entries are proven, so that it is the stored hashes that deviate."""
        self._wrong_hashes.append(places)

    def report(self) -> None:
        """Add what happened to the findings."""
        homes = {gap.hash: gap.seq for gap in self._gaps if gap.hash is not None}
        moved = {stray.seen.hash for stray in self._strays} & homes.keys()
        lost = {gap.seq for gap in self._gaps if gap.hash not in moved}
        for stray in self._strays:
            if stray.seen.hash in moved:
                self._report_move(homes[stray.seen.hash], stray.place)
            elif stray.instead and stray.place in lost:
                lost.remove(stray.place)
                self._report_change(stray.place, stray.seen)
            else:
                text = f"an entry that was never logged stands before entry {stray.place}{_claim(stray.seen)}"
                self._findings.add(Kind.INSERTED, stray.place, text)
        for first, last in _runs(sorted(lost)):
            self._findings.add(Kind.MISSING, first, f"missing: {spelled(first, last)}")
        for seq, entry in self._misnumbered:
            if not self._is_wrong_hash(seq):
                self._findings.add(Kind.MALFORMED, seq, f"entry {seq} was logged under another number{_claim(entry)}")
        if self._passed_over is not None:
            text = f"there is more damage from entry {self._passed_over} on that is not told apart"
            self._findings.add(Kind.UNPROVEN, self._passed_over, text)

    def _is_full(self) -> bool:
        return len(self._gaps) + len(self._strays) + len(self._misnumbered) >= LIMIT

    def _pass_over(self, seq: int) -> None:
        self._passed_over = seq if self._passed_over is None else min(seq, self._passed_over)

    def _compare_one(self, seq: int, hash_: bytes | None, entry: Seen) -> None:
        if entry.hash != hash_:
            self._gaps.append(_Gap(seq, hash_))
            self._strays.append(_Stray(seq, entry, instead=True))
        elif entry.claim != seq:
            self._misnumbered.append((seq, entry))

    def _report_change(self, seq: int, entry: Seen) -> None:
        if self._is_wrong_hash(seq):
            text = f"entry {seq} is as it was logged, but the hash stored for it is not"
            self._findings.add(Kind.HASH_CHANGED, seq, text)
        else:
            claim = "" if entry.claim == seq else _claim(entry)
            self._findings.add(Kind.CHANGED, seq, f"entry {seq} is not what was logged{claim}")

    def _report_move(self, home: int, place: int) -> None:
        seq = min(home, place)
        if self._is_wrong_hash(seq):
            text = f"the hash of entry {place} is stored in the place of entry {home}"
            self._findings.add(Kind.HASH_CHANGED, seq, text)
        else:
            self._findings.add(Kind.REORDERED, seq, f"entry {home} stands in the place of entry {place}")

    def _is_wrong_hash(self, seq: int) -> bool:
        return any(seq in places for places in self._wrong_hashes)


def _claim(entry: Seen) -> str:
    return "; it cannot be read" if entry.claim is None else f"; it calls itself entry {entry.claim}"


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and last number of each run of consecutive numbers."""
    for _, run in groupby(enumerate(numbers), key=lambda item: item[1] - item[0]):
        consecutive = [number for _, number in run]
        yield consecutive[0], consecutive[-1]
