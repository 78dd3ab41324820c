"""The gate: judges a whole project at once, and any single file again when its bytes are asked for."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from urllib.parse import urlsplit

from pinfold.advisories.assess import Assessment, assess
from pinfold.domain.advisory import ProjectClaims
from pinfold.domain.decision import Decision, reference, refusal_line
from pinfold.domain.errors import UpstreamError
from pinfold.domain.evidence import NO_FEED, Evidence, Item, Known, Need, Unknown
from pinfold.domain.inspection import Inspection
from pinfold.domain.names import newest_release
from pinfold.domain.project import File
from pinfold.domain.records import Records
from pinfold.domain.release_lines import BEGINNING
from pinfold.policy import engine
from pinfold.ports.advisories import AdvisoryStore
from pinfold.ports.clock import Clock
from pinfold.ports.records import RecordStore
from pinfold.usecases.compare_contents import Comparison, ProjectInspections
from pinfold.usecases.find_project import Found, ProjectFinder
from pinfold.usecases.gather_evidence import ProjectProvenance, gather, provenance_of
from pinfold.usecases.indexes import Index
from pinfold.usecases.inspections import Contents, Inspections
from pinfold.usecases.lru import Lru
from pinfold.usecases.provenances import FileKey, Knowledge, Provenances, key_of

FILES_IN_MEMORY = 100_000
IN_THREAD_ABOVE = 200
"""Projects with more files are judged in a thread: at some 5 microseconds a file and rule they would hold the loop."""
EVERYTHING = frozenset(Need)
INSPECTION = frozenset({Need.INSPECTION})
COMPARED_AT_MOST = 8
"""Files that are inspected for one, to find an earlier release that it can be held against."""
NEWEST = 20
"""Files of a project whose provenance is verified ahead: what an unpinned install looks at first."""


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
    provenance: ProjectProvenance | None = None
    """What is known of provenance, where a rule asks for it."""
    to_verify: tuple[File, ...] = ()
    """What the newest files need verified to be judged for good, newest first."""
    about: Item[ProjectClaims] = NO_FEED
    """What advisory feeds hold on the project."""
    advisories: Item[Assessment] = NO_FEED
    """The same, matched with the files."""
    inspections: ProjectInspections | None = None
    """What is known of the content of the files, where a rule asks for it."""

    @cached_property
    def changes_at(self) -> datetime | None:
        """The earliest moment at which one of the decisions changes by itself."""
        moments = (judged.decision.changes_at for judged in self.files)
        return min((moment for moment in moments if moment is not None), default=None)

    @cached_property
    def last_good(self) -> str | None:
        """The newest release that an unpinned install would take: allowed, not yanked, no pre-release if possible."""
        return _newest_allowed(self.files)

    def refusal_of(self, judged: JudgedFile) -> str:
        """Return the line that tells a client why a file is refused."""
        return refusal_line(judged.decision, last_good=self.last_good, ref=judged.reference())

    @cached_property
    def by_filename(self) -> dict[str, JudgedFile]:
        """The files by name."""
        return {judged.file.filename: judged for judged in self.files}

    def awaits_inspection(self, judged: JudgedFile) -> bool:
        """Tell whether a file is judged for good only once its bytes, or those of an earlier release, are inspected."""
        return self.index.policy.for_project(self.name).awaits(Need.INSPECTION, judged.decision)

    def to_inspect(self, judged: JudgedFile) -> File | None:
        """Return the file that has to be inspected next before one can be judged: itself, or one to compare it with."""
        while self.inspections and not judged.refused and self.awaits_inspection(judged):
            inspection = judged.evidence.inspection
            if isinstance(inspection, Unknown) or inspection.value.again_at or inspection.value.previous is None:
                return judged.file
            judged = self.by_filename[inspection.value.previous]
            if self.inspections.contents.of(judged.file) is None:
                return judged.file
        return None

    def at_upstream_path(self, path: str) -> JudgedFile | None:
        """Return the file that the upstream keeps at a path of its file host, whichever host that is."""
        return next((judged for judged in self.files if urlsplit(judged.file.url).path == path), None)


class Gate:
    """Asks the one decision function, for pages and for files alike."""

    def __init__(
        self,
        finder: ProjectFinder,
        records: RecordStore,
        provenances: Provenances,
        inspections: Inspections,
        advisories: AdvisoryStore,
        clock: Clock,
    ) -> None:
        self._finder = finder
        self._records = records
        self._provenances = provenances
        self._inspections = inspections
        self._advisories = advisories
        self._clock = clock
        self._memory: Lru[tuple[str, str], JudgedProject] = Lru(FILES_IN_MEMORY)

    async def judge_project(self, index: Index, name: str) -> JudgedProject | None:
        """Return a project with every file judged as of now, or None where no upstream has it.

        A judgement is kept while its listing, the records, the advisories and what is known of provenance are the same
        and no decision has changed by itself. Raises UpstreamError and StoreError: without listing or records there is
        no decision.
        """
        found = await self._finder.find(index, name)
        if found is None:
            return None
        records = await self._records.current()
        needs = index.policy.for_project(name).needs
        knowledge = await self._provenances.known(name) if Need.PROVENANCE in needs else None
        contents = await self._inspections.known(name) if Need.INSPECTION in needs else None
        about = await self._advisories.about(name)
        now = self._clock.now()
        key = (index.name, name)
        kept = self._memory.get(key)
        if kept is not None and _still_holds(kept, index, found, records, knowledge, contents, about, now):
            if kept.found != found:
                # Freshness moved on while everything that was judged is the same.
                kept = replace(kept, found=found)
                self._memory.put(key, kept, 1 + len(kept.files))
            return kept
        if len(found.listing.project.files) > IN_THREAD_ABOVE:
            judged = await asyncio.to_thread(_judge, index, name, found, records, knowledge, contents, about, now)
        else:
            judged = _judge(index, name, found, records, knowledge, contents, about, now)
        self._memory.put(key, judged, 1 + len(judged.files))
        self._provenances.verify_ahead(found.source.upstream, name, judged.to_verify)
        return judged

    async def judge_file(
        self, index: Index, name: str, filename: str, sha256: str, *, awaited: frozenset[Need] = frozenset()
    ) -> tuple[JudgedProject, JudgedFile] | None:
        """Return one file, given by name and hash, judged anew as of now; None where it is not known.

        What its policy wants verified and inspected is fetched, verified and inspected first: this judgement is for
        good, except for what is still `awaited`. Raises UpstreamError where the file itself cannot be had.
        """

        async def look() -> tuple[JudgedProject, JudgedFile] | None:
            project = await self.judge_project(index, name)
            judged = _find(project, filename, sha256) if project else None
            return (project, judged) if project and judged else None

        found = await look()
        if found is None:
            return None
        project, judged = found
        rules, listed = index.policy.for_project(name), project.found.listing.project.files
        unverified: Mapping[FileKey, Unknown] = {}
        if wanted := rules.to_verify(judged.evidence, listed, self._clock.now()):
            unverified = await self._provenances.establish(project.found.source.upstream, name, wanted)
            # What was learnt may change the other files too, and with them what the last good release is.
            if (found := await look()) is None:
                return None
        uninspected: Unknown | None = None
        if Need.INSPECTION not in awaited and not self._final(*found, unverified, None, INSPECTION)[1].refused:
            for _ in range(COMPARED_AT_MOST):
                if (file := found[0].to_inspect(found[1])) is None or uninspected is not None:
                    break
                uninspected = await self._inspect(found[0], file, is_wanted=file == found[1].file)
                if (found := await look()) is None:
                    return None
        return self._final(*found, unverified, uninspected, awaited)

    async def _inspect(self, project: JudgedProject, file: File, *, is_wanted: bool) -> Unknown | None:
        """Have a file inspected, and return why it could not be, if so: one to compare with may be gone by now."""
        try:
            return await self._inspections.establish(project.found.source.upstream, project.name, file)
        except UpstreamError as error:
            if is_wanted:
                raise
            return Unknown(f"{file.filename}, which it would be compared with, cannot be had: {error}")

    def _final(
        self,
        project: JudgedProject,
        judged: JudgedFile,
        unverified: Mapping[FileKey, Unknown],
        uninspected: Unknown | None,
        awaited: frozenset[Need],
    ) -> tuple[JudgedProject, JudgedFile]:
        """Judge a file with what could be found out for it, and what could not."""
        if unverified and project.provenance is not None:
            project = replace(project, provenance=replace(project.provenance, failures=unverified))
        if uninspected is not None and project.inspections is not None:
            project = replace(project, inspections=project.inspections.failing(judged.file, uninspected))
        final = self._again(project, judged, awaited)
        if final.refused and not judged.refused:
            # The page still waits for what is settled here: it must not call this file good in the refusal's line.
            project = replace(project, files=tuple(final if each is judged else each for each in project.files))
        return project, final

    def _again(self, project: JudgedProject, judged: JudgedFile, awaited: frozenset[Need]) -> JudgedFile:
        """Ask the decision function for one file as of now."""
        index, name, records = project.index, project.name, project.records
        (evidence,) = gather(
            index,
            name,
            project.found,
            [judged.file],
            records,
            project.provenance,
            project.advisories,
            project.inspections,
        )
        waivers = records.waivers_of(name, evidence.file)
        rules = index.policy.for_project(name)
        decision = engine.decide(rules, evidence, waivers, self._clock.now(), awaited=awaited)
        return replace(judged, evidence=evidence, decision=decision)


def _find(project: JudgedProject, filename: str, sha256: str) -> JudgedFile | None:
    """Return the file at an address, which stays good for the bytes that it was given out for."""
    judged = project.by_filename.get(filename)
    if judged is None or judged.file.sha256 == sha256:
        return judged
    # The upstream replaced the bytes.
    seen = project.found.listing.sightings.get(filename)
    if seen is None or seen.sha256 != sha256:
        return None
    first = replace(judged.file, sha256=sha256, size=None, core_metadata=False, provenance=False)
    return replace(judged, file=first, vanished=True)


def _still_holds(
    kept: JudgedProject,
    index: Index,
    found: Found,
    records: Records,
    knowledge: Knowledge | None,
    contents: Contents | None,
    about: Item[ProjectClaims],
    now: datetime,
) -> bool:
    known = kept.provenance.knowledge if kept.provenance else None
    seen = kept.inspections.contents if kept.inspections else None
    return (
        kept.index is index
        and kept.found.listing is found.listing
        and kept.found.source is found.source
        and kept.records.revision == records.revision
        and known is knowledge
        and seen is contents
        and kept.about is about
        and (kept.changes_at is None or now < kept.changes_at)
    )


def _judge(
    index: Index,
    name: str,
    found: Found,
    records: Records,
    knowledge: Knowledge | None,
    contents: Contents | None,
    about: Item[ProjectClaims],
    at: datetime,
) -> JudgedProject:
    listed = found.listing.project.files
    everything = (*listed, *found.listing.vanished_files())
    rules = index.policy.for_project(name)
    concerning = records.for_project(name)
    provenance = provenance_of(found.listing, knowledge) if knowledge else None
    advisories = about if isinstance(about, Unknown) else Known(assess(about.value, everything))

    inspections = ProjectInspections(contents) if contents else None

    def judge(
        files: Sequence[File], advisories: Item[Assessment], inspections: ProjectInspections | None
    ) -> Iterator[tuple[Evidence, Decision]]:
        for evidence in gather(index, name, found, files, concerning, provenance, advisories, inspections):
            waivers = concerning.waivers_of(name, evidence.file) if concerning.waivers else ()
            yield evidence, engine.decide(rules, evidence, waivers, at, awaited=EVERYTHING)

    judged = [
        JudgedFile(evidence.file, evidence, decision, vanished=position >= len(listed))
        for position, (evidence, decision) in enumerate(judge(everything, advisories, inspections))
    ]
    if isinstance(advisories, Known) and advisories.value.fixed_by:
        # What a fix would replace is known only now.
        advisories = Known(advisories.value.replacing(_newest_allowed(judged)))
        fixing = [position for position, file in enumerate(everything) if advisories.value.fixes_of(file)]
        for position, (evidence, decision) in zip(
            fixing, judge([everything[one] for one in fixing], advisories, inspections), strict=True
        ):
            judged[position] = replace(judged[position], evidence=evidence, decision=decision)
    if contents and contents.inspected:
        inspections = _compare(judged, rules, contents, lambda file, known: next(judge([file], advisories, known)))
    files = tuple(judged)
    to_verify = _to_verify(rules, files[: len(listed)], listed, at) if knowledge else ()
    return JudgedProject(
        index,
        name,
        found,
        files,
        concerning,
        at,
        provenance,
        to_verify,
        about=about,
        advisories=advisories,
        inspections=inspections,
    )


def _compare(
    judged: list[JudgedFile],
    rules: engine.ProjectRules,
    contents: Contents,
    judge: Callable[[File, ProjectInspections], tuple[Evidence, Decision]],
) -> ProjectInspections:
    """Judge the files that were inspected once more, now with what is in them, and return that."""

    def is_allowed(position: int) -> bool:
        return _is_offered(judged[position])

    def is_settled(position: int) -> bool:
        return not rules.awaits(Need.INSPECTION, judged[position].decision)

    files = [each.file for each in judged]
    comparison = Comparison(files, contents, is_allowed, is_settled)
    known: dict[FileKey, Item[Inspection]] = {}
    inspections = ProjectInspections(contents, known)
    for position in comparison.order():
        known[key_of(files[position])] = Known(comparison.inspection_of(position))
        evidence, decision = judge(files[position], inspections)
        judged[position] = replace(judged[position], evidence=evidence, decision=decision)
    return inspections


def _newest_allowed(files: Sequence[JudgedFile]) -> str | None:
    return newest_release(judged.file.version for judged in files if _is_offered(judged))


def _is_offered(judged: JudgedFile) -> bool:
    return not judged.refused and not judged.vanished and judged.file.yanked is None


def _to_verify(
    rules: engine.ProjectRules, judged: Sequence[JudgedFile], listed: Sequence[File], at: datetime
) -> tuple[File, ...]:
    newest = sorted(judged, key=_upload, reverse=True)[:NEWEST]
    return tuple(dict.fromkeys(file for each in newest for file in rules.to_verify(each.evidence, listed, at)))


def _upload(judged: JudgedFile) -> datetime:
    return judged.file.upload_time or BEGINNING
