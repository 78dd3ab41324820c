"""Pinfold inside the test's own event loop: everything real but the process, for tests that need raw requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from pinfold.bootstrap import Installation, open_installation
from pinfold.domain.audit_entry import Entry
from pinfold.ports.audit_log import AuditQuery
from pinfold.settings import load_settings
from pinfold.web.app import build_app


@dataclass
class Answer:
    """A response as it came over the wire."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes
    raw: bytes = field(repr=False)


@dataclass
class InProcess:
    """A running Pinfold and a client that sends a request line as it is written, however odd."""

    installation: Installation
    app: web.Application
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return await self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def audited(self, action: str | None = None) -> list[Entry]:
        """Return the audit log's entries, or those of one action, oldest first."""
        query = AuditQuery(action=action, newest_first=False, limit=1000)
        return [recorded.entry for recorded in await self.installation.audit_log.search(query)]

    async def send(self, request: bytes) -> Answer:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(20):
                raw = await reader.read()
        finally:
            writer.close()
        head, _, body = raw.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        _, status, reason = (first + "  ").split(" ", 2)
        headers = dict(line.split(": ", 1) for line in rest if ": " in line)
        if headers.get("Transfer-Encoding") == "chunked":
            body = _joined(body)
        return Answer(int(status or 0), reason.strip(), headers, body, raw)


def _joined(body: bytes) -> bytes:
    """Return a chunked body's content."""
    parts = []
    while body:
        size, _, body = body.partition(b"\r\n")
        parts.append(body[: int(size, 16)])
        body = body[int(size, 16) + 2 :]
    return b"".join(parts)


@asynccontextmanager
async def in_process(data: Path, overrides: dict[str, Any]) -> AsyncIterator[InProcess]:
    settings = load_settings(None, {}, {"data": str(data), **overrides})
    async with open_installation(settings) as installation:
        app = build_app(installation.services())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield InProcess(installation, app, runner.addresses[0][1])
        finally:
            await runner.cleanup()
