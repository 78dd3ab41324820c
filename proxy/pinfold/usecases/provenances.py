"""What is known of the provenance of a project's files, and how more is found out: each file once, for everybody."""

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from time import monotonic

from pinfold.domain.errors import PinfoldError, TrustRootError, UpstreamError
from pinfold.domain.evidence import Item, Known, Unknown
from pinfold.domain.project import File
from pinfold.domain.provenance import Provenance, TrustRoot, Verified
from pinfold.domain.release_lines import BEGINNING, AttestedFile
from pinfold.ports.clock import Clock
from pinfold.ports.look_back import INTENT, Noticed, nobody_asks
from pinfold.ports.provenance_store import Checked, ProvenanceStore
from pinfold.ports.telemetry import Telemetry
from pinfold.ports.upstream import Upstream
from pinfold.ports.verifier import ProvenanceVerifier
from pinfold.usecases.kept import Kept
from pinfold.usecases.lru import Lru
from pinfold.usecases.present import Present
from pinfold.usecases.single_flight import SingleFlight

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 10
"""How long the request for a file waits for its provenance: less than installers wait for the first byte."""
LEFT_ALONE_SECONDS = 15
"""How long provenance that could not be fetched is not asked for again."""
UNPROVEN_HOLDS = timedelta(hours=1)
"""How long a document counts that proves nothing. It may have been damaged on its way, or be replaced by a better one;
a later trust root, or version of Pinfold, may know what to make of it."""
NEVER = datetime.max.replace(tzinfo=UTC)
AHEAD_AT_ONCE = 4
"""Files that are verified ahead at a time, of all projects together."""
AHEAD_PROJECTS = 200
"""Projects whose files may wait to be verified ahead; the others wait for their next page."""
FILES_IN_MEMORY = 30_000

FileKey = tuple[str, str]
"""A file's name and sha256."""


def key_of(file: File) -> FileKey:
    """Return what a file's provenance is known by."""
    return file.filename, file.sha256


@dataclass(frozen=True)
class Knowledge:
    """What was found out of a project's files; never changed, only replaced: the same object, the same knowledge."""

    trust_root: Item[TrustRoot] = field(default_factory=lambda: Unknown("no trust root was read"))
    checked: Mapping[FileKey, Checked] = field(default_factory=dict)
    """With the present trust root, the last of each file."""
    attested: Mapping[FileKey, Verified] = field(default_factory=dict)
    """With whichever trust root: what was learnt of publishers outlives the keys that it was learnt by."""

    def publishers_of(self, file: File) -> AttestedFile | None:
        """Return a file with its publishers where the index says, or was once shown to be right, that it has any."""
        if self.attested and (verified := self.attested.get(key_of(file))) is not None:
            return AttestedFile(file, verified.publishers)
        return AttestedFile(file) if isinstance(file.provenance, str) else None

    def adding(self, checked: Checked | None) -> "Knowledge":
        """Return the same with what was found out of one more file."""
        if checked is None:
            return self
        key, proof = (checked.filename, checked.sha256), _proof(checked.result)
        attested = {**self.attested, key: proof} if proof is not None else self.attested
        return replace(self, checked={**self.checked, key: checked}, attested=attested)


@dataclass(slots=True)
class _Kept:
    knowledge: Knowledge
    revision: int
    """Of the project: nothing was remembered up to it that is not among the knowledge."""


class Provenances:
    """Fetches and verifies provenance, once per file, and remembers what came of it in all processes."""

    def __init__(
        self,
        store: ProvenanceStore,
        verifier: ProvenanceVerifier,
        clock: Clock,
        telemetry: Telemetry,
        present: Present,
        noticed: Noticed = nobody_asks,
    ) -> None:
        self._store = store
        self._noticed = noticed
        self._verifier = verifier
        self._clock = clock
        self._telemetry = telemetry
        self._memory: Lru[str, _Kept] = Lru(FILES_IN_MEMORY)
        self._root: Kept[Item[TrustRoot]] = Kept(self._look_at_root, Unknown("no trust root was read"), present)
        self._failed: Lru[tuple[str, FileKey], tuple[float, Unknown]] = Lru(10_000)
        self._looks: SingleFlight[tuple[str, int], Knowledge] = SingleFlight()
        self._flights: SingleFlight[tuple[str, FileKey], Item[Provenance]] = SingleFlight()
        self._ahead: SingleFlight[str, None] = SingleFlight()
        self._slots = asyncio.Semaphore(AHEAD_AT_ONCE)

    async def known(self, project: str) -> Knowledge:
        """Return what is known of a project, no staler than a fraction of a second whichever process found it out."""
        revision, root = await self._store.revision(project), await self._root.current()
        kept = self._memory.get(project)
        if kept is not None and kept.revision >= revision and kept.knowledge.trust_root == root:
            return kept.knowledge
        # A look that began before the revision rose may not see what raised it.
        return await self._looks.run((project, revision), lambda: self._look(project))

    async def establish(self, upstream: Upstream, project: str, files: Iterable[File]) -> Mapping[FileKey, Unknown]:
        """See to it that files are verified, and return for which of them that failed for now, and why.

        Raises StoreError. Whatever else goes wrong is unknown, and told in the log alone.
        """
        knowledge = await self.known(project)
        failures: dict[FileKey, Unknown] = {}
        flights: dict[FileKey, asyncio.Task[Item[Provenance]]] = {}
        for file in files:
            if not self._is_due(knowledge, file):
                continue
            key = key_of(file)
            if (failed := self._recent_failure(project, key)) is not None:
                failures[key] = failed
            else:
                flights[key] = self._begin(upstream, project, file)
        if flights:
            done, _ = await asyncio.wait(flights.values(), timeout=PATIENCE_SECONDS)
            known = (await self._look(project)).checked
            for key, flight in flights.items():
                result = flight.result() if flight in done else Unknown("its provenance did not arrive in time")
                if isinstance(result, Unknown) and key not in known:
                    failures[key] = result
        return failures

    def verify_ahead(self, upstream: Upstream, project: str, files: tuple[File, ...]) -> None:
        """Verify files in the background, in their order; those that nobody asks for cost nobody's time.

        What failed a moment ago is left alone for as long as a request would leave it.
        """
        wanted = tuple(file for file in files if self._recent_failure(project, key_of(file)) is None)
        if wanted and len(self._ahead) < AHEAD_PROJECTS:
            self._ahead.start(project, lambda: self._verify_ahead(upstream, project, wanted))

    async def document(self, upstream: Upstream, project: str, file: File) -> bytes | None:
        """Return a file's provenance as its upstream made it, from here or from there; None where there is none.

        Raises UpstreamError and StoreError.
        """
        checked = (await self.known(project)).checked.get(key_of(file))
        kept = await self._store.document(checked.document) if checked is not None else None
        return kept if kept is not None else await upstream.provenance(file)

    async def close(self) -> None:
        """End what is under way."""
        for flights in (self._ahead, self._flights, self._looks):
            await flights.close()

    async def _look(self, project: str) -> Knowledge:
        revision, root = await self._store.revision(project), await self._trust_root()
        kept = self._memory.get(project)
        if (
            kept is not None
            and kept.knowledge.trust_root == root
            and not await self._store.results(project, after=kept.revision)
        ):
            knowledge = kept.knowledge
        else:
            knowledge = _knowledge(root, await self._store.results(project))
        self._memory.put(project, _Kept(knowledge, revision), 1 + len(knowledge.checked))
        return knowledge

    async def _look_at_root(self, before: Item[TrustRoot]) -> Item[TrustRoot]:
        root = await self._trust_root()
        return before if root == before else root

    async def _trust_root(self) -> Item[TrustRoot]:
        try:
            return Known(await self._verifier.trust_root())
        except TrustRootError as error:
            log.error("provenance cannot be verified: %s", error)
            return Unknown("the trust root cannot be read, so that nothing can be verified")

    def _is_due(self, knowledge: Knowledge, file: File) -> bool:
        """Tell whether a file has provenance that was not verified yet, or that proved nothing a while ago."""
        return due_at(knowledge, (file,)) <= self._clock.now()

    def _recent_failure(self, project: str, key: FileKey) -> Unknown | None:
        until, failed = self._failed.get((project, key)) or (0.0, None)
        return failed if monotonic() < until else None

    def _begin(self, upstream: Upstream, project: str, file: File) -> "asyncio.Task[Item[Provenance]]":
        return self._flights.start((project, key_of(file)), lambda: self._verify(upstream, project, file))

    async def _verify(self, upstream: Upstream, project: str, file: File) -> Item[Provenance]:
        # Looked up once more: another process, or the flight before this one, may just have been done with it.
        knowledge = await self._look(project)
        if isinstance(knowledge.trust_root, Unknown):
            return knowledge.trust_root
        if not self._is_due(knowledge, file):
            return knowledge.checked[key_of(file)].result
        try:
            content = await upstream.provenance(file)
        except UpstreamError as error:
            log.warning("no provenance of %s: %s", file.filename, error)
            return self._fail(project, file, "its provenance cannot be fetched now")
        if content is None:
            return self._fail(project, file, "its provenance is not where the index says that it is")
        result = await self._verifier.verify(content, file.filename, file.sha256)
        if await self._trust_root() != knowledge.trust_root:
            return self._fail(project, file, "the trust root was renewed while its provenance was verified")
        digest, now = hashlib.sha256(content).hexdigest(), self._clock.now()
        checked = Checked(file.filename, file.sha256, digest, knowledge.trust_root.value.sha256, now, result)
        before = knowledge.checked.get(key_of(file))
        await self._remember(project, checked, content, is_news=before is None or before.result != result)
        self._telemetry.verified_provenance(_outcome(result))
        return result

    async def _remember(self, project: str, checked: Checked, content: bytes, *, is_news: bool) -> None:
        """Keep a result; where it is another one, what was served of the project is judged again."""
        cause = "provenance was verified"
        if is_news:
            await self._noticed([project], cause, until=checked.checked_at + INTENT)
        await self._store.remember(project, checked, content)
        if is_news:
            await self._noticed([project], cause)

    def _fail(self, project: str, file: File, why: str) -> Unknown:
        failed = Unknown(why)
        self._failed.put((project, key_of(file)), (monotonic() + LEFT_ALONE_SECONDS, failed), 1)
        self._telemetry.verified_provenance("unavailable")
        return failed

    async def _verify_ahead(self, upstream: Upstream, project: str, files: tuple[File, ...]) -> None:
        async def verify(file: File) -> None:
            async with self._slots:
                if self._recent_failure(project, key_of(file)) is None:
                    await asyncio.shield(self._begin(upstream, project, file))

        try:
            knowledge = await self.known(project)
            await asyncio.gather(*(verify(file) for file in files if self._is_due(knowledge, file)))
        except PinfoldError as error:
            log.warning("provenance of %s is not verified ahead: %s", project, error)


def due_at(knowledge: Knowledge, files: Iterable[File]) -> datetime:
    """Return when one of some files is to be verified: at the beginning of all time where it never was."""
    return min((_due_at(knowledge, file) for file in files if isinstance(file.provenance, str)), default=NEVER)


def _due_at(knowledge: Knowledge, file: File) -> datetime:
    checked = knowledge.checked.get(key_of(file))
    if checked is None:
        return BEGINNING
    return checked.checked_at + UNPROVEN_HOLDS if _proof(checked.result) is None else NEVER


def _knowledge(root: Item[TrustRoot], results: Iterable[Checked]) -> Knowledge:
    digest = root.value.sha256 if isinstance(root, Known) else None
    checked: dict[FileKey, Checked] = {}
    attested: dict[FileKey, Verified] = {}
    for each in results:
        key = (each.filename, each.sha256)
        if each.trust_root == digest:
            checked[key] = each
        if (proof := _proof(each.result)) is not None:
            attested[key] = proof
    return Knowledge(root, checked, attested)


def _proof(result: Item[Provenance]) -> Verified | None:
    return result.value if isinstance(result, Known) and isinstance(result.value, Verified) else None


def _outcome(result: Item[Provenance]) -> str:
    return "unknown" if isinstance(result, Unknown) else type(result.value).__name__.lower()
