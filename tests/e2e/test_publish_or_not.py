"""Kill -9 and a full disk in the middle of uploads: what was published is whole, and what was not is not there."""

import asyncio
import hashlib
import http.client
import json
import multiprocessing
import os
import random
import resource
import signal
import threading
import time
from contextlib import closing, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from tests.e2e.in_process import in_process
from tests.e2e.publisher import Publisher
from tests.fakes.uploads import CONTENT_TYPE, body_of, fields_of
from tests.fakes.upstream import build_wheel

from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.ports.audit_log import AuditQuery

# Processes that begin with everything imported, so that many of them can be killed in little time.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.e2e.in_process", "tests.e2e.publisher"])
JSON = "application/vnd.pypi.simple.v1+json"
OVERRIDES = {"feeds.osv.source": "", "indexes.main.private": "acme-*"}
ROUNDS = 21
AT_ONCE = 3


def serve(data: Path, name: str, ready: Connection) -> None:
    """Serve until killed; say where, and with which token."""

    async def run() -> None:
        async with in_process(data, OVERRIDES) as pinfold:
            publisher = await Publisher.of(pinfold, name)
            ready.send((pinfold.port, publisher.token))
            await asyncio.Event().wait()

    asyncio.run(run())


class Serving:
    """A process that serves, and uploads to it."""

    def __init__(self, pid: int, port: int, token: str) -> None:
        self.pid = pid
        self.port = port
        self.token = token

    def upload(self, filename: str, content: bytes) -> int | None:
        """Return the answer's status; None where there is none any more."""
        headers = {"Content-Type": CONTENT_TYPE, "Authorization": f"Bearer {self.token}"}
        body = body_of(fields_of(filename, content), filename, content)
        with suppress(OSError, http.client.HTTPException):
            return self._ask("POST", "/legacy/", body, headers)[0]
        return None

    def get(self, path: str) -> tuple[int, bytes]:
        return self._ask("GET", path, None, {"Accept": JSON})

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, headers)
            with connection.getresponse() as response:
                return response.status, response.read()

    def listed(self, project: str) -> dict[str, str]:
        """Return the hashes of a project's files by name, each seen to be of the bytes that are served."""
        status, body = self.get(f"/simple/{project}/")
        if status == 404:
            return {}
        found = {}
        for file in json.loads(body)["files"]:
            status, content = self.get(file["url"].removeprefix("../.."))
            assert status == 200, content
            assert hashlib.sha256(content).hexdigest() == file["hashes"]["sha256"]
            status, metadata = self.get(file["url"].removeprefix("../..") + ".metadata")
            assert hashlib.sha256(metadata).hexdigest() == file["core-metadata"]["sha256"]
            found[file["filename"]] = file["hashes"]["sha256"]
        return found


@contextmanager
def serving(data: Path, name: str):
    ours, theirs = _FORKS.Pipe()
    process = _FORKS.Process(target=serve, args=(data, name, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        assert ours.poll(30), "the server did not come up"
        yield Serving(process.pid, *ours.recv())
    finally:
        process.kill()
        process.join()
        ours.close()


def distribution(number: int) -> tuple[str, bytes]:
    noise = {"acme_tool/noise.py": f"noise = {random.Random(number).randbytes(300_000)!r}\n".encode()}
    return f"acme_tool-{number}.0-py3-none-any.whl", build_wheel("acme-tool", f"{number}.0", files=noise)


def published(data: Path) -> set[tuple[str, str]]:
    """Return what the audit log says was published, and see that nothing is left on its way in."""

    async def look() -> set[tuple[str, str]]:
        async with in_process(data, OVERRIDES) as pinfold:
            assert list(pinfold.installation.data.incoming.iterdir()) == []
            entries = await pinfold.installation.audit_log.search(AuditQuery(action="file.published", limit=1000))
            return {(one.entry.filename, one.entry.sha256) for one in entries}

    return asyncio.run(look())


def test_kill_9_at_any_moment_leaves_uploads_whole_or_not_at_all(tmp_path):
    data = tmp_path / "data"
    with serving(data, "warm-up") as server:
        began = time.monotonic()
        assert server.upload(*distribution(1000)) == 200
        duration = time.monotonic() - began
    statuses: dict[str, int | None] = {}
    for number in range(ROUNDS):
        files = [distribution(number * AT_ONCE + one) for one in range(AT_ONCE)]
        with serving(data, f"round-{number}") as server:

            def upload(file, server=server):
                statuses[file[0]] = server.upload(*file)

            threads = [threading.Thread(target=upload, args=(file,)) for file in files]
            for thread in threads:
                thread.start()
            time.sleep(duration * 1.4 * number / ROUNDS + random.random() * 0.02)
            os.kill(server.pid, signal.SIGKILL)
            for thread in threads:
                thread.join()
    wanted = {name: hashlib.sha256(content).hexdigest() for name, content in map(distribution, range(ROUNDS * AT_ONCE))}
    with serving(data, "survivor") as server:
        listed = server.listed("acme-tool")
        del listed[distribution(1000)[0]]
        assert listed.items() <= wanted.items()
        assert {name for name, status in statuses.items() if status == 200} <= listed.keys()
        assert 0 < len(listed) < len(wanted), "no upload was interrupted, or all of them were"
        for missing in sorted(wanted.keys() - listed.keys())[:3]:
            number = int(missing.split("-")[1].partition(".")[0])
            assert server.upload(*distribution(number)) == 200
            listed[missing] = wanted[missing]
    told = {name: sha256 for name, sha256 in published(data) if name != distribution(1000)[0]}
    assert told == listed


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A server whose files can be kept from growing."""
    data = tmp_path_factory.mktemp("room") / "data"
    with serving(data, "room") as server:
        yield server, DataDirectory(data)


@contextmanager
def files_end_at(pid: int, size: int):
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def test_without_room_for_the_file_nothing_of_it_remains(room):
    server, data = room
    filename, content = distribution(1)
    with files_end_at(server.pid, 100_000):
        assert server.upload(filename, content) == 503
        assert list(data.incoming.iterdir()) == []
        assert filename not in server.listed("acme-tool")
    assert server.upload(filename, content) == 200
    assert server.listed("acme-tool")[filename] == hashlib.sha256(content).hexdigest()


def test_without_room_for_the_record_nothing_is_visible(room):
    server, data = room
    filename, content = "acme_tool-2.0-py3-none-any.whl", build_wheel("acme-tool", "2.0")
    log = data.ledger.with_name("ledger.db-wal")
    with files_end_at(server.pid, log.stat().st_size):
        assert server.upload(filename, content) == 503
        assert list(data.incoming.iterdir()) == []
    assert filename not in server.listed("acme-tool")
    assert server.upload(filename, content) == 200
    assert server.listed("acme-tool")[filename] == hashlib.sha256(content).hexdigest()
