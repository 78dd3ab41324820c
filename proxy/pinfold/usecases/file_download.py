"""A file's way to a client: judged again, recorded durably, and only then opened."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import InvalidName, NotFound, PinfoldError
from pinfold.domain.evidence import Need
from pinfold.domain.names import possible_projects
from pinfold.ports.audit_log import Appended, AuditLog
from pinfold.ports.clock import Clock
from pinfold.ports.telemetry import Telemetry
from pinfold.usecases.decide import INSPECTION, Gate
from pinfold.usecases.decision_entry import decision_entry
from pinfold.usecases.fetch_file import FileFetcher
from pinfold.usecases.file_content import Content, Stored, Unvouched
from pinfold.usecases.indexes import Index
from pinfold.usecases.judged_files import JudgedFile
from pinfold.usecases.judged_project import JudgedProject
from pinfold.usecases.wheel_metadata import WheelMetadata

JUDGED_FIRST = 8 * 1024 * 1024
"""Bytes up to which a file is judged for good before its first byte leaves, so that a refusal arrives with its reason;
the end of a larger one waits instead. Nearly all wheels are smaller, and inspected within a second."""
PATIENCE_SECONDS = 5
"""How long a client waits for that first byte: less than installers wait, other waits included."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client asks of a file, as the audit log tells it."""

    actor: Actor
    method: str = "GET"
    part: str | None = None
    """The range of bytes, or `metadata`; None for the whole file."""
    as_of: datetime | None = None
    """The moment whose state of the index is asked for; None for the present."""


@dataclass(frozen=True, slots=True)
class Address:
    """A file by its durable address."""

    project: str
    sha256: str
    filename: str


class Refused(PinfoldError):
    """A file is kept from a client; the message is the reason in one line of printable ASCII."""

    def __init__(self, line: str, judged: JudgedFile, reference: str) -> None:
        self.line = line
        self.judged = judged
        self.reference = reference
        super().__init__(line)


@dataclass(frozen=True, slots=True)
class Granted:
    """A file that was judged and may be served."""

    project: JudgedProject
    judged: JudgedFile

    @property
    def stands_until(self) -> datetime:
        """Until when the same would be granted again, as far as time alone changes that."""
        until, changes_at = self.project.stands_until, self.judged.decision.changes_at
        return until if changes_at is None else min(until, changes_at)

    @property
    def awaits_inspection(self) -> bool:
        """Whether it is judged for good only once its bytes, or those of an earlier release, are inspected."""
        return self.project.awaits_inspection(self.judged)


class FileDownload:
    """Serves files: the gate first, then the audit log, then the bytes."""

    def __init__(
        self,
        gate: Gate,
        fetcher: FileFetcher,
        metadata: WheelMetadata,
        audit_log: AuditLog,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._gate = gate
        self._fetcher = fetcher
        self._metadata = metadata
        self._audit_log = audit_log
        self._clock = clock
        self._telemetry = telemetry

    async def locate(self, index: Index, upstream_path: str) -> Address:
        """Return the durable address of the file that PyPI's own file path (`/packages/...`) stands for.

        Raises NotFound where no project that the file name could belong to has a file there.
        """
        try:
            candidates = possible_projects(upstream_path.rpartition("/")[2])
        except InvalidName as error:
            raise NotFound(str(error)) from error
        for name in candidates:
            project = await self._gate.lay_out(index, name)
            file = project.laid_out.at_upstream_path(upstream_path) if project else None
            if file is not None:
                return Address(name, file.sha256, file.filename)
        raise NotFound(f"no project of index {index.name} has a file at {upstream_path}")

    async def ask(self, index: Index, address: Address, ask: Ask) -> Granted:
        """Judge a file for a client, except for what only its bytes can tell: `open` and `vouch` see to that.

        Raises Refused, once the refusal is in the audit log; NotFound for what is not known; UpstreamError and
        StoreError where it cannot be judged.
        """
        return await self._judge(index, address, ask, awaited=INSPECTION)

    async def vouch(self, granted: Granted, ask: Ask, served: Appended | None = None) -> Granted:
        """Judge a granted file for good, once all of it is here and inspected, where its policy needs that.

        What this comes to is recorded of a file that is being `served`, as the log has it. Raises what `ask` raises.
        """
        project, judged = granted.project, granted.judged
        if not granted.awaits_inspection:
            return granted
        address = Address(project.name, judged.file.sha256, judged.file.filename)
        granted = await self._judge(project.index, address, ask, awaited=frozenset(), served=served)
        if served is not None:
            entry = self._entry(Action.FILE_VOUCHED, project.index, granted.judged, ask, None)
            entry.details["served"] = await served.number()
            await self._audit_log.append(entry, granted.judged.evidence)
        return granted

    async def _judge(
        self, index: Index, address: Address, ask: Ask, *, awaited: frozenset[Need], served: Appended | None = None
    ) -> Granted:
        found = await self._gate.judge_file(index, address.project, address.filename, address.sha256, awaited=awaited)
        if found is None:
            raise NotFound(f"index {index.name} knows no file {address.filename} of {address.project} with this hash")
        project, judged = found
        if ask.as_of is not None and not judged.stood_at(ask.as_of):
            raise NotFound(f"index {index.name} had no file {address.filename} at {ask.as_of:%Y-%m-%d %H:%M} UTC")
        self._count(index, judged)
        if judged.refused:
            reference = judged.reference()
            entry = self._entry(Action.FILE_REFUSED, index, judged, ask, reference)
            if served is not None:
                entry.details["served"] = await served.number()
            await self._audit_log.append(entry, judged.evidence)
            line = await self._gate.refusal_of(project, judged, ask.as_of)
            raise Refused(line, judged, reference)
        return Granted(project, judged)

    async def open(self, granted: Granted, ask: Ask) -> tuple[Content, Appended]:
        """Return a granted file's bytes, and the audit entry that says so, which is already durable.

        The bytes are sought first: nothing is recorded as served while the upstream does not answer for it. What is
        not judged for good is vouched for at once where all of it is here, or soon will be; else before its last block
        is shown.
        """
        source = granted.project.found.source
        content = await self._fetcher.fetch(source.upstream, granted.judged.file)
        await content.started()
        awaited = granted.awaits_inspection
        if awaited and (content.is_whole or (content.length is not None and content.length <= JUDGED_FIRST)):
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    granted, awaited = await self.vouch(granted, ask), False
        served = await self.record_served(granted, ask)
        return Unvouched(content, partial(self.vouch, granted, ask, served)) if awaited else content, served

    async def whole(self, granted: Granted) -> Stored | None:
        """Return a granted file that is here as a whole, verified, and judged for good; None where it is not yet."""
        return None if granted.awaits_inspection else await self._fetcher.stored(granted.judged.file.sha256)

    async def length(self, granted: Granted) -> int | None:
        """Return a granted file's length in bytes; None where its upstream does not tell."""
        file = granted.judged.file
        if file.size is not None:
            return file.size
        content = await self._fetcher.fetch(granted.project.found.source.upstream, file)
        await content.started()
        return content.length

    async def record_served(
        self, granted: Granted, ask: Ask, *, unchanged: bool = False, sent_by: str | None = None
    ) -> Appended:
        """Record, durably, that a client gets a file, or is told that what it has is still good.

        Of what others send, the log never learns whether it arrived.
        """
        entry = self._entry(Action.FILE_SERVED, granted.project.index, granted.judged, ask, None)
        if unchanged:
            entry.details["unchanged"] = True
        if sent_by is not None:
            entry.details["sent_by"] = sent_by
        return await self._audit_log.append(entry, granted.judged.evidence)

    async def record_again(self, granted: Granted, served: Appended) -> Appended:
        """Record, durably, that a client gets once more what it was granted, and served, a moment ago."""
        self._count(granted.project.index, granted.judged)
        return await served.again(self._clock.now())

    async def record_broken_off(self, granted: Granted, ask: Ask, served: Appended, sent: int, why: str) -> None:
        """Record that a file which the log names as served did not arrive whole."""
        entry = self._entry(Action.FILE_BROKEN_OFF, granted.project.index, granted.judged, ask, None)
        entry.details.update(served=await served.number(), sent=sent, why=why)
        await self._audit_log.append(entry)

    async def metadata(self, granted: Granted) -> bytes:
        """Return a granted wheel's metadata; raises NotFound for what carries none.

        Whoever reads it will most likely ask for the wheel next, and for what that needs.
        """
        source = granted.project.found.source
        content = await self._metadata.get(source.upstream, granted.project.name, granted.judged.file)
        if granted.awaits_inspection:
            self._gate.expect(granted.project, granted.judged, content)
        else:
            self._fetcher.expect(granted.judged.file)
        return content

    def metadata_stands_until(self, granted: Granted) -> datetime:
        """Return until when to ask for a granted wheel's metadata again would change nothing, nor begin anything."""
        return min(granted.stands_until, self._gate.left_alone_until(granted.project, granted.judged))

    def _count(self, index: Index, judged: JudgedFile) -> None:
        deciding = judged.decision.deciding
        self._telemetry.decided(index.name, deciding.rule if deciding else "-", judged.decision.effect.label)

    def _entry(self, action: Action, index: Index, judged: JudgedFile, ask: Ask, reference: str | None) -> Entry:
        return decision_entry(
            action,
            self._clock.now(),
            ask.actor,
            index.name,
            judged,
            reference=reference,
            details={
                **({"part": ask.part} if ask.part else {}),
                **({"method": ask.method} if ask.method != "GET" else {}),
                **({"as_of": ask.as_of.isoformat()} if ask.as_of else {}),
            },
        )
