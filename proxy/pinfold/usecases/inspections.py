"""What is known of the content of a project's files, and how more is found out: each file once, for everybody."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

from pinfold.domain.errors import InspectionFailed, InvalidName
from pinfold.domain.evidence import Unknown
from pinfold.domain.inspection import Report
from pinfold.domain.names import normalise
from pinfold.domain.project import File
from pinfold.inspection import INSPECTOR, foreign_packages
from pinfold.ports.clock import Clock
from pinfold.ports.inspector import Inspector
from pinfold.ports.look_back import Noticed, nobody_asks
from pinfold.ports.report_store import Inspected, ReportStore
from pinfold.ports.telemetry import Telemetry
from pinfold.ports.upstream import Upstream
from pinfold.usecases.fetch_file import FileFetcher
from pinfold.usecases.lru import Lru
from pinfold.usecases.provenances import FileKey, key_of
from pinfold.usecases.single_flight import SingleFlight

LEFT_ALONE_SECONDS = 15
"""How long a file that could not be inspected is left alone."""
TRAITS_IN_MEMORY = 200_000
NAMES_COMPARED = 200
"""Packages and modules of one file that are held against those of other projects; wheels of most projects have one."""


@dataclass(frozen=True)
class Contents:
    """The reports on a project's files; never changed, only replaced: the same object, the same knowledge."""

    inspected: Mapping[FileKey, Inspected] = field(default_factory=dict)

    def of(self, file: File) -> Report | None:
        """Return the report on a file, if there is one."""
        inspected = self.inspected.get(key_of(file))
        return inspected.report if inspected is not None else None

    def adding(self, inspected: Inspected) -> "Contents":
        """Return the same with one more report."""
        return replace(self, inspected={**self.inspected, **_by_file([inspected])})


@dataclass(slots=True)
class _Kept:
    contents: Contents
    revision: int
    """Of the project: nothing was remembered up to it that is not among the contents."""


class Inspections:
    """Has files inspected, each once, and remembers what came of it in all processes."""

    def __init__(
        self,
        store: ReportStore,
        inspector: Inspector,
        fetcher: FileFetcher,
        clock: Clock,
        telemetry: Telemetry,
        noticed: Noticed = nobody_asks,
    ) -> None:
        self._store = store
        self._noticed = noticed
        self._inspector = inspector
        self._fetcher = fetcher
        self._clock = clock
        self._telemetry = telemetry
        self._memory: Lru[str, _Kept] = Lru(TRAITS_IN_MEMORY)
        self._failed: Lru[tuple[str, FileKey], tuple[float, Unknown]] = Lru(10_000)
        self._looks: SingleFlight[tuple[str, int], Contents] = SingleFlight()
        self._flights: SingleFlight[tuple[str, FileKey], Unknown | None] = SingleFlight()

    async def known(self, project: str) -> Contents:
        """Return what is known of a project, no staler than a fraction of a second whichever process found it out."""
        revision = await self._store.revision(project)
        kept = self._memory.get(project)
        if kept is not None and kept.revision >= revision:
            return kept.contents
        # A look that began before the revision rose may not see what raised it.
        return await self._looks.run((project, revision), lambda: self._look(project))

    async def establish(self, upstream: Upstream, project: str, file: File) -> Unknown | None:
        """See to it that a file is inspected, once it is here as a whole; return why it cannot be, where it cannot.

        Raises StoreError, and UpstreamError where the file itself cannot be had.
        """
        key = (project, key_of(file))
        until, failed = self._failed.get(key) or (0.0, None)
        if failed is not None and monotonic() < until:
            return failed
        return await self._flights.run(key, lambda: self._inspect(upstream, project, file))

    async def inspect_upload(self, path: Path, project: str, file: File) -> Inspected:
        """Inspect a file that is not published yet, and remember nothing; raises InspectionFailed."""
        return Inspected(file.sha256, self._clock.now(), await self._see(path, project, file))

    async def remember(self, inspected: Inspected) -> None:
        """Remember the inspection of an upload that was accepted; raises StoreError."""
        await self._store.remember(inspected)

    async def close(self) -> None:
        """End what is under way."""
        for flights in (self._flights, self._looks):
            await flights.close()

    async def _look(self, project: str) -> Contents:
        revision = await self._store.revision(project)
        kept = self._memory.get(project) or _Kept(Contents(), revision=0)
        contents = kept.contents
        if added := await self._store.reports(project, after=kept.revision):
            contents = Contents({**contents.inspected, **_by_file(added)})
        self._keep(project, contents, revision)
        return contents

    async def _inspect(self, upstream: Upstream, project: str, file: File) -> Unknown | None:
        # Looked up once more: another process, or the flight before this one, may just have been done with it.
        inspected = (await self.known(project)).inspected.get(key_of(file))
        if inspected is not None and (inspected.again_at is None or self._clock.now() < inspected.again_at):
            return None
        path = await self._fetcher.fetch_whole(upstream, file)
        began = monotonic()
        try:
            report = await self._see(path, project, file)
        except InspectionFailed as error:
            failed = Unknown(str(error))
            self._failed.put((project, key_of(file)), (monotonic() + LEFT_ALONE_SECONDS, failed), 1)
            self._telemetry.inspected("failed", monotonic() - began)
            return failed
        inspected = Inspected(file.sha256, self._clock.now(), report)
        before, since = await self._store.remember(inspected)
        kept = self._memory.get(project)
        if kept is not None and kept.revision >= before:
            self._keep(project, kept.contents.adding(inspected), max(kept.revision, since))
        if report.observations or report.grave_traits:
            # Whoever asked is told by what follows; others may have been served the file under another policy.
            await self._noticed([project], "a file was inspected")
        return None

    def _keep(self, project: str, contents: Contents, revision: int) -> None:
        traits = sum(len(each.report.traits) for each in contents.inspected.values())
        self._memory.put(project, _Kept(contents, revision), 1 + len(contents.inspected) + traits)

    async def _see(self, path: Path, project: str, file: File) -> Report:
        """Inspect a file, and compare what it installs with what others are known to; raises InspectionFailed."""
        began = monotonic()
        report = await self._inspector.inspect(path, file.filename, project, file.version)
        self._telemetry.inspected("complete" if report.complete else "incomplete", monotonic() - began)
        foreign = foreign_packages(report, await self._owners(report))
        return replace(report, observations=(*report.observations, *foreign)) if foreign else report

    async def _owners(self, report: Report) -> dict[str, str]:
        """Return whose a file's importable names are: those of the project that is called so, and installs it."""
        owners = {}
        for name in report.top_level[:NAMES_COMPARED]:
            try:
                other = normalise(name)
            except InvalidName:
                continue
            reports = (await self.known(other)).inspected.values() if other != report.project else ()
            if any(name in each.report.top_level for each in reports):
                owners[name] = other
        return owners


def _by_file(reports: Iterable[Inspected]) -> dict[FileKey, Inspected]:
    """Return reports by file, without those of older editions, which saw less."""
    return {(each.report.filename, each.sha256): each for each in reports if each.report.inspector == INSPECTOR}
