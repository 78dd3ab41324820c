import asyncio
import sqlite3
import stat
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlite_utils
from sqlite_utils import Migrations

from pinfold.adapters.sqlite import database as database_module
from pinfold.adapters.sqlite.database import Database
from pinfold.domain.errors import StoreError

notes = Migrations("notes")


@notes()
def first(database: sqlite_utils.Database) -> None:
    database.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT")


later = Migrations("notes")
later()(first)


@later()
def second(database: sqlite_utils.Database) -> None:
    database.execute("ALTER TABLE note ADD COLUMN author TEXT")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    database = await Database.open(path, notes, durable=True)
    yield database
    await database.close()


def note(text: str) -> Callable[[sqlite_utils.Database], int]:
    return lambda database: int(database.execute("INSERT INTO note (text) VALUES (?)", [text]).lastrowid or 0)


def texts(database: sqlite_utils.Database) -> list[str]:
    return [text for (text,) in database.execute("SELECT text FROM note ORDER BY id")]


def commits(database: Database) -> list[str]:
    """Return a list that grows with every commit of a database."""
    seen: list[str] = []
    database._main.conn.set_trace_callback(lambda sql: seen.append(sql) if sql == "COMMIT" else None)
    return seen


async def test_what_is_written_can_be_read(database: Database) -> None:
    assert await database.write(note("one")) == 1
    assert await database.read(texts) == ["one"]


async def test_the_file_is_for_its_owner_alone(database: Database, path: Path) -> None:
    await database.write(note("one"))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"notes.db": 0o600, "notes.db-wal": 0o600, "notes.db-shm": 0o600}


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
async def test_what_is_durable_is_on_the_disk_when_it_is_acknowledged(path: Path, durable: bool, level: int) -> None:
    database = await Database.open(path, notes, durable=durable)
    found = await database.write(lambda writer: writer.execute("PRAGMA synchronous").fetchone()[0])
    await database.close()
    assert found == level


async def test_changes_that_wait_share_one_commit(database: Database) -> None:
    seen = commits(database)
    numbers = await asyncio.gather(*(database.write(note(str(n))) for n in range(200)))
    assert numbers == list(range(1, 201))
    assert len(seen) < 50


async def test_what_is_written_in_passing_goes_with_the_next_change(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "PASSING_SECONDS", 60)
    seen = commits(database)
    passing = [asyncio.create_task(database.write(note(str(n)), in_passing=True)) for n in range(3)]
    await asyncio.sleep(0)
    await database.write(note("next"))
    assert await asyncio.gather(*passing) == [1, 2, 3]
    assert seen == ["COMMIT"]


async def test_what_is_written_in_passing_is_written_alone_where_nothing_else_is(database: Database) -> None:
    assert await database.write(note("alone"), in_passing=True) == 1
    assert await database.read(texts) == ["alone"]


async def test_what_is_left_behind_slow_changes_in_passing_needs_no_other_to_be_written(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "PASSING_SECONDS", 60)
    monkeypatch.setattr(database_module, "_GROUP_SECONDS", 0.01)

    def slow(writer: sqlite_utils.Database) -> int:
        time.sleep(0.02)
        return note("slow")(writer)

    passing = [asyncio.create_task(database.write(slow, in_passing=True)) for _ in range(2)]
    await asyncio.sleep(0)
    seen = commits(database)
    assert await asyncio.wait_for(database.write(note("next")), 10) == 3
    assert await asyncio.gather(*passing) == [1, 2]
    assert len(seen) == 3


async def test_closing_finishes_what_was_to_be_written_in_passing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "PASSING_SECONDS", 60)
    database = await Database.open(path, notes, durable=True)
    waiting, given_up = (asyncio.create_task(database.write(note(text), in_passing=True)) for text in "ab")
    await asyncio.sleep(0)
    given_up.cancel()
    await database.close()
    assert await waiting == 1
    again = await Database.open(path, notes, durable=True)
    assert await again.read(texts) == ["a", "b"]
    await again.close()


async def test_a_change_that_fails_leaves_the_others_of_its_group_alone(database: Database) -> None:
    def half(writer: sqlite_utils.Database) -> None:
        note("half")(writer)
        raise LookupError("on purpose")

    results = await asyncio.gather(
        database.write(note("before")), database.write(half), database.write(note("after")), return_exceptions=True
    )
    assert [type(result) for result in results] == [int, LookupError, int]
    assert await database.read(texts) == ["before", "after"]


async def test_a_change_that_ends_the_transaction_takes_the_group_with_it(database: Database) -> None:
    def end(writer: sqlite_utils.Database) -> None:
        writer.execute("INSERT OR ROLLBACK INTO note (id, text) VALUES (1, 'again')")

    await database.write(note("one"))
    results = await asyncio.gather(
        database.write(note("before")), database.write(end), database.write(note("after")), return_exceptions=True
    )
    acknowledged = [result for result in results if not isinstance(result, StoreError)]
    assert len(await database.read(texts)) == 1 + len(acknowledged)
    assert isinstance(results[1], StoreError)
    assert await database.write(note("later"))


async def test_a_reader_sees_one_moment(database: Database) -> None:
    await database.write(note("one"))
    entered, written = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def look_twice(reader: sqlite_utils.Database) -> tuple[list[str], list[str]]:
        before = texts(reader)
        loop.call_soon_threadsafe(entered.set)
        asyncio.run_coroutine_threadsafe(written.wait(), loop).result(5)
        return before, texts(reader)

    looking = asyncio.create_task(database.read(look_twice))
    await entered.wait()
    await database.write(note("two"))
    written.set()
    assert await looking == (["one"], ["one"])
    assert await database.read(texts) == ["one", "two"]


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StoreError, match="read-only"):
        await database.read(note("sneaked in"))
    assert await database.read(texts) == []


async def test_a_reader_that_fails_leaves_its_connection_usable(database: Database) -> None:
    def fail(reader: sqlite_utils.Database) -> None:
        raise LookupError("on purpose")

    for _ in range(2 * database_module.READERS):
        with pytest.raises(LookupError):
            await database.read(fail)
    assert await database.read(texts) == []


async def test_whoever_hangs_up_leaves_the_others_alone(database: Database) -> None:
    tasks = [asyncio.create_task(database.write(note(str(n)))) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, int) for result in results[1::2])
    assert set(map(str, range(1, 20, 2))) <= set(await database.read(texts))


async def test_the_event_loop_goes_on_while_the_file_is_locked(database: Database, path: Path) -> None:
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(database.write(note("one")))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        assert await database.read(texts) == []
        other.execute("COMMIT")
    other.close()
    assert await waiting == 1


async def test_a_file_that_stays_locked_fails_all_who_wait_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "LOCK_SECONDS", 0.2)
    database = await Database.open(path, notes, durable=True)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with asyncio.timeout(2):
        results = await asyncio.gather(*(database.write(note(str(n))) for n in range(50)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreError] * 50
    assert "locked" in str(results[0])
    other.execute("COMMIT")
    other.close()
    await database.write(note("afterwards"))
    assert await database.read(texts) == ["afterwards"]
    await database.close()


async def test_a_full_disk_is_an_error_and_leaves_the_file_whole(database: Database) -> None:
    await database.write(note("before"))
    await database.write(lambda writer: writer.execute("PRAGMA max_page_count = 10").fetchone())
    with pytest.raises(StoreError, match=r"notes\.db cannot grow: the disk is full"):
        await database.write(note("x" * 200_000))
    await database.write(note("small"))
    assert await database.read(texts) == ["before", "small"]
    assert await database.read(lambda reader: reader.execute("PRAGMA integrity_check").fetchall()) == [("ok",)]


async def test_text_that_is_not_unicode_is_an_error(database: Database) -> None:
    with pytest.raises(StoreError, match="Unicode"):
        await database.write(note("\udc80"))


async def test_closing_finishes_what_was_begun_and_refuses_what_comes_later(path: Path) -> None:
    database = await Database.open(path, notes, durable=True)
    tasks = [asyncio.create_task(database.write(note(str(n)))) for n in range(100)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*tasks)
    with pytest.raises(StoreError, match="takes no more work"):
        await database.write(note("late"))
    with pytest.raises(StoreError, match="takes no more work"):
        await database.read(texts)
    assert [file.name for file in path.parent.iterdir()] == ["notes.db"]
    again = await Database.open(path, notes, durable=True)
    assert await again.read(texts) == [str(n) for n in range(100)]
    await again.close()


async def test_sqlite_never_checkpoints_by_itself_beside_somebody_elses_commit(database: Database) -> None:
    # The WAL-reset bug of SQLite before 3.51.3 loses commits where a passive checkpoint meets another's commit.
    assert await database.write(lambda writer: writer.execute("PRAGMA wal_autocheckpoint").fetchone()) == (0,)


async def test_the_write_ahead_log_does_not_grow_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "CHECKPOINT_BYTES", 100_000)
    database = await Database.open(path, notes, durable=False)
    log, sizes = path.with_name("notes.db-wal"), []
    for _ in range(60):
        await database.write(note("x" * 5000))
        sizes.append(log.stat().st_size)
    assert 100_000 < max(sizes) < 150_000
    assert path.stat().st_size > 100_000
    await database.close()


async def test_a_reader_that_takes_its_time_does_not_keep_others_from_writing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "CHECKPOINT_BYTES", 20_000)
    monkeypatch.setattr(database_module, "_CHECKPOINT_LOCK_SECONDS", 0)
    database = await Database.open(path, notes, durable=False)
    slow = sqlite3.connect(path, isolation_level=None)
    slow.execute("BEGIN")
    assert slow.execute("SELECT count(*) FROM note").fetchone() == (0,)
    for _ in range(40):
        await database.write(note("x" * 5000))
    assert slow.execute("SELECT count(*) FROM note").fetchone() == (0,)
    slow.close()
    assert len(await database.read(texts)) == 40
    await database.close()


async def test_many_may_open_a_new_file_at_once(path: Path) -> None:
    databases = await asyncio.gather(*(Database.open(path, notes, durable=True) for _ in range(8)))
    await asyncio.gather(*(database.write(note("one")) for database in databases))
    assert await databases[0].read(texts) == ["one"] * 8
    for database in databases:
        await database.close()


async def test_a_new_file_that_another_process_is_about_to_write_is_waited_for(path: Path) -> None:
    """SQLite says at once that it is locked, and waits for nothing, since two who wait might wait for each other."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    opening = asyncio.create_task(Database.open(path, notes, durable=False))
    await asyncio.sleep(0.1)
    assert not opening.done()
    other.execute("ROLLBACK")
    other.close()
    await (await opening).close()


async def test_an_older_file_is_brought_up_to_date(path: Path) -> None:
    old = await Database.open(path, notes, durable=True)
    await old.write(note("one"))
    await old.close()
    new = await Database.open(path, later, durable=True)
    assert await new.read(lambda reader: list(reader.query("SELECT * FROM note"))) == [
        {"id": 1, "text": "one", "author": None}
    ]
    await new.close()


async def test_a_step_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    await (await Database.open(path, notes, durable=True)).close()
    broken = Migrations("notes")
    broken()(first)

    @broken()
    def third(database: sqlite_utils.Database) -> None:
        database.execute("ALTER TABLE note ADD COLUMN lost TEXT")
        database.execute("ALTER TABLE nowhere ADD COLUMN lost TEXT")

    with pytest.raises(StoreError, match="nowhere"):
        await Database.open(path, broken, durable=True)
    again = await Database.open(path, notes, durable=True)
    assert await again.read(lambda reader: list(reader.table("note").columns_dict)) == ["id", "text"]
    await again.close()


async def test_a_file_of_a_later_version_is_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "__version__", "9.0")
    await (await Database.open(path, later, durable=True)).close()
    before = path.read_bytes()
    monkeypatch.undo()
    with pytest.raises(StoreError, match=r"notes\.db was written by Pinfold 9\.0, .* run that version, or restore"):
        await Database.open(path, notes, durable=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"this is no database, but long enough to be one\n" * 100, b"\xff" * 8192])
async def test_a_file_that_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"notes\.db is damaged: .* restore it from a backup, or move it away"):
        await Database.open(path, notes, durable=True)
    assert path.read_bytes() == content


async def test_a_damaged_page_is_an_error_and_not_an_answer(path: Path) -> None:
    database = await Database.open(path, notes, durable=True)
    await asyncio.gather(*(database.write(note(f"{n} {'x' * 200}")) for n in range(200)))
    (page,) = await database.read(
        lambda reader: reader.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'note'").fetchone()
    )
    await database.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)
    damaged = await Database.open(path, notes, durable=True)
    with pytest.raises(StoreError, match="is damaged"):
        await damaged.read(texts)
    with pytest.raises(StoreError, match="is damaged"):
        await damaged.write(note("one"))
    await damaged.close()


async def test_a_directory_in_the_way_is_an_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match=r"notes\.db"):
        await Database.open(path, notes, durable=True)


async def test_a_path_below_a_file_is_an_error(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises(StoreError, match=r"below\.db"):
        await Database.open(path / "below.db", notes, durable=True)
