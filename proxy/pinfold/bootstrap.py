"""The only wiring: from settings to adapters to use cases to a running server."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Semaphore
from pathlib import Path

from pinfold.adapters.alert_log import AlertLog
from pinfold.adapters.filesystem.blobs import FileBlobs
from pinfold.adapters.filesystem.checkpoint_file import CheckpointFile
from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.adapters.filesystem.policy_files import PolicyFiles
from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.filesystem.turns import Turns
from pinfold.adapters.inspection.processes import InspectionProcesses
from pinfold.adapters.json_lines import JsonLines
from pinfold.adapters.osv.local import LocalFeed
from pinfold.adapters.osv.remote import RemoteFeed
from pinfold.adapters.prometheus import PrometheusTelemetry
from pinfold.adapters.sigstore.verifier import SigstoreVerifier
from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.advisories import SqliteAdvisoryStore
from pinfold.adapters.sqlite.alerts import SqliteOutbox
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.audit_tree import AuditTree, latest_checkpoint, open_ledger
from pinfold.adapters.sqlite.catalog import SqliteCatalog
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.feed_schema import feeds as feed_schema
from pinfold.adapters.sqlite.look_back import SqliteLookBackStore
from pinfold.adapters.sqlite.provenance import SqliteProvenanceStore
from pinfold.adapters.sqlite.records import SqliteRecordStore
from pinfold.adapters.sqlite.reports import SqliteReportStore
from pinfold.adapters.system_clock import SystemClock
from pinfold.adapters.upstream.client import HttpUpstream
from pinfold.adapters.upstream.options import UpstreamOptions
from pinfold.adapters.upstream.transport import Transport
from pinfold.adapters.webhook import Webhook, WebhookOptions
from pinfold.adapters.witness import Witness
from pinfold.domain.errors import InvalidSettings, TrustRootError
from pinfold.domain.evidence import Need
from pinfold.ports.advisories import FeedSource
from pinfold.ports.alerts import Receiver
from pinfold.ports.checkpoints import CheckpointSink
from pinfold.settings import FeedSettings, Settings
from pinfold.usecases.decide import Gate
from pinfold.usecases.fetch_file import FileFetcher
from pinfold.usecases.file_download import FileDownload
from pinfold.usecases.find_project import ProjectFinder
from pinfold.usecases.indexes import Index, Refusals, Source
from pinfold.usecases.inspections import Inspections
from pinfold.usecases.look_back import LookBack
from pinfold.usecases.project_names import ProjectNames
from pinfold.usecases.project_page import ProjectPage
from pinfold.usecases.provenances import Provenances
from pinfold.usecases.publish_checkpoints import PublishCheckpoints
from pinfold.usecases.refresh_feed import RefreshFeed
from pinfold.usecases.send_alerts import SendAlerts
from pinfold.usecases.serve_provenance import ServeProvenance
from pinfold.usecases.watch_feeds import Feed, WatchFeeds
from pinfold.usecases.wheel_metadata import WheelMetadata
from pinfold.web.serve import Listening, cannot_listen, serve
from pinfold.web.services import Services
from pinfold.web.workers import reserve, supervise

log = logging.getLogger(__name__)

THREADS = 16
"""For disks and databases: asyncio's own default on a small machine is too few to wait with."""


@dataclass(frozen=True)
class Installation:
    """The pieces of one running Pinfold, whether they serve requests or one command."""

    settings: Settings
    data: DataDirectory
    clock: SystemClock
    telemetry: PrometheusTelemetry
    policies: PolicyFiles
    records: SqliteRecordStore
    ledger: Database
    audit_log: SqliteAuditLog
    audit_tree: AuditTree
    catalog: SqliteCatalog
    blobs: FileBlobs
    verifier: SigstoreVerifier
    provenances: Provenances
    advisories: SqliteAdvisoryStore
    feeds: tuple[Feed, ...]
    refresh_feed: RefreshFeed
    turns: Turns
    upstreams: dict[str, HttpUpstream]
    indexes: dict[str, Index]
    finder: ProjectFinder
    gate: Gate
    pages: ProjectPage
    names: ProjectNames
    files: FileDownload
    look_back: LookBack
    outbox: SqliteOutbox
    alerts: SendAlerts
    checkpoints: PublishCheckpoints

    async def ready(self) -> None:
        """Raise the error that keeps requests from being decided, if there is one."""
        await self.records.current()

    async def warm_up(self) -> None:
        """Load what takes long, where a policy will need it, so that no request has to wait for it."""
        if not any(Need.PROVENANCE in index.policy.needs for index in self.indexes.values()):
            return
        try:
            root = await self.verifier.load()
        except TrustRootError as error:
            log.error("provenance cannot be verified: %s", error)
        else:
            self.telemetry.trust_root(root)
            log.info("provenance is verified with the trust root %s, sha256 %s", root.path, root.sha256)

    def watch_feeds(self) -> WatchFeeds:
        """Return what keeps the advisory feeds up to date while a server runs."""
        refresh, take = self.refresh_feed, self.turns.take
        return WatchFeeds(self.feeds, refresh, self.advisories, take, self.clock, self.telemetry)

    def services(self) -> Services:
        """Return what the HTTP surface needs."""
        return Services(
            indexes=self.indexes,
            pages=self.pages,
            names=self.names,
            files=self.files,
            provenance=ServeProvenance(self.gate, self.files, self.provenances),
            ready=self.ready,
            metrics=self.telemetry.render,
            observe_request=self.telemetry.request,
            base_url=self.settings.server.base_url,
            trusted_proxies=frozenset(self.settings.server.trusted_proxies),
        )


@asynccontextmanager
async def open_installation(settings: Settings) -> AsyncIterator[Installation]:
    """Open the store and connect everything; close it all again, in reverse order.

    Raises InvalidSettings, InvalidPolicy and StoreError with what to do about it.
    """
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="pinfold"))
    policies = PolicyFiles()
    by_name = {name: policies.load(index.policy) for name, index in settings.indexes.items()}
    async with AsyncExitStack() as stack:
        data = await asyncio.to_thread(DataDirectory.open, settings.data)
        ledger, audit_tree = await open_ledger(data.ledger, SigningKeys(data.keys))
        stack.push_async_callback(ledger.close)
        catalog_file = await Database.open(data.catalog, schema.catalog, durable=False)
        stack.push_async_callback(catalog_file.close)
        feed_file = await Database.open(data.feeds, feed_schema, durable=False)
        stack.push_async_callback(feed_file.close)
        blobs = FileBlobs(data.blobs, data.incoming)
        stack.push_async_callback(blobs.close)
        await blobs.sweep()
        clock, telemetry = SystemClock(), PrometheusTelemetry()
        upstreams = {}
        for name, options in _upstream_options(settings).items():
            upstreams[name] = upstream = HttpUpstream(options, observer=telemetry.asked_upstream)
            stack.push_async_callback(upstream.aclose)
        indexes = {
            name: Index(
                name=name,
                sources=tuple(_source(settings, upstreams[upstream]) for upstream in index.upstreams),
                policy=by_name[name],
                private=index.private,
                refusals=Refusals(index.refusals),
            )
            for name, index in settings.indexes.items()
        }
        records, audit_log, catalog = (
            SqliteRecordStore(ledger, clock),
            SqliteAuditLog(ledger),
            SqliteCatalog(catalog_file),
        )
        look_back_store = SqliteLookBackStore(ledger)
        finder = ProjectFinder(catalog, clock, telemetry, look_back_store.note)
        verifier = SigstoreVerifier(settings.sigstore.trusted_root, clock)
        stack.push_async_callback(asyncio.to_thread, verifier.close)
        provenances = Provenances(SqliteProvenanceStore(catalog_file), verifier, clock, telemetry)
        advisories = SqliteAdvisoryStore(feed_file, settings.feeds)
        feeds = []
        for name, feed in settings.feeds.items():
            feeds.append(Feed(_feed_source(name, feed, data, stack), feed.interval))
        fetcher = FileFetcher(blobs, telemetry)
        inspector = InspectionProcesses()
        stack.push_async_callback(inspector.close)
        inspections = Inspections(SqliteReportStore(catalog_file), inspector, fetcher, clock, telemetry)
        gate = Gate(finder, records, provenances, inspections, advisories, clock)
        metadata = WheelMetadata(catalog, blobs, fetcher)
        receivers: list[Receiver] = [AlertLog()]
        for address in _webhooks(settings):
            receivers.append(webhook := Webhook(address, clock))
            stack.push_async_callback(webhook.aclose)
        outbox, turns = SqliteOutbox(ledger), Turns(data.root)
        names = ProjectNames(clock)
        for closing in (finder, names, fetcher, metadata, provenances, inspections, gate):
            stack.push_async_callback(closing.close)
        yield Installation(
            settings=settings,
            data=data,
            clock=clock,
            telemetry=telemetry,
            policies=policies,
            records=records,
            ledger=ledger,
            audit_log=audit_log,
            audit_tree=audit_tree,
            catalog=catalog,
            blobs=blobs,
            verifier=verifier,
            provenances=provenances,
            advisories=advisories,
            feeds=tuple(feeds),
            refresh_feed=RefreshFeed(advisories, clock, telemetry, look_back_store.note),
            turns=turns,
            upstreams=upstreams,
            indexes=indexes,
            finder=finder,
            gate=gate,
            pages=ProjectPage(gate, metadata, blobs, clock, telemetry),
            names=names,
            files=FileDownload(gate, fetcher, metadata, audit_log, clock, telemetry),
            look_back=LookBack(
                gate, indexes, look_back_store, audit_log, [receiver.name for receiver in receivers], clock
            ),
            outbox=outbox,
            alerts=SendAlerts(outbox, receivers, clock),
            checkpoints=PublishCheckpoints(
                partial(latest_checkpoint, ledger),
                _checkpoint_sinks(settings, stack),
                settings.audit.checkpoint_interval,
                turns.take,
            ),
        )


def _webhooks(settings: Settings) -> list[WebhookOptions]:
    return [
        WebhookOptions(
            name=webhook.name or "webhook",
            url=webhook.url.get_secret_value(),
            shape=webhook.shape,
            secret=webhook.signing_secret(),
        )
        for webhook in settings.alerts.webhook
    ]


def _upstream_options(settings: Settings) -> dict[str, UpstreamOptions]:
    options = {}
    for name, upstream in settings.upstreams.items():
        username, password = upstream.credentials() or (None, None)
        options[name] = UpstreamOptions(
            name=name,
            url=upstream.address,
            file_hosts=upstream.file_hosts,
            username=username,
            password=password,
            ca_file=upstream.ca_file,
            connect_timeout=upstream.connect_timeout.total_seconds(),
            idle_timeout=upstream.idle_timeout.total_seconds(),
            total_timeout=upstream.total_timeout.total_seconds(),
        )
    return options


def _feed_source(name: str, feed: FeedSettings, data: DataDirectory, stack: AsyncExitStack) -> FeedSource:
    if "://" not in feed.source:
        return LocalFeed(name, Path(feed.source))
    remote = RemoteFeed(name, Transport(UpstreamOptions(name, feed.source, ca_file=feed.ca_file)), data.incoming)
    stack.push_async_callback(remote.aclose)
    return remote


def _checkpoint_sinks(settings: Settings, stack: AsyncExitStack) -> list[CheckpointSink]:
    audit, sinks = settings.audit, list[CheckpointSink]()
    if audit.checkpoint_file is not None:
        sinks.append(CheckpointFile(audit.checkpoint_file))
    if audit.checkpoint_url is not None:
        sinks.append(witness := Witness(audit.checkpoint_url.get_secret_value()))
        stack.push_async_callback(witness.aclose)
    return sinks


def _source(settings: Settings, upstream: HttpUpstream) -> Source:
    chosen = settings.upstreams[upstream.name]
    return Source(upstream, chosen.freshness, chosen.private)


def run_server(settings: Settings, announce: Callable[[str, int], None]) -> None:
    """Serve until told to stop; `announce` is told host and port once connections are accepted.

    Raises InvalidSettings, InvalidPolicy and StoreError with what to do about it.
    """
    server = settings.server
    if server.workers == 1:
        asyncio.run(_serve(settings, announce, server.port))
        return
    try:
        reserved = reserve(server.host, server.port)
    except OSError as error:
        raise InvalidSettings([cannot_listen(server.host, server.port, error)]) from error
    with reserved:
        # What is wrong with the store or a policy is said once, here, and not by every worker.
        asyncio.run(_check(settings))
        host, port = reserved.getsockname()[:2]
        work = partial(_work, settings, port)
        supervise(server.workers, work, server.drain.total_seconds(), partial(announce, host, port))


def _work(settings: Settings, port: int, up: Semaphore) -> None:
    configure_logging(settings)
    asyncio.run(_serve(settings, lambda *_: up.release(), port, shared=True))


async def _check(settings: Settings) -> None:
    async with open_installation(settings) as installation:
        await installation.ready()


async def _serve(settings: Settings, announce: Callable[[str, int], None], port: int, *, shared: bool = False) -> None:
    server = settings.server
    async with open_installation(settings) as installation:
        background: list[asyncio.Task[None]] = []

        def up(host: str, port: int) -> None:
            announce(host, port)
            background.append(asyncio.create_task(installation.warm_up()))

        listening = Listening(server.host, port, server.drain.total_seconds(), shared)
        watching = [
            asyncio.create_task(watch.run())
            for watch in (
                installation.watch_feeds(),
                installation.look_back,
                installation.alerts,
                installation.checkpoints,
            )
        ]
        try:
            await serve(installation.services(), listening, up)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, *background, return_exceptions=True)


def configure_logging(settings: Settings) -> None:
    """Write structured lines, one event each, to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("pinfold.access").setLevel(logging.INFO if settings.server.access_log else logging.WARNING)
