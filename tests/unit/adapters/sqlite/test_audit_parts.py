import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import sqlite_utils
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.adapters.sqlite.ledgers import VERDICTS, entry, keys_of, ledger_of

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.audit.canonical import canonical_bytes
from pinfold.domain.audit_entry import Actor, Entry

TEXT = st.text(max_size=60) | st.sampled_from(["\0", "\ud800", "é", '"verdicts":[]', "[]", str(list(VERDICTS))])
JSON = st.recursive(
    TEXT | st.integers() | st.booleans(), lambda inner: st.dictionaries(TEXT, inner, max_size=3), max_leaves=5
)

TABLES = ("audit_client", "audit_file", "audit_verdicts")
SHARED = f"SELECT {', '.join(f'(SELECT count(*) FROM {table})' for table in TABLES)}"


def stored(entries: list[Entry]) -> tuple[list[bytes], list[bytes], tuple[int, ...]]:
    """Return what is read of entries, what is kept of them, and how many clients, files and verdicts they share."""
    with sqlite_utils.Database(sqlite3.connect(":memory:", isolation_level=None)) as database:
        schema.ledger.apply(database)
        for one in entries:
            append_entry(database, one)
        read = [body for (body,) in database.execute("SELECT body FROM audit_entry ORDER BY seq")]
        kept = [body for (body,) in database.execute("SELECT body FROM audit ORDER BY seq")]
        shared = database.execute(SHARED).fetchone()
        return read, kept, shared


def test_clients_files_and_sets_of_verdicts_that_recur_are_stored_once() -> None:
    entries = [replace(entry(number % 20), index=f"index-{number}") for number in range(50)]
    read, kept, shared = stored(entries)
    assert read == [canonical_bytes(seq, one) for seq, one in enumerate(entries, 1)]
    assert shared == (1, 20, 1)
    assert all(b"minimum-age" not in body and b'"ci"' not in body for body in kept)


def test_an_entry_without_verdicts_shares_its_client_and_its_file_alone() -> None:
    bare = replace(entry(1), verdicts=())
    read, _, shared = stored([bare])
    assert (read, shared) == ([canonical_bytes(1, bare)], (1, 1, 0))


def test_a_client_that_calls_itself_what_stands_around_clients_is_read_as_it_was() -> None:
    imitating = replace(entry(1), actor=Actor("alice", "192.0.2.1", user_agent='"actor":{"name":"ci"}'))
    read, _, _ = stored([entry(1), imitating])
    assert read[1] == canonical_bytes(2, imitating)


@settings(max_examples=100)
@given(st.lists(st.dictionaries(TEXT, TEXT, max_size=3), max_size=3), st.dictionaries(TEXT, JSON, max_size=3), TEXT)
def test_what_is_read_is_canonical_whatever_strangers_send(
    verdicts: list[dict[str, str]], details: dict[str, object], name: str
) -> None:
    one = replace(entry(1), verdicts=tuple(verdicts), details=details, filename=name)
    read, _, _ = stored([one, one])
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
