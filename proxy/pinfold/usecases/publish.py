"""Publishing: an upload is held against its name, its form and the policy, and becomes visible whole or not at all."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum

from msgspec import structs

from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.distribution import Distribution, parse_distribution
from pinfold.domain.errors import (
    AlreadyPublished,
    InspectionFailed,
    InvalidName,
    InvalidUpload,
    NotFound,
    StoreError,
)
from pinfold.domain.names import FileKind
from pinfold.domain.project import File
from pinfold.domain.published import PublishedFile
from pinfold.ports.audit_log import AuditLog
from pinfold.ports.blobs import Blobs
from pinfold.ports.clock import Clock
from pinfold.ports.published import PublishedStore
from pinfold.ports.report_store import Inspected
from pinfold.ports.verifier import ProvenanceVerifier
from pinfold.usecases.claim_names import ClaimNames
from pinfold.usecases.decide import Gate
from pinfold.usecases.decision_entry import decision_entry
from pinfold.usecases.indexes import Index
from pinfold.usecases.inspections import Inspections
from pinfold.usecases.receive_upload import ReceivedFile, receiving
from pinfold.usecases.uploaded_metadata import CoreMetadata, Statement, check_statement, read_metadata
from pinfold.usecases.verify_upload import Attested, verify_upload

log = logging.getLogger(__name__)

SEEN_EVERYWHERE = 0.3
"""Seconds after which all processes show what was published: whoever was told so may install it from any of them."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What a client sent besides the bytes."""

    filename: str
    stated: Statement
    digests: Mapping[str, str] = field(default_factory=dict)
    """By algorithm, in hexadecimal: sha256, blake2_256, md5."""
    attestations: bytes | None = None
    """A JSON list (PEP 740), unread."""


class Outcome(StrEnum):
    """What came of an upload that was accepted."""

    PUBLISHED = "published"
    RESTORED = "restored"
    """The very same file was published before, and its bytes had been lost or damaged."""
    PUBLISHED_BEFORE = "published before"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an upload that was accepted."""

    published: PublishedFile
    outcome: Outcome = Outcome.PUBLISHED
    warnings: tuple[str, ...] = ()


class Publish:
    """Accepts files, or says why not; either is in the audit log."""

    def __init__(
        self,
        store: PublishedStore,
        blobs: Blobs,
        gate: Gate,
        names: ClaimNames,
        inspections: Inspections,
        verifier: ProvenanceVerifier,
        audit_log: AuditLog,
        clock: Clock,
        largest: int,
    ) -> None:
        """Take files of `largest` bytes at most."""
        self._store = store
        self._blobs = blobs
        self._gate = gate
        self._names = names
        self._inspections = inspections
        self._verifier = verifier
        self._audit_log = audit_log
        self._clock = clock
        self._largest = largest

    def receiving(self) -> AbstractAsyncContextManager[ReceivedFile]:
        """Begin to receive a file; raises StoreError."""
        return receiving(self._blobs, self._largest)

    async def accept(self, index: Index, upload: Upload, received: ReceivedFile, actor: Actor) -> Answer:
        """Publish a file that was received whole, by somebody who may publish its project on the index.

        Raises InvalidUpload with what is wrong with it, AlreadyPublished where its name is taken by other bytes, and
        StoreError where it cannot be kept: then nothing of it is visible.
        """
        try:
            return await self._accept(index, upload, received, actor)
        except (InvalidUpload, AlreadyPublished) as error:
            await self.refuse(index, upload, actor, error, received.sha256)
            raise

    async def refuse(
        self, index: Index, upload: Upload, actor: Actor, error: Exception, sha256: str | None = None
    ) -> None:
        """Record that an upload was refused."""
        distribution = _distribution_or_none(upload.filename)
        entry = Entry(
            Action.FILE_PUBLISH_REFUSED,
            self._clock.now(),
            actor,
            index=index.name,
            project=distribution.project if distribution else None,
            version=distribution.version if distribution else None,
            filename=distribution.filename if distribution else None,
            sha256=sha256,
            details={"reason": str(error)},
        )
        await self._audit_log.append(entry)

    async def _accept(self, index: Index, upload: Upload, received: ReceivedFile, actor: Actor) -> Answer:
        distribution = distribution_of(upload)
        received.check(upload.digests)
        if (same := await self._published_before(index, distribution, received.sha256)) is not None:
            return Answer(same, await self._restore(same, received, actor))
        file = File(
            distribution.filename,
            f"published:{index.name}/{distribution.filename}",
            received.sha256,
            distribution.kind,
            distribution.version,
            received.size,
            self._clock.now(),
            provenance=True,
        )
        inspected = await self._inspect(received, distribution, file)
        metadata = await asyncio.to_thread(read_metadata, received.path, distribution, upload.stated)
        file = structs.replace(file, requires_python=metadata.requires_python)
        attested = None
        if upload.attestations is not None:
            attested = await verify_upload(self._verifier, upload.attestations, file, self._clock)
            file = structs.replace(file, provenance=f"{file.url}.provenance")
        entry = await self._judge(index, distribution, file, inspected, attested, actor)
        claim, claimed, warnings = await self._names.claim(index, distribution.project, actor)
        await received.keep()
        if distribution.kind is FileKind.WHEEL:
            file = structs.replace(file, core_metadata=await self._keep_metadata(metadata))
        published = PublishedFile(index.name, distribution.project, file, distribution.slot, actor.name)
        try:
            await self._store.publish(published, attested.document if attested else None, claim, [claimed, entry])
        except AlreadyPublished:
            # Somebody else was a moment faster, perhaps with the same bytes.
            same = await self._published_before(index, distribution, received.sha256)
            if same is None:
                raise
            return Answer(same, Outcome.PUBLISHED_BEFORE)
        try:
            await self._inspections.remember(inspected)
        except StoreError as error:
            log.warning("the inspection of %s has to be made again: %s", file.filename, error)
        await asyncio.sleep(SEEN_EVERYWHERE)
        return Answer(published, warnings=warnings)

    async def _published_before(self, index: Index, distribution: Distribution, sha256: str) -> PublishedFile | None:
        """Return the same file as it was published before; raise AlreadyPublished where its place is taken."""
        taken = await self._store.slot(index.name, distribution.slot)
        if taken is None:
            return None
        if taken.deletion is not None:
            raise AlreadyPublished(
                f"This filename was previously used by a file that has since been deleted, {taken.file.filename} with "
                f"sha256 {taken.file.sha256}. Use a different version."
            )
        if (taken.file.filename, taken.file.sha256) == (distribution.filename, sha256):
            return taken
        # Clients that skip what exists look for the first three words.
        raise AlreadyPublished(f"File already exists ({taken.file.filename!r}, with sha256 {taken.file.sha256}).")

    async def _restore(self, published: PublishedFile, received: ReceivedFile, actor: Actor) -> Outcome:
        """Bring the bytes of a published file back where they were lost or damaged; nothing else of it changes.

        Nobody judges them again: by their hash they are the ones that were let in.
        """
        file = published.file
        with suppress(NotFound):
            if await self._blobs.verify(file.sha256):
                return Outcome.PUBLISHED_BEFORE
        await received.flush()
        entry = Entry(
            Action.FILE_RESTORED,
            self._clock.now(),
            actor,
            index=published.index,
            project=published.project,
            version=file.version,
            filename=file.filename,
            sha256=file.sha256,
            details={"size": file.size},
        )
        # Entered first: bytes that came back without an entry would never get one.
        await self._audit_log.append(entry)
        await received.keep()
        return Outcome.RESTORED

    async def _inspect(self, received: ReceivedFile, distribution: Distribution, file: File) -> Inspected:
        """See what is in the archive, whatever the policy asks for: what is not within limits is not opened here."""
        await received.flush()
        try:
            inspected = await self._inspections.inspect_upload(received.path, distribution.project, file)
        except InspectionFailed as error:
            raise InvalidUpload(f"Invalid distribution file: {error}") from error
        for observation in inspected.report.observations:
            if observation.breaks_off:
                raise InvalidUpload(f"Invalid distribution file: {observation.kind}: {observation.text}")
        return inspected

    async def _judge(
        self,
        index: Index,
        distribution: Distribution,
        file: File,
        inspected: Inspected,
        attested: Attested | None,
        actor: Actor,
    ) -> Entry:
        """Ask the policy about what is in the file and who attests to it, and return the entry for its publication.

        What is about age, records and pins is asked when somebody wants the file: that may change, its bytes will not.
        """
        _, judged = await self._gate.judge_upload(
            index, distribution.project, file, inspected, attested.checked if attested else None
        )
        rules = index.policy.for_project(distribution.project).rules
        for rule, verdict in zip(rules, judged.decision.verdicts, strict=True):
            if rule.rule.needs and verdict.counts.refuses:
                raise InvalidUpload(f"{verdict.counts.label} by {verdict.rule}: {verdict.finding.reason}")
        details = {"size": file.size, **({"attested": True} if attested else {})}
        entry = decision_entry(
            Action.FILE_PUBLISHED, self._clock.now(), actor, index.name, judged, reference=None, details=details
        )
        # Evidence is kept of what clients got: here it is of what might be.
        return replace(entry, evidence_digest=None)

    async def _keep_metadata(self, metadata: CoreMetadata) -> str:
        digest = hashlib.sha256(metadata.content).hexdigest()
        await self._blobs.keep(metadata.content, digest)
        return digest


def distribution_of(upload: Upload) -> Distribution:
    """Return what an upload claims to be; raises InvalidUpload where its name and its form do not agree."""
    try:
        distribution = parse_distribution(upload.filename)
    except InvalidName as error:
        raise InvalidUpload(f"Invalid filename: {error}") from error
    check_statement(upload.stated, distribution)
    return distribution


def _distribution_or_none(filename: str) -> Distribution | None:
    try:
        return parse_distribution(filename)
    except InvalidName:
        return None
