"""What `pinfold doctor` looks at before anything runs; each check says what was found and, where amiss, what to do."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.adapters.filesystem.policy_files import PolicyFiles
from pinfold.adapters.sigstore.tuf_repository import TufRepository
from pinfold.adapters.sqlite.integrity import find_damage
from pinfold.adapters.system_clock import SystemClock
from pinfold.bootstrap.trust import connect_trust_repository, make_verifier
from pinfold.cli.access import needs_tokens, open_to_all
from pinfold.domain.duration import short_duration
from pinfold.domain.errors import InvalidPolicy, StoreError, TrustRootError
from pinfold.domain.evidence import Need
from pinfold.ports.clock import Clock
from pinfold.settings import Settings
from pinfold.settings.sources import find_config, read_environment

GIB = 1 << 30
LITTLE_SPACE = 5 * GIB
NO_SPACE = GIB // 4
OLD_ROOT = timedelta(days=180)


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
