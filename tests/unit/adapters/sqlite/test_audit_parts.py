import asyncio
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlite_utils
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.adapters.sqlite.ledgers import NOON, VERDICTS, entry, intruding, keys_of, ledger_of, log_entries

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.audit.canonical import Mark, canonical_bytes, kept_text
from pinfold.domain.audit_entry import Actor, Entry
from pinfold.domain.errors import StoreError

MARKS = [mark.decode() for mark in (Mark.ACTOR, Mark.EVIDENCE_DIGEST, Mark.TIME, Mark.VERDICTS)]
TEXT = st.text(max_size=60) | st.sampled_from([*MARKS, "\0", "\ud800", "é", '"verdicts":[]', "[]", str(list(VERDICTS))])
JSON = st.recursive(
    TEXT | st.integers() | st.booleans(), lambda inner: st.dictionaries(TEXT, inner, max_size=3), max_leaves=5
)

TABLES = ("audit_client", "audit_template", "audit_verdicts")
SHARED = f"SELECT {', '.join(f'(SELECT count(*) FROM {table})' for table in TABLES)}"


def stored(entries: list[Entry]) -> tuple[list[bytes], tuple[int, ...]]:
    """Return what is read of entries, and how many clients, templates and sets of verdicts they share."""
    with sqlite_utils.Database(sqlite3.connect(":memory:", isolation_level=None)) as database:
        schema.ledger.apply(database)
        for one in entries:
            append_entry(database, one)
        read = [body for (body,) in database.execute("SELECT body FROM audit_entry ORDER BY seq")]
        return read, database.execute(SHARED).fetchone()


def test_what_recurs_is_stored_once() -> None:
    entries = [replace(entry(number % 20), time=NOON + timedelta(seconds=number)) for number in range(50)]
    read, shared = stored(entries)
    assert read == [canonical_bytes(seq, one) for seq, one in enumerate(entries, 1)]
    assert shared == (1, 20, 1)


def test_an_entry_without_verdicts_shares_its_client_and_its_template_alone() -> None:
    bare = replace(entry(1), verdicts=())
    assert stored([bare]) == ([canonical_bytes(1, bare)], (1, 1, 0))


@settings(max_examples=100)
@given(st.data())
def test_entries_that_differ_in_anything_but_time_client_and_evidence_have_templates_of_their_own(
    data: st.DataObject,
) -> None:
    name = data.draw(st.sampled_from(["index", "project", "filename", "sha256", "decision", "rule", "reference"]))
    texts = data.draw(st.lists(st.none() | TEXT.map(kept_text), unique=True, max_size=4))
    entries = [replace(entry(1), **{name: text}) for text in texts]
    read, shared = stored(entries)
    assert read == [canonical_bytes(seq, one) for seq, one in enumerate(entries, 1)]
    assert shared[1] == len(texts)


def test_a_client_that_calls_itself_what_stands_around_clients_is_read_as_it_was() -> None:
    imitating = replace(entry(1), actor=Actor("alice", "192.0.2.1", user_agent='"actor":{"name":"ci"}'))
    read, _ = stored([entry(1), imitating])
    assert read[1] == canonical_bytes(2, imitating)


@settings(max_examples=100)
@given(st.lists(st.dictionaries(TEXT, TEXT, max_size=3), max_size=3), st.dictionaries(TEXT, JSON, max_size=3), TEXT)
def test_what_is_read_is_canonical_whatever_strangers_send(
    verdicts: list[dict[str, str]], details: dict[str, object], name: str
) -> None:
    one = replace(entry(1), verdicts=tuple(verdicts), details=details, filename=name)
    read, _ = stored([one, one])
    assert read == [canonical_bytes(1, one), canonical_bytes(2, one)]


def test_what_recurs_is_shared_between_processes(tmp_path: Path) -> None:
    async def append() -> tuple[int, ...]:
        for number in range(3):
            ledger, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
            await ledger.write(lambda database, number=number: append_entry(database, entry(number % 2)))
            await ledger.close()
        with sqlite3.connect(ledger_of(tmp_path)) as connection:
            shared = connection.execute(SHARED).fetchone()
        connection.close()
        return tuple(shared)

    assert asyncio.run(append()) == (1, 2, 1)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_template SET text = CAST(replace(text, 'six', 'nix') AS BLOB)",
        "UPDATE audit_template SET verdicts = NULL",
        "UPDATE audit_verdicts SET text = CAST(replace(text, 'pass', 'fail') AS BLOB)",
        "UPDATE audit_client SET text = CAST(replace(text, 'ci', 'me') AS BLOB)",
    ],
)
def test_no_entry_rests_on_what_does_not_fit_its_digest(tmp_path: Path, sql: str) -> None:
    log_entries(tmp_path, 1)
    with intruding(tmp_path) as intruder:
        intruder.execute(sql)
    with pytest.raises(StoreError, match="does not fit its digest, and takes no entry with it"):
        log_entries(tmp_path, 1)
