"""What `pinfold doctor` finds out by starting everything but the server, and asking upstreams, feeds and issuers."""

import asyncio
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from pinfold.adapters.sqlite.audit_tree import latest_checkpoint
from pinfold.audit.checkpoint import read_checkpoint
from pinfold.bootstrap import Installation, open_installation
from pinfold.cli.checks import Check, State
from pinfold.cli.terminal import moment
from pinfold.domain.duration import short_duration
from pinfold.domain.errors import PinfoldError, UpstreamError
from pinfold.ports.audit_log import AuditQuery
from pinfold.ports.upstream import Page, Upstream
from pinfold.settings import Settings
from pinfold.usecases.packages import Packages
from pinfold.usecases.watch_feeds import age_of, is_stale

PROBE = "pip"
"""A project that every mirror of PyPI has, with a page of moderate size."""
PATIENCE = 20
"""Seconds that an upstream has to answer."""
SLACK = timedelta(minutes=5)
"""How far clocks may differ before it is worth a word."""


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
            return [
                *(check for check, _ in answers),
                *await _check_feeds(installation),
                *await _check_published(installation),
                *await _check_pins(installation),
                *await _check_issuers(installation),
                await _check_audit_log(installation),
                await _check_clock(installation, newest),
            ]
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
