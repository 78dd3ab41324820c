"""The gate: judges a whole project at once, and any single file again when its bytes are asked for."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from urllib.parse import urlsplit

from pinfold.domain.decision import Decision, reference, refusal_line
from pinfold.domain.evidence import Evidence
from pinfold.domain.names import parse_version
from pinfold.domain.project import File
from pinfold.domain.records import Records
from pinfold.policy import engine
from pinfold.ports.clock import Clock
from pinfold.ports.records import RecordStore
from pinfold.usecases.find_project import Found, ProjectFinder
from pinfold.usecases.gather_evidence import gather
from pinfold.usecases.indexes import Index
from pinfold.usecases.lru import Lru

FILES_IN_MEMORY = 250_000
IN_THREAD_ABOVE = 200
"""Projects with more files are judged in a thread: at some 5 microseconds a file and rule they would hold the loop."""


@dataclass(frozen=True, slots=True)
class JudgedFile:
    """A file with the evidence that was gathered of it and the decision that follows."""

    file: File
    evidence: Evidence
    decision: Decision
    vanished: bool = False
    """The upstream lists it no more."""

    @property
    def refused(self) -> bool:
        """Whether clients are kept from the file."""
        return self.decision.refused

    def reference(self) -> str:
        """Return the short reference of this decision on this evidence."""
        return reference(self.decision, self.evidence.digest())


@dataclass(frozen=True)
class JudgedProject:
    """Every file of a project, judged at one moment for one index."""

    index: Index
    name: str
    found: Found
    files: tuple[JudgedFile, ...]
    records: Records
    judged_at: datetime

    @cached_property
    def changes_at(self) -> datetime | None:
        """The earliest moment at which one of the decisions changes by itself."""
        moments = (judged.decision.changes_at for judged in self.files)
        return min((moment for moment in moments if moment is not None), default=None)

    @cached_property
    def last_good(self) -> str | None:
        """The newest release that an unpinned install would take: allowed, not yanked, no pre-release if possible."""
        offered = {
            judged.file.version
            for judged in self.files
            if judged.file.version and not judged.refused and not judged.vanished and judged.file.yanked is None
        }
        versions = [version for text in offered if (version := parse_version(text))]
        finals = [version for version in versions if not version.is_prerelease]
        return str(max(finals or versions)) if versions else None

    def refusal_of(self, judged: JudgedFile) -> str:
        """Return the line that tells a client why a file is refused."""
        return refusal_line(judged.decision, last_good=self.last_good, ref=judged.reference())

    @cached_property
    def by_filename(self) -> dict[str, JudgedFile]:
        """The files by name."""
        return {judged.file.filename: judged for judged in self.files}

    def at_upstream_path(self, path: str) -> JudgedFile | None:
        """Return the file that the upstream keeps at a path of its file host, whichever host that is."""
        return next((judged for judged in self.files if urlsplit(judged.file.url).path == path), None)


class Gate:
    """Asks the one decision function, for pages and for files alike."""

    def __init__(self, finder: ProjectFinder, records: RecordStore, clock: Clock) -> None:
        self._finder = finder
        self._records = records
        self._clock = clock
        self._memory: Lru[tuple[str, str], JudgedProject] = Lru(FILES_IN_MEMORY)

    async def judge_project(self, index: Index, name: str) -> JudgedProject | None:
        """Return a project with every file judged as of now, or None where no upstream has it.

        A judgement is kept while its listing and the records are the same and no decision has changed by itself.
        Raises UpstreamError and StoreError: without listing or records there is no decision.
        """
        found = await self._finder.find(index, name)
        if found is None:
            return None
        records = await self._records.current()
        now = self._clock.now()
        key = (index.name, name)
        kept = self._memory.get(key)
        if kept is not None and _still_holds(kept, index, found, records, now):
            if kept.found != found:
                # Freshness moved on while everything that was judged is the same.
                kept = replace(kept, found=found)
                self._memory.put(key, kept, 1 + len(kept.files))
            return kept
        if len(found.listing.project.files) > IN_THREAD_ABOVE:
            judged = await asyncio.to_thread(_judge, index, name, found, records, now)
        else:
            judged = _judge(index, name, found, records, now)
        self._memory.put(key, judged, 1 + len(judged.files))
        return judged

    async def judge_file(
        self, index: Index, name: str, filename: str, sha256: str
    ) -> tuple[JudgedProject, JudgedFile] | None:
        """Return one file, given by name and hash, judged anew as of now; None where it is not known."""
        project = await self.judge_project(index, name)
        judged = project.by_filename.get(filename) if project else None
        if project is None or judged is None:
            return None
        if judged.file.sha256 != sha256:
            # An address stays good for the bytes that it was given out for, also after the upstream replaced them.
            seen = project.found.listing.sightings.get(filename)
            if seen is None or seen.sha256 != sha256:
                return None
            first = replace(judged.file, sha256=sha256, size=None, core_metadata=False, provenance=False)
            judged = replace(judged, file=first, vanished=True)
        return project, self._again(project, judged)

    def _again(self, project: JudgedProject, judged: JudgedFile) -> JudgedFile:
        """Ask the decision function for one file as of now."""
        (evidence,) = gather(project.index, project.name, project.found, [judged.file], project.records)
        decision = _decide(project.index, project.name, evidence, project.records, self._clock.now())
        return replace(judged, evidence=evidence, decision=decision)


def _still_holds(kept: JudgedProject, index: Index, found: Found, records: Records, now: datetime) -> bool:
    return (
        kept.index is index
        and kept.found.listing is found.listing
        and kept.found.source is found.source
        and kept.records.revision == records.revision
        and (kept.changes_at is None or now < kept.changes_at)
    )


def _judge(index: Index, name: str, found: Found, records: Records, at: datetime) -> JudgedProject:
    listed = list(found.listing.project.files)
    vanished = found.listing.vanished_files()
    rules = index.policy.for_project(name)
    concerning = records.for_project(name)

    def judged() -> Iterator[JudgedFile]:
        evidences = gather(index, name, found, listed + vanished, concerning)
        for position, evidence in enumerate(evidences):
            waivers = concerning.waivers_of(name, evidence.file) if concerning.waivers else ()
            decision = engine.decide(rules, evidence, waivers, at)
            yield JudgedFile(evidence.file, evidence, decision, vanished=position >= len(listed))

    return JudgedProject(index, name, found, tuple(judged()), concerning, at)


def _decide(index: Index, name: str, evidence: Evidence, records: Records, at: datetime) -> Decision:
    waivers = records.waivers_of(name, evidence.file)
    return engine.decide(index.policy.for_project(name), evidence, waivers, at)
