"""What every store of published files keeps to."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import structs
from tests.fakes.clock import NOON

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.published import SqlitePublishedStore
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import AlreadyPublished, NotFound, StoreError
from pinfold.domain.names import FileKind
from pinfold.domain.project import File
from pinfold.domain.published import Claim, Deletion, PublishedFile
from pinfold.ports.audit_log import AuditQuery

CLAIM = Claim("main", "acme-tool", NOON, "ci")
DELETION = Deletion(NOON + timedelta(hours=1), "kim", "held a password")


def published(filename="acme_tool-1.0-py3-none-any.whl", sha256="a" * 64, slot=None, index="main", **changes):
    file = File(filename, f"published:{index}/{filename}", sha256, FileKind.WHEEL, "1.0", 10, NOON)
    file = structs.replace(file, provenance=True, **changes)
    return PublishedFile(index, "acme-tool", file, slot or filename, "ci")


def entry(action=Action.FILE_PUBLISHED, **changes):
    return Entry(action, NOON, Actor("ci"), index="main", project="acme-tool", **changes)


@dataclass
class Held:
    store: SqlitePublishedStore
    other: SqlitePublishedStore
    """The store as another process sees it."""
    log: SqliteAuditLog
    ledger: Database

    async def audited(self) -> list[str]:
        return [one.entry.action for one in reversed(await self.log.search(AuditQuery()))]


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Held]:
    ledger = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=True)
    again = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=True)
    yield Held(SqlitePublishedStore(ledger), SqlitePublishedStore(again), SqliteAuditLog(ledger), ledger)
    await again.close()
    await ledger.close()


async def test_a_file_comes_back_as_it_was_published(held):
    file = published(requires_python=">=3.11", core_metadata="b" * 64)
    await held.store.publish(file, None, CLAIM, [entry(Action.PROJECT_CLAIMED), entry()])
    project = await held.other.project("main", "acme-tool")
    assert project is not None
    assert project.files == (file,)
    assert await held.store.slot("main", file.slot) == file
    assert await held.audited() == ["project.claimed", "file.published"]


async def test_provenance_is_kept_with_its_file(held):
    file = published()
    await held.store.publish(file, b"{}", CLAIM, [])
    project = await held.store.project("main", "acme-tool")
    assert isinstance(project.files[0].file.provenance, str)
    assert await held.store.provenance("main", file.file.filename) == b"{}"
    assert await held.store.provenance("main", "other-1.0-py3-none-any.whl") is None


async def test_a_name_is_claimed_once(held):
    await held.store.publish(published(), None, CLAIM, [entry(Action.PROJECT_CLAIMED), entry()])
    later = replace(CLAIM, by="somebody else")
    wheel = published("acme_tool-1.1-py3-none-any.whl")
    await held.store.publish(wheel, None, later, [entry(Action.PROJECT_CLAIMED), entry()])
    claimed = (await held.other.current()).of("main", "acme-tool")
    assert claimed is not None
    assert claimed.claim == CLAIM
    assert await held.audited() == ["project.claimed", "file.published", "file.published"]


async def test_claims_are_seen_at_once_here_and_soon_elsewhere(held):
    before = await held.store.current()
    assert before.of("main", "acme-tool") is None
    assert (await held.other.current()).of("main", "acme-tool") is None
    await held.store.publish(published(), None, CLAIM, [])
    assert (await held.store.current()).of("main", "acme-tool") is not None
    async with asyncio.timeout(1):
        while (await held.other.current()).of("main", "acme-tool") is None:
            await asyncio.sleep(0.02)


async def test_claims_that_nobody_changed_are_the_same_object(held):
    await held.store.publish(published(), None, CLAIM, [])
    first = await held.store.current()
    await asyncio.sleep(0.3)
    assert await held.store.current() is first


async def test_every_change_of_a_project_raises_its_revision(held):
    file = published()
    name = file.file.filename
    seen = []
    for change in (
        lambda: held.store.publish(file, None, CLAIM, []),
        lambda: held.store.yank("main", "acme-tool", {name: "broken"}, []),
        lambda: held.store.yank("main", "acme-tool", {name: None}, []),
        lambda: held.store.delete("main", "acme-tool", [name], DELETION, []),
    ):
        await change()
        project = await held.store.project("main", "acme-tool")
        assert project.revision == (await held.store.current()).of("main", "acme-tool").revision
        seen.append(project.revision)
    assert seen == sorted(set(seen))


async def test_a_slot_is_given_away_once_also_after_deletion(held):
    file = published(slot="sdist acme-tool 1")
    await held.store.publish(file, None, CLAIM, [])
    twin = published("acme-tool-1.0.0-py3-none-any.whl", sha256="c" * 64, slot="sdist acme-tool 1")
    with pytest.raises(AlreadyPublished):
        await held.store.publish(twin, None, CLAIM, [entry()])
    await held.store.delete("main", "acme-tool", [file.file.filename], DELETION, [])
    with pytest.raises(AlreadyPublished):
        await held.store.publish(twin, None, CLAIM, [entry()])
    kept = await held.store.slot("main", "sdist acme-tool 1")
    assert kept == replace(file, deletion=DELETION)
    assert await held.audited() == []


async def test_indexes_do_not_share_slots(held):
    await held.store.publish(published(), None, CLAIM, [])
    other = published(index="other", sha256="d" * 64)
    await held.store.publish(other, None, replace(CLAIM, index="other"), [])
    assert (await held.store.project("other", "acme-tool")).files == (other,)
    assert (await held.store.project("main", "acme-tool")).files == (published(),)


async def test_of_two_at_once_one_wins_and_nothing_of_the_other_remains(held):
    async def publish(store, sha256):
        await store.publish(published(sha256=sha256), None, CLAIM, [entry(sha256=sha256)])

    results = await asyncio.gather(
        *(publish(store, sha256) for store, sha256 in [(held.store, "a" * 64), (held.other, "b" * 64)]),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["AlreadyPublished", "NoneType"]
    (kept,) = (await held.store.project("main", "acme-tool")).files
    (audited,) = await held.log.search(AuditQuery())
    assert audited.entry.sha256 == kept.file.sha256


@pytest.mark.parametrize("deleted_before", [False, True])
async def test_what_is_not_published_cannot_be_changed(held, deleted_before):
    filename = "acme_tool-2.0-py3-none-any.whl"
    await held.store.publish(published(), None, CLAIM, [])
    if deleted_before:
        await held.store.publish(published(filename), None, CLAIM, [])
        await held.store.delete("main", "acme-tool", [filename], DELETION, [])
    both = [published().file.filename, filename]
    with pytest.raises(NotFound):
        await held.store.yank("main", "acme-tool", dict.fromkeys(both, "no"), [entry(Action.FILE_YANKED)])
    with pytest.raises(NotFound):
        await held.store.delete("main", "acme-tool", both, DELETION, [entry(Action.FILE_DELETED)])
    first = (await held.store.project("main", "acme-tool")).files[0]
    assert first == published()
    assert await held.audited() == []


async def test_no_statement_gives_a_name_to_other_bytes(held):
    await held.store.publish(published(), None, CLAIM, [])
    for statement in ("UPDATE published_file SET sha256 = 'x'", "DELETE FROM published_file"):
        with pytest.raises(StoreError):
            await held.ledger.write(lambda database, sql=statement: database.execute(sql))


async def test_the_files_of_a_store_that_is_damaged_are_not_made_up(held, tmp_path):
    await held.store.publish(published(), None, CLAIM, [])
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        raw.execute("UPDATE published_file SET uploaded_at = 'yesterday'")
    raw.close()
    with pytest.raises(StoreError, match="damaged"):
        await held.store.project("main", "acme-tool")


def test_names_are_unknown_outside_unless_an_upstream_had_them():
    from pinfold.domain.published import ClaimedProject, Claims

    fork = replace(CLAIM, project="fork", namesakes=("pypi",))
    claims = Claims(2, {("main", "acme-tool"): ClaimedProject(CLAIM, 1), ("main", "fork"): ClaimedProject(fork, 2)})
    assert claims.unknown_outside == {"acme-tool"}
    assert claims.by_index == {"main": {"acme-tool", "fork"}}
