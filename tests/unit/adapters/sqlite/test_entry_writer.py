"""Journals of entries as they are written: how many, and with what in them."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.fakes.evidence import evidence_of
from tests.unit.adapters.sqlite.ledgers import abandon, entry, journals, ledger_of, log_entries, verified

from pinfold.adapters.filesystem import journal as journal_module
from pinfold.adapters.filesystem.journal import found
from pinfold.adapters.sqlite.audit_append import Draft
from pinfold.adapters.sqlite.entry_writer import EntryWriter
from pinfold.audit.findings import Verification
from pinfold.domain.errors import StoreError

EVIDENCE = evidence_of()


class Written:
    """How often entries became durable."""

    times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
async def writer(tmp_path: Path, written: Written) -> AsyncIterator[EntryWriter]:
    writer = EntryWriter(ledger_of(tmp_path), written)
    yield writer
    await writer.close()


def draft(number: int) -> Draft:
    return Draft.of(entry(number), with_evidence=True)


async def write(writer: EntryWriter, numbers: Sequence[int]) -> None:
    async with asyncio.timeout(10):
        await asyncio.gather(*(writer.write(draft(number), EVIDENCE) for number in numbers))


def told(root: Path) -> list[list[tuple[bool, bool]]]:
    """Return of each journal and each of its records whether it names evidence, and whether it tells it."""
    name, content = EVIDENCE.digest().encode(), EVIDENCE.canonical()
    return [
        [(name in record, content in record) for record, _ in journal.records()] for journal in found(root / "journal")
    ]


def content(root: Path) -> bytes:
    return b"".join(record for journal in found(root / "journal") for record, _ in journal.records())


async def test_what_comes_at_once_and_while_others_are_written_shares_a_write(
    writer: EntryWriter, written: Written, tmp_path: Path
) -> None:
    first = [writer.write(draft(number), EVIDENCE) for number in range(10)]
    first[0].add_done_callback(lambda _: [writer.write(draft(number), EVIDENCE) for number in range(10, 20)])
    await asyncio.gather(*first)
    await writer.close()
    assert written.times == 2
    assert told(tmp_path) == [[(True, True), *[(True, False)] * 19]]
    (journal,) = journals(tmp_path)
    assert writer.durable is not None
    assert writer.recorded.entries == 20
    assert (writer.durable.journal.path, writer.durable.end) == (journal, writer.recorded.size)


async def test_entries_that_keep_coming_are_each_written_once_and_in_order(
    writer: EntryWriter, written: Written, tmp_path: Path
) -> None:
    async def go_on(first: int) -> None:
        for number in range(first, 400, 8):
            await write(writer, [number])

    await asyncio.gather(*(go_on(first) for first in range(8)))
    await writer.close()
    assert written.times >= 50
    versions = [int(version) for version in re.findall(rb'"1\.(\d+)"', content(tmp_path))]
    assert sorted(versions) == list(range(400))
    assert all([n for n in versions if n % 8 == first] == list(range(first, 400, 8)) for first in range(8))


async def test_a_full_journal_is_followed_by_another_that_tells_evidence_anew(
    writer: EntryWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "PREPARED", 4096)
    for number in range(20):
        await write(writer, [number])
    assert len(journals(tmp_path)) > 2
    for records in told(tmp_path):
        assert records == [(True, True), *[(True, False)] * (len(records) - 1)]
    # All but the one that is being written are left to whoever takes them up.
    assert [journal.is_left_behind for journal in found(tmp_path / "journal")].count(False) == 1
    await writer.close()
    await asyncio.to_thread(log_entries, tmp_path)
    assert verified(tmp_path) == Verification(1, 20, 20)


async def test_after_a_write_that_failed_another_journal_tells_evidence_anew(
    writer: EntryWriter, written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(writer, [1])
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda file, data, place: len(data) // 2)
        with pytest.raises(StoreError, match="the disk is full"):
            await write(writer, [2])
    assert written.times == 1
    await write(writer, [3, 4])
    assert sorted(told(tmp_path)) == [[(True, True)], [(True, True), (True, False)]]


async def test_after_what_cannot_be_encoded_another_journal_tells_evidence_anew(
    writer: EntryWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(writer, [1])
    wrong = draft(2)._replace(time="\ud800")
    async with asyncio.timeout(10):
        with pytest.raises(UnicodeEncodeError):
            await writer.write(wrong, None)
    # What a journal was to tell of evidence may not be in it.
    await write(writer, [3])
    assert sorted(told(tmp_path)) == [[(True, True)], [(True, True)]]


async def test_a_folder_that_is_in_the_way_fails_whoever_waits(writer: EntryWriter, tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"")
    waiting = [writer.write(draft(number), None) for number in range(3)]
    async with asyncio.timeout(10):
        errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(error) for error in errors} == {StoreError}
    (tmp_path / "journal").unlink()
    await write(writer, [4])
    assert told(tmp_path) == [[(True, True)]]


async def test_an_entry_is_written_though_nobody_waits_for_it(writer: EntryWriter, tmp_path: Path) -> None:
    for number in range(3):
        writer.write(draft(number), EVIDENCE).cancel()
    await writer.close()
    assert told(tmp_path) == [[(True, True), (True, False), (True, False)]]


def test_a_writer_that_is_abandoned_leaves_its_journal_behind(tmp_path: Path) -> None:
    abandon(tmp_path, entry(1))
    assert [journal.is_left_behind for journal in found(tmp_path / "journal")] == [True]
