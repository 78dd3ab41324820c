"""The files of a project with their decisions, each made once somebody looks at the file."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from threading import Lock
from typing import cast

from msgspec import Struct

from pinfold.domain.decision import Decision, reference
from pinfold.domain.evidence import Evidence
from pinfold.domain.listing import Sighting
from pinfold.domain.project import File
from pinfold.usecases.beside_the_loop import hold_up_nobody
from pinfold.usecases.project_files import IN_THREAD_ABOVE


class JudgedFile(Struct, frozen=True, gc=False):
    """A file with the decision that follows from the evidence of it."""

    file: File
    gather: Callable[[File], Evidence]
    """Gathers the evidence that was judged once more: to keep it takes twice the memory of all else."""
    decision: Decision
    sighting: Sighting | None = None
    """When the file was first seen, where it was seen on its project's page."""
    vanished: bool = False
    """The upstream lists it no more."""
    evidence_digest: str | None = None
    """The digest of the evidence, where it was computed already."""

    @property
    def evidence(self) -> Evidence:
        """What the decision follows from."""
        return self.gather(self.file)

    @property
    def refused(self) -> bool:
        """Whether clients are kept from the file."""
        return self.decision.refused

    @property
    def is_offered(self) -> bool:
        """Whether an unpinned install may take the file."""
        return not self.refused and not self.vanished and self.file.yanked is None

    @property
    def span(self) -> tuple[datetime | None, datetime | None]:
        """From when to when the upstream had the file, as far as that is known.

        Where it states no upload time the file was there when it was first seen here, and nobody can tell of before.
        """
        if self.sighting is None:
            return self.file.upload_time, None
        return self.file.upload_time or self.sighting.first_seen, self.sighting.vanished_at

    def stood_at(self, moment: datetime) -> bool:
        """Tell whether the upstream had the file at a moment."""
        since, until = self.span
        return since is not None and since <= moment and (until is None or moment < until)

    def reference(self) -> str:
        """Return the short reference of this decision on this evidence."""
        return reference(self.decision, self.digest())

    def digest(self) -> str:
        """Return the digest of the evidence."""
        return self.evidence_digest or self.evidence.digest()


Judge = Callable[[Sequence[int]], Iterable[JudgedFile]]
"""Judges the files at some positions, in their order."""


class JudgedFiles(Collection[JudgedFile]):
    """The files of a project by position, judged when they are looked at: one by one, or all that are left at once.

    Each is judged once. Of many files none is judged on the event loop, where that raises TakesLong: neither for one
    who looks at all of them nor for one who looks for something from file to file.
    """

    def __init__(
        self,
        judged: Sequence[JudgedFile | None] = (),
        judge: Judge = lambda _: (),
        changes_at: datetime | None = None,
    ) -> None:
        """Take in what was judged already, with None for what `judge` is to be asked for.

        At `changes_at` something that `judge` goes by may be another.
        """
        self._judged = list(judged)
        self._judge = judge
        self._turn = Lock()
        done = [each for each in self._judged if each is not None]
        self.judged = len(done)
        """How many are judged."""
        self.changes_at = _first_change(done, changes_at)
        """The earliest moment at which a decision on one of those changes by itself, or what one was made by."""

    def __len__(self) -> int:
        return len(self._judged)

    def __contains__(self, judged: object) -> bool:
        return any(each is judged for each in self)

    def __getitem__(self, position: int) -> JudgedFile:
        judged = self._judged[position]
        if judged is None:
            self._look_at([range(len(self))[position]])
            judged = self._judged[position]
        return cast("JudgedFile", judged)

    def __iter__(self) -> Iterator[JudgedFile]:
        if not self.are_all_judged:
            self._look_at(range(len(self)))
        return iter(cast("list[JudgedFile]", self._judged))

    @property
    def are_all_judged(self) -> bool:
        """Whether none is left to be judged."""
        return self.judged == len(self)

    def but(self, positions: Iterable[int], judge: Judge) -> "JudgedFiles":
        """Return the same with files to be judged once more, and they and all that are left by another judge.

        That one may go by how they were judged before, such as by which release a fix would replace.
        """
        judged = list(self._judged)
        for position in positions:
            judged[position] = None
        return JudgedFiles(judged, judge, self.changes_at)

    def _look_at(self, positions: Sequence[int]) -> None:
        if len(self) > IN_THREAD_ABOVE:
            hold_up_nobody()
        # Threads that look at the same file get the same object.
        with self._turn:
            left = [position for position in positions if self._judged[position] is None]
            judged = list(self._judge(left))
            # First of all it is told how long what then can be looked at stands.
            self.changes_at = _first_change(judged, self.changes_at)
            for position, each in zip(left, judged, strict=True):
                self._judged[position] = each
            self.judged += len(judged)


def _first_change(judged: Iterable[JudgedFile], known: datetime | None) -> datetime | None:
    """Return the earliest moment at which a decision changes by itself, among some files and what is `known`."""
    moments = (each.decision.changes_at for each in judged)
    return min((moment for moment in (known, *moments) if moment is not None), default=None)
