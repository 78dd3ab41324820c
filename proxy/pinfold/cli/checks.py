"""What `pinfold doctor` looks at; each check says what was found and, where it is not well, what to do."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.adapters.filesystem.policy_files import PolicyFiles
from pinfold.adapters.sigstore.tuf_repository import TufRepository
from pinfold.adapters.sqlite.audit_tree import latest_checkpoint
from pinfold.adapters.sqlite.integrity import find_damage
from pinfold.adapters.system_clock import SystemClock
from pinfold.audit.checkpoint import read_checkpoint
from pinfold.bootstrap import Installation, open_installation
from pinfold.bootstrap.trust import connect_trust_repository, make_verifier
from pinfold.cli.access import needs_tokens, open_to_all
from pinfold.cli.terminal import moment
from pinfold.domain.duration import short_duration
from pinfold.domain.errors import InvalidPolicy, PinfoldError, StoreError, TrustRootError, UpstreamError
from pinfold.domain.evidence import Need
from pinfold.ports.audit_log import AuditQuery
from pinfold.ports.clock import Clock
from pinfold.ports.upstream import Page, Upstream
from pinfold.settings import Settings
from pinfold.settings.sources import find_config, read_environment
from pinfold.usecases.packages import Packages
from pinfold.usecases.watch_feeds import age_of, is_stale

GIB = 1 << 30
LITTLE_SPACE = 5 * GIB
NO_SPACE = GIB // 4
PROBE = "pip"
"""A project that every mirror of PyPI has, with a page of moderate size."""
PATIENCE = 20
"""Seconds that an upstream has to answer."""
OLD_ROOT = timedelta(days=180)
SLACK = timedelta(minutes=5)
"""How far clocks may differ before it is worth a word."""


class State(StrEnum):
    """What a check comes to."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    subject: str
    state: State
    found: str
    advice: str = ""


def check_sources(config: Path | None) -> Check:
    """Tell where the settings come from."""
    document = find_config(config, os.environ)
    variables = read_environment(os.environ).names.values()
    found = [str(document) if document else "no document, so the defaults", *variables]
    return Check("configuration", State.OK, ", ".join(found))


def check_policies(settings: Settings) -> Iterator[Check]:
    """Tell whether each index's policy can be loaded."""
    files = PolicyFiles()
    for name, index in settings.indexes.items():
        subject = f"policy of {name}"
        try:
            policy = files.load(index.policy)
        except InvalidPolicy as error:
            for problem in error.problems:
                yield Check(subject, State.FAIL, problem, "correct the document; pinfold policy check FILE checks it")
        else:
            yield Check(subject, State.OK, f"{policy.name}, {len(policy.rules)} rules, digest {policy.digest[:12]}")


def check_access(settings: Settings) -> Iterator[Check]:
    """Tell who may read without a token, where that is not plain from the settings, or is worth a second thought."""
    for found, advice in (*needs_tokens(settings), *open_to_all(settings)):
        yield Check("access", State.WARN, found, advice)
    if settings.server.stays_local:
        yield Check("access", State.OK, "only this machine can ask")


def check_front(settings: Settings) -> Iterator[Check]:
    """Tell whether what stands in front is known by its outside address, where anything does."""
    server = settings.server
    if server.trusted_proxies and not server.base_url:
        found = "stands in front, by server.trusted_proxies, and server.base_url is not set"
        advice = "set it to the outside address: provenance links name the scheme and host that reach Pinfold itself"
        yield Check("front", State.WARN, found, advice)


def check_data(root: Path) -> Iterator[Check]:
    """Tell whether the data directory can be used, has space left, and holds sound databases."""
    root = root.absolute()
    if not root.exists():
        yield Check(
            "data directory", State.WARN, f"{root} does not exist", "a server makes it; name another one with --data"
        )
        return
    try:
        directory = DataDirectory.open(root)
    except StoreError as error:
        yield Check("data directory", State.FAIL, str(error))
        return
    yield Check("data directory", State.OK, str(root))
    yield _check_space(root)
    for path in (directory.ledger, directory.catalog, directory.feeds):
        if path.exists():
            yield _check_database(path)


async def check_trust_root(settings: Settings) -> list[Check]:
    """Tell what provenance is verified with, where a policy asks for it, and how old that is."""
    files = PolicyFiles()
    policies = [files.load(index.policy) for index in settings.indexes.values()]
    if not any(Need.PROVENANCE in policy.needs for policy in policies):
        return []
    clock = SystemClock()
    repository = connect_trust_repository(settings, DataDirectory(settings.data.absolute()), clock)
    verifier = make_verifier(settings, repository, clock)
    try:
        root = await verifier.load()
    except TrustRootError as error:
        return [Check("trust root", State.FAIL, str(error), "correct trusted_root of [sigstore], or leave it out")]
    finally:
        await asyncio.to_thread(verifier.close)
    found = f"{root.path}, sha256 {root.sha256[:12]}, {short_duration(root.age(clock.now()))} old"
    if repository is not None:
        return [await _check_refreshed(found, repository, clock)]
    if root.age(clock.now()) > OLD_ROOT:
        advice = "let it be refreshed, by [sigstore] refresh, or renew it: keys that came into use since are not known"
        return [Check("trust root", State.WARN, found, advice)]
    return [Check("trust root", State.OK, found)]


async def _check_refreshed(found: str, repository: TufRepository, clock: Clock) -> Check:
    """Tell when the source of the trust root last confirmed it, and why not since."""
    subject, advice = "trust root", f"see that {repository.address} can be reached; the last good root stays in force"
    try:
        state = await repository.state()
    except TrustRootError as error:
        return Check(subject, State.WARN, f"{found}; {error}", "see that the data directory can be read")
    if state.checked_at is None:
        return Check(subject, State.WARN, f"{found}, never refreshed: {state.failure or 'a server does it'}", advice)
    found = f"{found}, confirmed {short_duration(clock.now() - state.checked_at)} ago"
    if state.failure:
        return Check(subject, State.WARN, f"{found}; since then: {state.failure}", advice)
    return Check(subject, State.OK, found)


async def check_installation(settings: Settings) -> list[Check]:
    """Tell whether Pinfold comes up, whether its upstreams answer, and whether its clock can be right."""
    if settings.data.exists():
        return await _check_running(settings)
    with tempfile.TemporaryDirectory(prefix="pinfold-doctor-") as folder:
        return await _check_running(settings.model_copy(update={"data": Path(folder)}))


async def _check_running(settings: Settings) -> list[Check]:
    try:
        async with open_installation(settings) as installation:
            upstreams = installation.upstreams.values()
            answers = await asyncio.gather(*(_check_upstream(settings, upstream) for upstream in upstreams))
            newest = [newest for _, newest in answers if newest is not None]
            feeds = await _check_feeds(installation)
            published = await _check_published(installation)
            pins = await _check_pins(installation)
            issuers = await _check_issuers(installation)
            ends = [
                *published,
                *pins,
                *issuers,
                await _check_audit_log(installation),
                await _check_clock(installation, newest),
            ]
            return [*(check for check, _ in answers), *feeds, *ends]
    except PinfoldError as error:
        return [Check("start", State.FAIL, str(error))]


async def _check_issuers(installation: Installation) -> list[Check]:
    """Ask those who vouch for trusted publishers for their keys, as the first publish would."""
    found = []
    for issuer in installation.trusted_publishing.issuers:
        try:
            await installation.trusted_publishing.ask(issuer)
        except UpstreamError as error:
            found.append(Check("trusted publishing", State.FAIL, str(error), "look at its issuer, network and proxy"))
        else:
            found.append(Check("trusted publishing", State.OK, f"{issuer} has keys"))
    return found


def _check_space(root: Path) -> Check:
    free = shutil.disk_usage(root).free
    found = f"{free / GIB:.1f} GiB free"
    if free < NO_SPACE:
        return Check("disk", State.FAIL, found, "free some space: without it nothing can be recorded, nor served")
    if free < LITTLE_SPACE:
        return Check("disk", State.WARN, found, "files are kept for good: give the data directory more room")
    return Check("disk", State.OK, found)


def _check_database(path: Path) -> Check:
    try:
        damage = find_damage(path)
    except StoreError as error:
        return Check(path.name, State.FAIL, str(error))
    if damage:
        return Check(path.name, State.FAIL, "; ".join(damage), "stop Pinfold and restore the file from a backup")
    return Check(path.name, State.OK, f"sound, {path.stat().st_size / (1 << 20):.1f} MiB")


async def _check_upstream(settings: Settings, upstream: Upstream) -> tuple[Check, datetime | None]:
    """Ask for one project page; return also the newest upload that it tells of."""
    subject, address = f"upstream {upstream.name}", settings.upstreams[upstream.name].address
    begun = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            answer = await upstream.project(PROBE, None)
    except TimeoutError:
        return Check(
            subject, State.FAIL, f"{address} gave no answer in {PATIENCE} s", "look at network and proxy"
        ), None
    except UpstreamError as error:
        return Check(subject, State.FAIL, str(error), "look at its url, at network, proxy and credentials"), None
    found = f"{address} answers in {(time.monotonic() - begun) * 1000:.0f} ms"
    if not isinstance(answer, Page):
        advice = f"it has no project {PROBE}: unless it holds only your own projects, its url is not that of an index"
        return Check(subject, State.WARN, found, advice), None
    times = [file.upload_time for file in answer.project.files if file.upload_time is not None]
    if not times:
        return Check(
            subject, State.WARN, f"{found}, without upload times", "let minimum-age go by first sightings"
        ), None
    return Check(subject, State.OK, found), max(times)


async def _check_feeds(installation: Installation) -> list[Check]:
    if not installation.feeds:
        return [Check("feeds", State.WARN, "none, so that nothing is known of malware", "set [feeds.osv] source")]
    found = []
    for feed in installation.feeds:
        state = await installation.advisories.state(feed.name)
        age, command = age_of(state, installation.clock), f"pinfold feed sync {feed.name}"
        if state.snapshot is None:
            advice = f"a server loads it, or {command}; offline, let its source name a mirror, a zip or a folder"
            found.append(Check(f"feed {feed.name}", State.WARN, age, advice))
            continue
        told = f"{state.snapshot.records} records, {age}"
        if is_stale(feed, state, installation.clock):
            found.append(
                Check(
                    f"feed {feed.name}", State.WARN, told, f"{command} tells what keeps it from {feed.source.address}"
                )
            )
        else:
            found.append(Check(f"feed {feed.name}", State.OK, told))
    return found


async def _check_published(installation: Installation) -> list[Check]:
    """Tell of names that exist elsewhere too, and whether the bytes of what was published here are all there."""
    checks = []
    for claimed in (await installation.published.current()).projects.values():
        claim = claimed.claim
        if claim.namesakes:
            found = f"{claim.project} exists on {', '.join(claim.namesakes)}, too"
            advice = f"index {claim.index} serves only what is published on it; another name would spare mistakes"
            checks.append(Check("packages", State.WARN, found, advice))
    files = [
        each.file for each in await Packages(installation.published, installation.clock).files() if not each.deletion
    ]
    kept = await installation.blobs.among({file.sha256 for file in files})
    lost = [file.filename for file in files if file.sha256 not in kept]
    if lost:
        found = f"the bytes of {len(lost)} published files are lost, such as {lost[0]}"
        advice = "restore the folder blobs from a backup, or upload the very same files again"
        return [*checks, Check("packages", State.FAIL, found, advice)]
    return [*checks, Check("packages", State.OK, f"{len(files)} files are published")] if files else checks


async def _check_pins(installation: Installation) -> list[Check]:
    """Tell what the indexes hold that are limited to a pin set."""
    checks = []
    for index in installation.indexes.values():
        if index.pins is None:
            continue
        subject, present = f"pins of {index.name}", await installation.pins.current(index.pins)
        if present is None:
            found = f"there is no pin set {index.pins}, so that nothing is served"
            checks.append(Check(subject, State.FAIL, found, f"pinfold pin import {index.pins} LOCKFILE makes it"))
        else:
            head = present.head
            found = f"{head.name}, version {head.number} of {moment(head.created_at)} UTC, {head.files} files"
            checks.append(Check(subject, State.OK, found))
    return checks


async def _check_audit_log(installation: Installation) -> Check:
    """Tell by which key the audit log is known, and whether anything could show that it was rewritten."""
    note = await latest_checkpoint(installation.ledger)
    found = f"{read_checkpoint(note).size} entries, signed by {installation.audit_tree.verifier}"
    audit = installation.settings.audit
    if audit.checkpoint_file is None and audit.checkpoint_url is None:
        advice = "let checkpoints be kept elsewhere, by [audit] checkpoint_file or checkpoint_url"
        return Check("audit log", State.WARN, f"{found}; no checkpoint of it is kept elsewhere", advice)
    return Check("audit log", State.OK, found)


async def _check_clock(installation: Installation, newest: list[datetime]) -> Check:
    """Compare the clock with what certainly lies in the past: uploads, and what was recorded here."""
    entries = await installation.audit_log.search(AuditQuery(limit=1))
    past = max([*newest, *(one.entry.time for one in entries)], default=None)
    now = installation.clock.now()
    if past is None:
        return Check("clock", State.WARN, f"{moment(now)} UTC, compared with nothing", "see that it is synchronised")
    if past > now + SLACK:
        late = short_duration(past - now)
        return Check(
            "clock",
            State.FAIL,
            f"{moment(now)} UTC is slow by {late} or more",
            "set it: ages are wrong, and waivers too",
        )
    return Check("clock", State.OK, f"{moment(now)} UTC, not behind anything known")
