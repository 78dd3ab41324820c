"""The gate: judges a whole project at once, and any single file again when its bytes are asked for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from msgspec import structs

from pinfold.domain.errors import UpstreamError
from pinfold.domain.evidence import Need, Unknown
from pinfold.domain.project import File
from pinfold.policy import engine
from pinfold.ports.advisories import AdvisoryStore
from pinfold.ports.clock import Clock
from pinfold.ports.pins import PinStore
from pinfold.ports.provenance_store import Checked
from pinfold.ports.records import RecordStore
from pinfold.ports.report_store import Inspected
from pinfold.usecases.beside_the_loop import here_or_beside
from pinfold.usecases.find_project import Found, ProjectFinder
from pinfold.usecases.index_pins import pins_of
from pinfold.usecases.indexes import Index
from pinfold.usecases.inspect_ahead import InspectAhead
from pinfold.usecases.inspections import Inspections
from pinfold.usecases.judge_project import judge
from pinfold.usecases.judged_files import JudgedFile
from pinfold.usecases.judged_project import EVERYTHING, JudgedProject
from pinfold.usecases.judgement import Basis, Grounds, Judgement
from pinfold.usecases.judging import Judging
from pinfold.usecases.known_names import KnownNames
from pinfold.usecases.pages_ahead import PagesAhead
from pinfold.usecases.present import SOON
from pinfold.usecases.provenances import NEVER, FileKey, Provenances, due_at

T = TypeVar("T")

INSPECTION = frozenset({Need.INSPECTION})
COMPARED_AT_MOST = 8
"""Files that are inspected for one, to find an earlier release that it can be held against."""
DECIDED = 500
"""Files of a project that are kept as they were judged once more; where there are more, all are forgotten."""


class Gate:
    """Asks the one decision function, for pages and for files alike."""

    def __init__(
        self,
        finder: ProjectFinder,
        records: RecordStore,
        provenances: Provenances,
        inspections: Inspections,
        advisories: AdvisoryStore,
        pins: PinStore,
        names: KnownNames,
        clock: Clock,
    ) -> None:
        self._finder = finder
        self._records = records
        self._provenances = provenances
        self._inspections = inspections
        self._advisories = advisories
        self._pins = pins
        self._names = names
        self._clock = clock
        self._ahead = InspectAhead(self._inspect_ahead)
        self._pages_ahead = PagesAhead(self.lay_out)
        self._judging = Judging(clock, self._ahead.begin)

    async def judge_project(self, index: Index, name: str) -> JudgedProject | None:
        """Return a project with every file judged as of now, or None where no upstream has it.

        A judgement is kept while its listing, the records, the pins, known names, the advisories and what is known of
        provenance are the same and no decision has changed by itself. Raises UpstreamError and StoreError: without
        listing or records there is no decision.
        """
        basis = await self.basis(index, name)
        return await self.judge(basis) if basis is not None else None

    async def lay_out(self, index: Index, name: str) -> JudgedProject | None:
        """Return what `judge_project` does, with no more files judged than others' judgements rest on.

        What needs more of a long project takes it to `ask`.
        """
        basis = await self.basis(index, name)
        return (await self._asked(basis, _nothing))[0] if basis is not None else None

    async def basis(self, index: Index, name: str) -> Basis | None:
        """Return all that a project is to be judged on as of now, or None where no upstream has it.

        Raises what `judge_project` raises.
        """
        found = await self._finder.find(index, name)
        return None if found is None else Basis(index, name, found, await self._grounds(index, name))

    async def judge(self, basis: Basis) -> JudgedProject:
        """Return a project with every file judged on a basis that was just found."""
        return (await self._asked(basis, JudgedProject.whole))[1]

    def has_judged(self, basis: Basis) -> bool:
        """Tell whether a project is judged already, so that to `judge` it costs nothing."""
        kept = self._judging.kept(basis)
        return kept is not None and kept.files.are_all_judged

    async def refusal_of(self, project: JudgedProject, judged: JudgedFile, as_of: datetime | None = None) -> str:
        """Return the line that tells a client why a file is refused; as of a moment, by what was there then."""
        return await self._judging.ask_more(project, lambda project: project.refusal_of(judged, as_of))

    async def still_stands(self, judgement: Judgement) -> bool:
        """Tell whether `judge_project` would judge a project the same now, without a look at its files.

        Raises StoreError, as that would.
        """
        if self._clock.now() >= judgement.until:
            return False
        index, name = judgement.index, judgement.name
        if not judgement.stands(await self._finder.sources_of(index, name), await self._grounds(index, name)):
            return False
        self._provenances.verify_ahead(judgement.source.upstream, name, judgement.to_verify)
        return True

    def page_stands_until(self, judgement: Judgement) -> datetime:
        """Return until when time alone changes nothing of how a project is judged, and has nothing begun for it."""
        return min(judgement.until, self._left_alone_until(judgement.grounds, judgement.to_verify))

    def left_alone_until(self, project: JudgedProject, judged: JudgedFile) -> datetime:
        """Return until when nothing is begun for whoever asks for a file."""
        now = self._clock.now()
        if project.awaits_inspection(judged):
            return now + SOON
        return self._left_alone_until(project.grounds, project.to_verify_for(judged, now))

    def _left_alone_until(self, grounds: Grounds, to_verify: Iterable[File]) -> datetime:
        """Return until when none of some files is verified; what could not be had just now is asked for again soon."""
        if grounds.knowledge is None:
            return NEVER
        return max(due_at(grounds.knowledge, to_verify), self._clock.now() + SOON)

    async def judge_file(
        self, index: Index, name: str, filename: str, sha256: str, *, awaited: frozenset[Need] = frozenset()
    ) -> tuple[JudgedProject, JudgedFile] | None:
        """Return one file, given by name and hash, judged anew as of now; None where it is not known.

        What its policy wants verified and inspected is fetched, verified and inspected first: this judgement is for
        good, except for what is still `awaited`. Raises UpstreamError where the file itself cannot be had.
        """
        found = await self._look(index, name, filename, sha256)
        if found is None:
            return None
        project, judged = found
        unverified: Mapping[FileKey, Unknown] = {}
        if wanted := project.to_verify_for(judged, self._clock.now()):
            unverified = await self._provenances.establish(project.found.source.upstream, name, wanted)
            # What was learnt may change the other files too, and with them what the last good release is.
            found = await self._look(index, name, filename, sha256)
        uninspected: Unknown | None = None
        for _ in range(COMPARED_AT_MOST):
            if found is None or uninspected or self._final(*found, unverified, None, INSPECTION).refused:
                break
            wanted_file = None if Need.INSPECTION in awaited else await self._to_inspect(*found)
            if wanted_file is None:
                break
            uninspected = await self._inspect(found[0], wanted_file, is_asked_for=wanted_file == found[1].file)
            found = await self._look(index, name, filename, sha256)
        return (found[0], self._final(*found, unverified, uninspected, awaited)) if found else None

    def expect(self, project: JudgedProject, judged: JudgedFile, metadata: bytes) -> None:
        """Begin with what somebody who read a new wheel's metadata will ask for: its bytes, and pages of what it needs.

        What an organisation's own projects need is told to nobody before a client asks for it.
        """
        source = project.found.source
        if source.fetch_ahead:
            self._ahead.expect(project, judged.file)
            if not source.private and project.index.fetches_ahead:
                self._pages_ahead.expect(project.index, metadata)

    async def judge_upload(
        self, index: Index, name: str, file: File, inspected: Inspected, checked: Checked | None
    ) -> tuple[JudgedProject, JudgedFile]:
        """Judge a file as if it were published on an index already, with what was found out of it; nothing is kept.

        What it has to be compared with is inspected first. Raises StoreError.
        """
        source = index.sources[0]
        present = await self._finder.find_at(source, name)
        found = Found(source, replace(present.stored, listing=present.listing.with_file(file)))
        records = await self._records.current()
        about = await self._advisories.about(name)
        attempts = COMPARED_AT_MOST
        while True:
            knowledge = (await self._provenances.known(name)).adding(checked)
            contents = (await self._inspections.known(name)).adding(inspected)
            # Pins are set once there is something to be pinned.
            grounds = Grounds(records, knowledge, contents, about)
            published = partial(_as_published, file, Basis(index, name, found, grounds), self._clock.now())
            (project, judged, wanted), attempts = await here_or_beside(published), attempts - 1
            if not attempts or wanted in (None, file) or await self._inspect(project, wanted, is_asked_for=False):
                return project, self._final(project, judged, {}, None, frozenset())

    async def _grounds(self, index: Index, name: str) -> Grounds:
        needs = index.policy.for_project(name).needs
        return Grounds(
            records=await self._records.current(),
            knowledge=await self._provenances.known(name) if Need.PROVENANCE in needs else None,
            contents=await self._inspections.known(name) if Need.INSPECTION in needs else None,
            about=await self._advisories.about(name),
            pins=await pins_of(self._pins, index.pins, name),
            likenesses=await self._names.likenesses(index.name, name),
        )

    async def _look(
        self, index: Index, name: str, filename: str, sha256: str
    ) -> tuple[JudgedProject, JudgedFile] | None:
        """Return a file as its page judges it."""
        basis = await self.basis(index, name)
        if basis is None:
            return None
        project, judged = await self._asked(basis, lambda project: project.find(filename, sha256))
        if judged is None:
            return None
        if judged is not project.judged(filename):
            # The page judged the bytes that took its place.
            judged = self._again(project, judged, EVERYTHING)
        return project, judged

    async def _asked(self, basis: Basis, question: Callable[[JudgedProject], T]) -> tuple[JudgedProject, T]:
        """Return a project with the answer to a question, and have verified ahead what its newest files need."""

        def with_ahead(project: JudgedProject) -> tuple[tuple[File, ...], T]:
            return project.to_verify, question(project)

        project, (to_verify, answer) = await self._judging.ask(basis, with_ahead)
        # What could not be had a while ago may be had now.
        self._provenances.verify_ahead(basis.found.source.upstream, basis.name, to_verify)
        return project, answer

    async def _to_inspect(self, project: JudgedProject, judged: JudgedFile) -> File | None:
        return await self._judging.ask_more(project, lambda project: project.to_inspect(judged))

    async def close(self) -> None:
        """End what is under way in the background."""
        await self._ahead.close()
        await self._pages_ahead.close()

    async def _inspect_ahead(self, project: JudgedProject, file: File) -> None:
        """Have a file inspected that nobody asked for yet, and what it has to be compared with."""
        for _ in range(COMPARED_AT_MOST):
            found = await self._look(project.index, project.name, file.filename, file.sha256)
            wanted = await self._to_inspect(*found) if found else None
            if found is None or wanted is None or await self._inspect(found[0], wanted, is_asked_for=False):
                return

    async def _inspect(self, project: JudgedProject, file: File, *, is_asked_for: bool) -> Unknown | None:
        """Have a file inspected, and return why it could not be, if so: one to compare with may be gone by now."""
        try:
            return await self._inspections.establish(project.found.source.upstream, project.name, file)
        except UpstreamError as error:
            if is_asked_for:
                raise
            return Unknown(f"{file.filename}, which it would be compared with, cannot be had: {error}")

    def _final(
        self,
        project: JudgedProject,
        judged: JudgedFile,
        unverified: Mapping[FileKey, Unknown],
        uninspected: Unknown | None,
        awaited: frozenset[Need],
    ) -> JudgedFile:
        """Judge a file with what could be found out for it, and what could not."""
        if unverified and project.provenance is not None:
            project = replace(project, provenance=replace(project.provenance, failures=unverified))
        if uninspected is not None and project.inspections is not None:
            project = replace(project, inspections=project.inspections.failing(judged.file, uninspected))
        return self._again(project, judged, awaited)

    def _again(self, project: JudgedProject, judged: JudgedFile, awaited: frozenset[Need]) -> JudgedFile:
        """Ask the decision function for one file as of now, unless nothing can have changed since it was last asked."""
        key, now = (judged.file.filename, judged.file.sha256, awaited), self._clock.now()
        kept = project.decided.get(key)
        if kept is not None and (kept.decision.changes_at is None or now < kept.decision.changes_at):
            return kept
        index, name, records = project.index, project.name, project.records
        (evidence,) = project.evidence_of([judged.file])
        waivers = records.waivers_of(name, evidence.file)
        rules = index.policy.for_project(name)
        decision = engine.decide(rules, evidence, waivers, now, awaited=awaited)
        # What awaits its inspection is judged once more, as a rule before anything is recorded of it but a refusal.
        is_recorded = decision.refused or not rules.awaits(Need.INSPECTION, decision)
        digest = evidence.digest() if is_recorded else None
        # It is recorded with the evidence, which is at hand; to gather it once more would keep the project in memory.
        again = structs.replace(judged, gather=lambda _: evidence, decision=decision, evidence_digest=digest)
        if len(project.decided) >= DECIDED:
            project.decided.clear()
        project.decided[key] = again
        return again


def _nothing(project: JudgedProject) -> None:
    """Ask nothing of a project."""


def _as_published(file: File, basis: Basis, at: datetime) -> tuple[JudgedProject, JudgedFile, File | None]:
    """Judge a file as one of its project's, and find what has to be inspected next for that."""
    project = judge(basis.index, basis.name, basis.found, basis.grounds, at)
    judged = project.judged(file.filename)
    assert judged is not None  # noqa: S101 - its project was found with it
    return project, judged, project.to_inspect(judged)
