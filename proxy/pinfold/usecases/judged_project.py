"""A project with every file judged for one index at one moment: what a page tells, and where a file's way begins."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from urllib.parse import urlsplit

from msgspec import Struct, structs

from pinfold.advisories.assess import Assessment
from pinfold.domain.decision import Decision, reference, refusal_line
from pinfold.domain.evidence import NO_FEED, Evidence, Item, Need, ProjectEvidence, Unknown
from pinfold.domain.look_alikes import Resemblance
from pinfold.domain.names import newest_release
from pinfold.domain.project import File
from pinfold.domain.records import Records
from pinfold.usecases.compare_contents import ProjectInspections
from pinfold.usecases.find_project import Found
from pinfold.usecases.gather_evidence import LIKE_NONE, ProjectProvenance, gather, gather_project
from pinfold.usecases.indexes import Index
from pinfold.usecases.judgement import Basis, Grounds, Judgement
from pinfold.usecases.last_good import LastGood
from pinfold.usecases.previous_releases import PreviousReleases

EVERYTHING = frozenset(Need)
STRIDE = 4
"""By how much the steps grow in which an earlier release is sought to compare with: 1, 4, 16, 64 releases back."""


class JudgedFile(Struct, frozen=True, gc=False):
    """A file with the evidence that was gathered of it and the decision that follows."""

    file: File
    evidence: Evidence
    decision: Decision
    vanished: bool = False
    """The upstream lists it no more."""
    evidence_digest: str | None = None
    """The digest of the evidence, where it was computed already."""

    @property
    def refused(self) -> bool:
        """Whether clients are kept from the file."""
        return self.decision.refused

    @property
    def span(self) -> tuple[datetime | None, datetime | None]:
        """From when to when the upstream had the file, as far as that is known.

        Where it states no upload time the file was there when it was first seen here, and nobody can tell of before.
        """
        sighting = self.evidence.sighting
        if isinstance(sighting, Unknown):
            return self.file.upload_time, None
        return self.file.upload_time or sighting.value.first_seen, sighting.value.vanished_at

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


@dataclass(frozen=True)
class JudgedProject:
    """Every file of a project, judged at one moment for one index."""

    index: Index
    name: str
    found: Found
    files: tuple[JudgedFile, ...]
    grounds: Grounds
    records: Records
    """Those of the grounds that can concern the project."""
    judged_at: datetime
    provenance: ProjectProvenance | None = None
    """What is known of provenance, where a rule asks for it."""
    to_verify: tuple[File, ...] = ()
    """What the newest files need verified to be judged for good, newest first."""
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

    @cached_property
    def changes_at(self) -> datetime | None:
        """The earliest moment at which one of the decisions changes by itself."""
        moments = (judged.decision.changes_at for judged in self.files)
        return min((moment for moment in moments if moment is not None), default=None)

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
        return newest_allowed(self.files)

    def state_at(self, moment: datetime) -> int:
        """Return a number that two moments share where the project stood alike at both."""
        return bisect_right(self._moments, moment)

    def as_of(self, moment: datetime) -> "JudgedProject":
        """Return the project with only the files that were there at a moment, judged as of now."""
        return replace(self, files=tuple(judged for judged in self.files if judged.stood_at(moment)))

    @cached_property
    def _moments(self) -> list[datetime]:
        spans = (judged.span for judged in self.files)
        return sorted(moment for span in spans for moment in span if moment is not None)

    def refusal_of(self, judged: JudgedFile, as_of: datetime | None = None) -> str:
        """Return the line that tells a client why a file is refused; as of a moment, by what was there then."""
        filename = judged.file.filename
        is_of_the_page = as_of is None and judged is self.by_filename.get(filename)
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
        listed = self.by_filename.get(refused.file.filename)
        if as_of is None and (listed is None or listed.refused):
            return self.last_good
        return self._last_good_then.release(beside=refused.file.sha256, as_of=as_of)

    @cached_property
    def _last_good_then(self) -> LastGood:
        return LastGood((judged.span[0], judged.file) for judged in self.files if is_offered(judged))

    @cached_property
    def by_filename(self) -> dict[str, JudgedFile]:
        """The files by name."""
        return {judged.file.filename: judged for judged in self.files}

    def to_verify_for(self, judged: JudgedFile, at: datetime) -> tuple[File, ...]:
        """Return the files whose provenance must be verified before one can be judged for good."""
        if self.provenance is None or not isinstance(judged.file.provenance, str):
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
            judged = self.by_filename[inspection.value.previous]
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
        for position in self._releases.before(file):
            judged = self.files[position]
            if judged.file.version not in seen and is_offered(judged):
                seen.add(judged.file.version)
                yield judged

    @cached_property
    def _releases(self) -> PreviousReleases:
        return PreviousReleases([judged.file for judged in self.files])

    def find(self, filename: str, sha256: str) -> JudgedFile | None:
        """Return the file at an address, which stays good for the bytes that it was given out for."""
        judged = self.by_filename.get(filename)
        if judged is None or judged.file.sha256 == sha256:
            return judged
        # The upstream replaced the bytes.
        seen = self.found.listing.sightings.get(filename)
        if seen is None or seen.sha256 != sha256:
            return None
        first = structs.replace(judged.file, sha256=sha256, size=None, core_metadata=False, provenance=False)
        return structs.replace(judged, file=first, vanished=True)

    def at_upstream_path(self, path: str) -> JudgedFile | None:
        """Return the file that the upstream keeps at a path of its file host, whichever host that is.

        The path ends with the file's name, as those of PyPI do.
        """
        judged = self.by_filename.get(path.rpartition("/")[2])
        return judged if judged is not None and urlsplit(judged.file.url).path == path else None


def newest_allowed(files: Sequence[JudgedFile]) -> str | None:
    """Return the newest release that an unpinned install would take of some files."""
    return newest_release(judged.file.version for judged in files if is_offered(judged))


def is_offered(judged: JudgedFile) -> bool:
    """Tell whether an unpinned install may take a file."""
    return not judged.refused and not judged.vanished and judged.file.yanked is None
