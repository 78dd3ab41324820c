"""The pieces of one running Pinfold, connected."""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from pinfold.adapters.filesystem.blobs import FileBlobs
from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.adapters.filesystem.policy_files import PolicyFiles
from pinfold.adapters.filesystem.shared_pages import SharedPageFiles
from pinfold.adapters.filesystem.turns import Turns
from pinfold.adapters.inspection.processes import InspectionProcesses
from pinfold.adapters.prometheus import PrometheusTelemetry
from pinfold.adapters.sigstore.tuf_repository import TufRepository
from pinfold.adapters.sigstore.verifier import SigstoreVerifier
from pinfold.adapters.sqlite.advisories import SqliteAdvisoryStore
from pinfold.adapters.sqlite.alerts import SqliteOutbox
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.audit_tree import AuditTree, latest_checkpoint
from pinfold.adapters.sqlite.catalog import SqliteCatalog
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.pins import SqlitePinStore
from pinfold.adapters.sqlite.published import SqlitePublishedStore
from pinfold.adapters.sqlite.records import SqliteRecordStore
from pinfold.adapters.sqlite.tokens import SqliteTokenStore
from pinfold.adapters.system_clock import SystemClock
from pinfold.adapters.upstream.client import HttpUpstream
from pinfold.bootstrap.feeds import open_feeds
from pinfold.bootstrap.outlets import open_checkpoint_sinks, open_receivers
from pinfold.bootstrap.stores import open_stores
from pinfold.bootstrap.trust import connect_trust_repository, make_verifier
from pinfold.bootstrap.trusted_publishing import open_trusted_publishing
from pinfold.bootstrap.upstreams import load_indexes, open_upstreams
from pinfold.domain.errors import InspectionFailed, InvalidSettings, StoreError, TrustRootError
from pinfold.domain.evidence import Need
from pinfold.domain.suggestion import suggestion
from pinfold.settings import Settings
from pinfold.usecases.announce import Announce
from pinfold.usecases.authenticate import Authenticate
from pinfold.usecases.claim_names import ClaimNames
from pinfold.usecases.decide import Gate
from pinfold.usecases.failed_attempts import FailedAttempts
from pinfold.usecases.fetch_file import FileFetcher
from pinfold.usecases.file_download import FileDownload
from pinfold.usecases.find_project import ProjectFinder
from pinfold.usecases.indexes import Index
from pinfold.usecases.inspections import Inspections
from pinfold.usecases.known_names import KnownNames
from pinfold.usecases.look_back import LookBack
from pinfold.usecases.present import Present
from pinfold.usecases.project_names import ProjectNames
from pinfold.usecases.project_page import ProjectPage
from pinfold.usecases.provenances import Provenances
from pinfold.usecases.publish import Publish
from pinfold.usecases.publish_checkpoints import PublishCheckpoints
from pinfold.usecases.refresh_feed import RefreshFeed
from pinfold.usecases.refresh_trust_root import RefreshTrustRoot
from pinfold.usecases.send_alerts import SendAlerts
from pinfold.usecases.serve_provenance import ServeProvenance
from pinfold.usecases.token_uses import TokenUses
from pinfold.usecases.tokens import Tokens
from pinfold.usecases.trusted_publishing import TrustedPublishing
from pinfold.usecases.watch_feeds import Feed, WatchFeeds
from pinfold.usecases.wheel_metadata import WheelMetadata
from pinfold.web.front_files import FrontFiles
from pinfold.web.services import Services

log = logging.getLogger(__name__)

THREADS = 16
"""For disks and databases: asyncio's own default on a small machine is too few to wait with."""


@dataclass(frozen=True)
class Installation:
    """The pieces of one running Pinfold, whether they serve requests or one command."""

    settings: Settings
    data: DataDirectory
    present: Present
    clock: SystemClock
    telemetry: PrometheusTelemetry
    policies: PolicyFiles
    records: SqliteRecordStore
    tokens: SqliteTokenStore
    token_uses: TokenUses
    trusted_publishing: TrustedPublishing
    ledger: Database
    audit_log: SqliteAuditLog
    audit_tree: AuditTree
    catalog: SqliteCatalog
    blobs: FileBlobs
    inspector: InspectionProcesses
    verifier: SigstoreVerifier
    trust_repository: TufRepository | None
    provenances: Provenances
    advisories: SqliteAdvisoryStore
    feeds: tuple[Feed, ...]
    refresh_feed: RefreshFeed
    turns: Turns
    upstreams: dict[str, HttpUpstream]
    indexes: dict[str, Index]
    gate: Gate
    pages: ProjectPage
    names: ProjectNames
    known_names: KnownNames
    files: FileDownload
    published: SqlitePublishedStore
    publish: Publish
    announce: Announce
    look_back: LookBack
    outbox: SqliteOutbox
    pins: SqlitePinStore
    alerts: SendAlerts
    checkpoints: PublishCheckpoints

    def index(self, name: str) -> Index:
        """Return an index by its name; raises InvalidSettings where there is none."""
        if name not in self.indexes:
            raise InvalidSettings([f"there is no index {name}{suggestion(name, self.indexes)}"])
        return self.indexes[name]

    async def ready(self) -> None:
        """Raise the StoreError that keeps requests from being decided, if there is one."""
        await self.records.current()
        if (failure := self.audit_log.backlog.failure) is not None:
            raise StoreError(f"the audit log took nothing up when it was asked last: {failure}")

    @property
    def _verifies(self) -> bool:
        return any(Need.PROVENANCE in index.policy.needs for index in self.indexes.values())

    async def warm_up(self) -> None:
        """Load and start what takes long, where a policy will need it, so that no request has to wait for it."""
        try:
            await self.known_names.catch_up()
        except StoreError as error:
            log.error("no name can be compared with those in use: %s", error)
        if any(Need.INSPECTION in index.policy.needs for index in self.indexes.values()):
            try:
                await self.inspector.warm_up()
            except InspectionFailed as error:
                log.error("nothing can be inspected: %s", error)
        if not self._verifies:
            return
        try:
            root = await self.verifier.load()
        except TrustRootError as error:
            log.error("provenance cannot be verified: %s", error)
        else:
            self.telemetry.trust_root(root)
            log.info("provenance is verified with the trust root %s, sha256 %s", root.path, root.sha256)

    def refresh_trust_root(self) -> list[RefreshTrustRoot]:
        """Return what keeps the trust root up to date while a server runs: nothing where that is not wanted."""
        repository, interval = self.trust_repository, self.settings.sigstore.refresh
        if repository is None or interval is None or not self._verifies:
            return []
        renew, take = self.verifier.renew, self.turns.take
        return [RefreshTrustRoot(repository, interval, renew, take, self.clock, self.telemetry)]

    def watch_feeds(self) -> WatchFeeds:
        """Return what keeps the advisory feeds up to date while a server runs."""
        refresh, take = self.refresh_feed, self.turns.take
        return WatchFeeds(self.feeds, refresh, self.advisories, take, self.clock, self.telemetry, self.alerts.tell)

    def services(self) -> Services:
        """Return what the HTTP surface needs."""
        return Services(
            indexes=self.indexes,
            pages=self.pages,
            names=self.names,
            files=self.files,
            provenance=ServeProvenance(self.gate, self.files, self.provenances),
            publish=self.publish,
            upload_idle_seconds=self.settings.publishing.idle_timeout.total_seconds(),
            ready=self.ready,
            metrics=self.telemetry.render,
            authenticate=Authenticate(
                self.tokens, self.token_uses, FailedAttempts(), self.audit_log, self.clock, self.settings.open_indexes
            ),
            trusted_publishing=self.trusted_publishing,
            tokens=Tokens(self.tokens, self.clock, self.indexes),
            open_indexes=self.settings.open_indexes,
            count_requests=self.telemetry.requests,
            stays_local=self.settings.server.stays_local,
            base_url=self.settings.server.base_url,
            trusted_proxies=frozenset(self.settings.server.trusted_proxies),
            front_files=FrontFiles(location, self.data.blobs)
            if (location := self.settings.server.front_files)
            else None,
        )


@asynccontextmanager
async def open_installation(settings: Settings) -> AsyncIterator[Installation]:
    """Open the store and connect everything; close it all again, in reverse order.

    Raises InvalidSettings, InvalidPolicy and StoreError with what to do about it.
    """
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="pinfold"))
    clock, telemetry, policies = SystemClock(), PrometheusTelemetry(), PolicyFiles()
    async with AsyncExitStack() as stack:
        upstreams = open_upstreams(settings, telemetry, stack)
        stores = await open_stores(settings, clock, stack)
        telemetry.audit_log(lambda: stores.audit_log.backlog)
        indexes = load_indexes(settings, policies, upstreams, stores)
        receivers = open_receivers(settings, clock, stack)
        feeds = open_feeds(settings, stores.data, stack)
        trust_repository = connect_trust_repository(settings, stores.data, clock)
        verifier = make_verifier(settings, trust_repository, clock)
        stack.push_async_callback(asyncio.to_thread, verifier.close)
        inspector = InspectionProcesses()
        stack.push_async_callback(inspector.close)

        finder = ProjectFinder(
            stores.catalog, stores.published, clock, telemetry, stores.look_back.note, stores.turns.take
        )
        announce = Announce(stores.look_back, clock)
        names = ProjectNames(stores.published, clock)
        provenances = Provenances(stores.provenance, verifier, clock, telemetry, stores.present, stores.look_back.note)
        fetcher = FileFetcher(stores.blobs, telemetry)
        inspections = Inspections(stores.reports, inspector, fetcher, clock, telemetry, stores.look_back.note)
        known_names = KnownNames(policies.everyday_names(), stores.names_in_use)
        gate = Gate(
            finder, stores.records, provenances, inspections, stores.advisories, stores.pins, known_names, clock
        )
        metadata = WheelMetadata(stores.catalog, fetcher, stores.present)
        shared = SharedPageFiles(stores.data.shared_pages) if settings.server.workers > 1 else None
        for closing in (finder, names, fetcher, metadata, provenances, inspections, gate):
            stack.push_async_callback(closing.close)

        yield Installation(
            settings=settings,
            clock=clock,
            telemetry=telemetry,
            policies=policies,
            data=stores.data,
            present=stores.present,
            turns=stores.turns,
            blobs=stores.blobs,
            ledger=stores.ledger,
            audit_tree=stores.audit_tree,
            audit_log=stores.audit_log,
            records=stores.records,
            tokens=stores.tokens,
            token_uses=TokenUses(stores.tokens),
            trusted_publishing=open_trusted_publishing(settings, stores.tokens, clock, stack),
            outbox=stores.outbox,
            pins=stores.pins,
            catalog=stores.catalog,
            advisories=stores.advisories,
            upstreams=upstreams,
            indexes=indexes,
            feeds=feeds,
            inspector=inspector,
            verifier=verifier,
            trust_repository=trust_repository,
            provenances=provenances,
            gate=gate,
            pages=ProjectPage(gate, metadata, stores.blobs, clock, telemetry, shared, stores.turns.take),
            names=names,
            known_names=known_names,
            files=FileDownload(gate, fetcher, metadata, stores.audit_log, clock, telemetry),
            published=stores.published,
            publish=Publish(
                stores.published,
                stores.blobs,
                gate,
                ClaimNames(stores.published, finder, indexes, clock),
                inspections,
                verifier,
                stores.audit_log,
                clock,
                settings.publishing.max_file_size,
            ),
            refresh_feed=RefreshFeed(stores.advisories, announce, clock, telemetry),
            announce=announce,
            look_back=LookBack(
                gate, indexes, stores.look_back, stores.audit_log, [receiver.name for receiver in receivers], clock
            ),
            alerts=SendAlerts(stores.outbox, receivers, clock),
            checkpoints=PublishCheckpoints(
                partial(latest_checkpoint, stores.ledger),
                open_checkpoint_sinks(settings, stack),
                settings.audit.checkpoint_interval,
                stores.turns.take,
            ),
        )
