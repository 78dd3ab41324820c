"""An export of OSV records on loopback: a zip, a list of changes and single records, as OSV's bucket has them."""

import asyncio
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from aiohttp import web

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)


def a_record(record_id: str = "MAL-2026-2144", project: str = "litellm", **changes: Any) -> dict[str, Any]:
    """A record of the usual shape: malware in the versions given, or in 1.82.8."""
    affected = {"package": {"ecosystem": "PyPI", "name": project}, "versions": changes.pop("versions", ["1.82.8"])}
    affected |= {key: changes.pop(key) for key in ("ranges", "database_specific_of_affected") if key in changes}
    if "database_specific_of_affected" in affected:
        affected["database_specific"] = affected.pop("database_specific_of_affected")
    return {
        "schema_version": "1.7.4",
        "id": record_id,
        "modified": stamp(EPOCH),
        "summary": f"Malicious code in {project} (PyPI)",
        "affected": [affected],
        **changes,
    }


def hashed(*digests: str) -> dict[str, Any]:
    """What names files by hash, for `database_specific_of_affected`."""
    return {"indicators": {"package_integrity": [{"hashes": {"sha256": digest}} for digest in digests]}}


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def zipped(records: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class FakeOsv:
    """For `async with`; what is changed here holds for the next request. `faults` answer in place of a path."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.faults: dict[str, Callable[[web.Request], web.Response]] = {}
        self.requests: list[tuple[str, int]] = []
        """Paths with the status that was answered."""
        self.has_changes = True
        self._zip: tuple[str, bytes] = ("", b"")
        self._now = EPOCH
        self._lock = threading.RLock()
        self._runner: web.AppRunner | None = None
        self.url = ""

    def put(self, record: dict[str, Any]) -> None:
        """Publish a record, new or changed, as of now."""
        with self._lock:
            self._now += timedelta(minutes=1)
            self.records[record["id"]] = {**record, "modified": stamp(self._now)}

    def withdraw(self, record_id: str) -> None:
        self.put({**self.records[record_id], "withdrawn": stamp(self._now)})

    def paths(self) -> list[str]:
        return [path.rpartition("/")[2] for path, _ in self.requests]

    @property
    def source(self) -> str:
        return f"{self.url}/PyPI/all.zip"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/PyPI/{name}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        with self._lock:
            name = request.match_info["name"]
            response = self.faults[name](request) if name in self.faults else self._reply(name)
            etag = response.headers.get("ETag")
            if etag is not None and request.headers.get("If-None-Match") == etag:
                response = web.Response(status=304, headers={"ETag": etag})
            self.requests.append((request.path, response.status))
            return response

    def _reply(self, name: str) -> web.Response:
        if name == "all.zip":
            return self._sent(self._whole())
        if name == "modified_id.csv" and self.has_changes:
            newest_first = sorted(self.records.values(), key=lambda record: record["modified"], reverse=True)
            return self._sent("".join(f"{one['modified']},{one['id']}\n" for one in newest_first).encode())
        record = self.records.get(name.removesuffix(".json"))
        return web.Response(status=404) if record is None else self._sent(json.dumps(record).encode())

    def _whole(self) -> bytes:
        contents = {f"{one}.json": json.dumps(record).encode() for one, record in self.records.items()}
        key = hashlib.sha256(repr(contents).encode()).hexdigest()
        if self._zip[0] != key:
            self._zip = (key, zipped(contents))
        return self._zip[1]

    def _sent(self, body: bytes) -> web.Response:
        return web.Response(body=body, headers={"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'})


@contextmanager
def running_osv() -> Iterator[FakeOsv]:
    """Run an export beside a test that blocks."""
    osv, loop = FakeOsv(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake-osv", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(osv.__aenter__(), loop).result(10)
        try:
            yield osv
        finally:
            asyncio.run_coroutine_threadsafe(osv.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
