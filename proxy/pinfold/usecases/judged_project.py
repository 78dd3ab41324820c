"""A project judged for one index at one moment: what a page tells, and where a file's way begins."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Final, Self

from msgspec import structs

from pinfold.advisories.assess import Assessment
from pinfold.domain.decision import refusal_line
from pinfold.domain.evidence import NO_FEED, Evidence, Item, Need, ProjectEvidence, Unknown
from pinfold.domain.look_alikes import Resemblance
from pinfold.domain.project import File
from pinfold.domain.records import Records
from pinfold.usecases.compare_contents import ProjectInspections
from pinfold.usecases.find_project import Found
from pinfold.usecases.gather_evidence import LIKE_NONE, ProjectProvenance, gather, gather_project
from pinfold.usecases.indexes import Index
from pinfold.usecases.judged_files import JudgedFile, JudgedFiles
from pinfold.usecases.judgement import Basis, Grounds, Judgement
from pinfold.usecases.last_good import LastGood
from pinfold.usecases.project_files import ProjectFiles

EVERYTHING = frozenset(Need)
PROJECT_BYTES: Final = 1024
"""What a project takes up in memory besides its files."""
LAID_OUT_BYTES: Final = 120
"""What each file takes up in it besides the listing, which is kept elsewhere."""
JUDGED_BYTES: Final = 100
"""What the judgement of a file takes up besides."""
DECIDED_BYTES: Final = 800
"""What a file takes up that was judged once more, with its evidence."""
NEWEST = 20
"""Files of a project whose provenance is verified ahead: what an unpinned install looks at first."""
STRIDE = 4
"""By how much the steps grow in which an earlier release is sought to compare with: 1, 4, 16, 64 releases back."""


# Each of its files refers to it: told with all of its listing, a project of thousands would take gigabytes.
@dataclass(frozen=True, repr=False)
class JudgedProject:
    """The files of a project, judged as of one moment for one index; what is found out of several looks at those."""

    index: Index
    name: str
    found: Found
    laid_out: ProjectFiles
    files: JudgedFiles
    """By the same positions as there."""
    grounds: Grounds
    records: Records
    """Those of the grounds that can concern the project."""
    judged_at: datetime
    provenance: ProjectProvenance | None = None
    """What is known of provenance, where a rule asks for it."""
    advisories: Item[Assessment] = NO_FEED
    """What advisory feeds hold on the project, matched with the files."""
    inspections: ProjectInspections | None = None
    """What is known of the content of the files, where a rule asks for it."""
    resemblance: Item[Resemblance | None] = LIKE_NONE
    """The known names that the project's could be taken for."""

    @property
    def about(self) -> ProjectEvidence:
        """The evidence that the files have in common."""
        return gather_project(self.name, self.found, self.records, self.advisories, self.inspections, self.grounds.pins)

    def evidence_of(self, files: Sequence[File]) -> list[Evidence]:
        """Gather the evidence of some of the files, in their order."""
        return gather(
            self.index,
            self.name,
            self.found,
            files,
            self.records,
            self.provenance,
            self.advisories,
            self.inspections,
            self.grounds.pins,
            self.resemblance,
        )

    @property
    def weight(self) -> int:
        """How many bytes it takes up, about, besides its listing."""
        judged = JUDGED_BYTES * self.files.judged + DECIDED_BYTES * len(self.decided)
        return PROJECT_BYTES + LAID_OUT_BYTES * len(self.files) + judged

    def stands_at(self, moment: datetime) -> bool:
        """Tell whether no decision that was made so far has changed by itself."""
        changes_at = self.files.changes_at
        return changes_at is None or moment < changes_at

    @property
    def stands_until(self) -> datetime:
        """Until when all that was judged so far stands, as far as time alone changes it."""
        fresh_until, changes_at = self.found.fresh_until, self.files.changes_at
        return fresh_until if changes_at is None else min(fresh_until, changes_at)

    @cached_property
    def to_verify(self) -> tuple[File, ...]:
        """What the newest files need verified to be judged for good, newest first."""
        if self.provenance is None:
            return ()
        files = self.laid_out.files
        newest = (position for position in self.laid_out.newest(NEWEST) if _is_attested(files[position]))
        wanted = (file for position in newest for file in self.to_verify_for(self.files[position], self.judged_at))
        return tuple(dict.fromkeys(wanted))

    def whole(self) -> Self:
        """Judge all files that are left."""
        iter(self.files)
        return self

    @cached_property
    def changes_at(self) -> datetime | None:
        """The earliest moment at which one of the decisions changes by itself."""
        return self.whole().files.changes_at

    @cached_property
    def is_unopposed(self) -> bool:
        """Whether nothing is held against any file, and none was taken away: a page says so whatever else is known."""
        return not any(judged.refused or judged.vanished for judged in self.files)

    @cached_property
    def judgement(self) -> Judgement:
        """How the project was judged, without its files."""
        return Judgement.of(self.basis, self.changes_at, self.to_verify)

    @property
    def basis(self) -> Basis:
        """All that the project was judged on."""
        return Basis(self.index, self.name, self.found, self.grounds)

    @cached_property
    def decided(self) -> dict[tuple[str, str, frozenset[Need]], JudgedFile]:
        """Files that were judged once more, by name, hash and what was awaited: good until one changes by itself."""
        return {}

    @cached_property
    def last_good(self) -> str | None:
        """The newest release that an unpinned install would take: allowed, not yanked, no pre-release if possible."""
        return newest_offered(self.laid_out, self.files)

    def state_at(self, moment: datetime) -> int:
        """Return a number that two moments share where the project stood alike at both."""
        return bisect_right(self._moments, moment)

    def as_of(self, moment: datetime) -> "JudgedProject":
        """Return the project with only the files that were there at a moment, judged as of now."""
        there = [judged for judged in self.files if judged.stood_at(moment)]
        listed = sum(not judged.vanished for judged in there)
        return replace(self, laid_out=ProjectFiles([judged.file for judged in there], listed), files=JudgedFiles(there))

    @cached_property
    def _moments(self) -> list[datetime]:
        spans = (judged.span for judged in self.files)
        return sorted(moment for span in spans for moment in span if moment is not None)

    def refusal_of(self, judged: JudgedFile, as_of: datetime | None = None) -> str:
        """Return the line that tells a client why a file is refused; as of a moment, by what was there then."""
        filename = judged.file.filename
        is_of_the_page = as_of is None and judged is self.judged(filename)
        line = self._refusals.get(filename) if is_of_the_page else None
        if line is None:
            line = refusal_line(judged.decision, last_good=self._last_good_for(judged, as_of), ref=judged.reference())
            if is_of_the_page:
                self._refusals[filename] = line
        return line

    @cached_property
    def _refusals(self) -> dict[str, str]:
        """The lines about files as they are judged here: all forms of a page have the same, and each costs a digest."""
        return {}

    def _last_good_for(self, refused: JudgedFile, as_of: datetime | None) -> str | None:
        """Return the last good release beside a file that is refused by now: its page may have left that open."""
        listed = self.judged(refused.file.filename)
        if as_of is None and (listed is None or listed.refused):
            return self.last_good
        return self._last_good_then.release(beside=refused.file.sha256, as_of=as_of)

    @cached_property
    def _last_good_then(self) -> LastGood:
        return LastGood((judged.span[0], judged.file) for judged in self.files if judged.is_offered)

    def judged(self, filename: str) -> JudgedFile | None:
        """Return the file of a name."""
        position = self.laid_out.named(filename)
        return None if position is None else self.files[position]

    def to_verify_for(self, judged: JudgedFile, at: datetime) -> tuple[File, ...]:
        """Return the files whose provenance must be verified before one can be judged for good."""
        if self.provenance is None or not _is_attested(judged.file):
            return ()
        return self.index.policy.for_project(self.name).to_verify(judged.evidence, self.provenance.uploads, at)

    def awaits_inspection(self, judged: JudgedFile) -> bool:
        """Tell whether a file is judged for good only once its bytes, or those of an earlier release, are inspected."""
        return self.index.policy.for_project(self.name).awaits(Need.INSPECTION, judged.decision)

    def to_inspect(self, judged: JudgedFile) -> File | None:
        """Return the file that has to be inspected next before one can be judged: itself, or one to compare it with."""
        while self.inspections and self.awaits_inspection(judged):
            inspection = judged.evidence.inspection
            if isinstance(inspection, Unknown) or inspection.value.again_at or inspection.value.previous is None:
                return judged.file
            if (vouching := self._to_vouch_for(judged)) is not None:
                return vouching
            previous = self.judged(inspection.value.previous)
            assert previous is not None  # noqa: S101 - it was compared with
            judged = previous
        return None

    def _to_vouch_for(self, judged: JudgedFile) -> File | None:
        """Return the earlier file to inspect next, to find one that has what seems new and waits for nothing itself.

        A project that always had a start-up hook would lead from release to release, years back. So each step is
        longer than the one before; only where that leads too far are the releases looked at one by one.
        """
        assert self.inspections is not None  # noqa: S101 - asked for where it is there
        due = 1
        for place, candidate in enumerate(self._earlier(judged.file), start=1):
            if place < due:
                continue
            if self.inspections.contents.of(candidate.file) is None:
                return candidate.file
            if not self.awaits_inspection(candidate):
                return None
            due *= STRIDE
        return None

    def _earlier(self, file: File) -> Iterator[JudgedFile]:
        """Yield of each earlier release that is let through the file that is most like one, newest first."""
        seen: set[str | None] = set()
        for position in self.laid_out.releases.before(file):
            version = self.laid_out.files[position].version
            if version not in seen and (judged := self.files[position]).is_offered:
                seen.add(version)
                yield judged

    def find(self, filename: str, sha256: str) -> JudgedFile | None:
        """Return the file at an address, which stays good for the bytes that it was given out for."""
        judged = self.judged(filename)
        if judged is None or judged.file.sha256 == sha256:
            return judged
        # The upstream replaced the bytes.
        seen = self.found.listing.sightings.get(filename)
        if seen is None or seen.sha256 != sha256:
            return None
        first = structs.replace(judged.file, sha256=sha256, size=None, core_metadata=False, provenance=False)
        return structs.replace(judged, file=first, vanished=True)


def _is_attested(file: File) -> bool:
    """Tell whether the upstream says that there is provenance to verify."""
    return isinstance(file.provenance, str)


def newest_offered(laid_out: ProjectFiles, files: JudgedFiles) -> str | None:
    """Return the newest release that an unpinned install would take; only what it would prefer is judged for that."""
    offered = (position for position in laid_out.releases.preferred() if files[position].is_offered)
    newest = next(offered, None)
    return None if newest is None else laid_out.files[newest].version
