"""A front that speaks TLS for a server that does not, as nginx does in a deployment."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.fakes.proxy import pump
from tests.fakes.relay import relay
from tests.fakes.upstream.certificates import local_certificate


class Front(NamedTuple):
    """Where it listens, and the file that clients trust it by."""

    url: str
    ca_file: Path


@contextmanager
def tls_front(port: int, folder: Path) -> Iterator[Front]:
    """Stand before a port of 127.0.0.1."""
    folder.mkdir(parents=True, exist_ok=True)
    context, ca_file = local_certificate(folder)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        near_reader, near_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, near_writer), pump(near_reader, writer))

    with relay(forward, ssl=context) as front:
        yield Front(f"https://127.0.0.1:{front}", ca_file)
