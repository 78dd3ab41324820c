"""What the fake index sends: honest replies, and what faults make of them."""

import asyncio
import gzip
import re
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from aiohttp import web
from tests.fakes.upstream.manners import Fault

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True)
class Reply:
    """A whole answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def compressed(reply: Reply) -> Reply:
    """Return a reply in gzip."""
    return replace(
        reply, headers={**reply.headers, "Content-Encoding": "gzip"}, body=gzip.compress(reply.body, 1, mtime=0)
    )


def ranged(reply: Reply, asked: str | None) -> Reply:
    """Return the part of a reply that a `Range` header asks for; all of it where it asks for none."""
    match = _RANGE.fullmatch(asked or "")
    if match is None or match.groups() == ("", ""):
        return reply
    size = len(reply.body)
    first, last = match.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        return Reply(416, {"Content-Range": f"bytes */{size}"})
    headers = {**reply.headers, "Content-Range": f"bytes {start}-{end}/{size}"}
    return Reply(206, headers, reply.body[start : end + 1])


def distorted(reply: Reply, fault: Fault) -> Reply:
    """Return what a fault makes of a reply's status, headers and body."""
    if fault.redirect_to is not None:
        return Reply(fault.status or 302, {"Location": fault.redirect_to, **fault.headers}, fault.content or b"")
    headers = dict(reply.headers)
    if fault.content is not None:
        headers.pop("Content-Encoding", None)
    headers.update(fault.headers)
    return Reply(
        fault.status or reply.status,
        {name: value for name, value in headers.items() if value},
        reply.body if fault.content is None else fault.content,
    )


def send(reply: Reply) -> web.StreamResponse:
    """Send a reply as a server should."""
    return web.Response(status=reply.status, headers=reply.headers, body=reply.body)


async def missend(request: web.Request, reply: Reply, fault: Fault) -> web.StreamResponse:
    """Send a reply byte by byte, as a fault has it, and end the connection."""
    transport = request.transport
    assert transport is not None
    if fault.reset:
        transport.abort()
        return web.Response()
    if fault.raw is not None:
        transport.write(fault.raw)
    else:
        await _write(transport, _head(reply, fault), 1 if fault.drip_headers else None, fault.drip_headers or 0)
        body = reply.body if fault.truncate_at is None else reply.body[: fault.truncate_at]
        size, pause = fault.drip or (None, 0)
        await _write(transport, b"" if request.method == "HEAD" else body, size, pause)
    transport.close()
    return web.Response()


def _head(reply: Reply, fault: Fault) -> bytes:
    headers = {**reply.headers, "Connection": "close"}
    if not fault.unframed:
        headers.setdefault("Content-Length", str(len(reply.body)))
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", *map(": ".join, headers.items()), "", ""]
    return "\r\n".join(lines).encode()


async def _write(transport: asyncio.WriteTransport, content: bytes, size: int | None, pause: float) -> None:
    for start in range(0, len(content), size or max(len(content), 1)):
        if transport.is_closing():
            return
        transport.write(content[start : start + (size or len(content))])
        await asyncio.sleep(pause)
