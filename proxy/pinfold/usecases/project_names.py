"""The list of all projects of an index: tens of megabytes for PyPI, so it is kept once, compressed."""

import asyncio
import hashlib
import logging
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from pinfold.domain.errors import UpstreamError
from pinfold.index.negotiate import Encoding, Representation
from pinfold.index.render import render_names_html, render_names_json
from pinfold.ports.clock import Clock
from pinfold.ports.published import PublishedStore
from pinfold.usecases.beside_the_loop import beside_the_loop
from pinfold.usecases.compress import compress
from pinfold.usecases.indexes import Index
from pinfold.usecases.single_flight import SingleFlight

log = logging.getLogger(__name__)

FRESHNESS = timedelta(hours=1)
RETRY_AFTER = timedelta(minutes=1)
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class NamesPage:
    """The list in one representation."""

    gzipped: bytes
    etag: str

    async def plain(self) -> AsyncIterator[bytes]:
        """Yield the list uncompressed, a piece at a time, for the clients that cannot unpack it."""
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        rest = self.gzipped
        while rest or not unpacker.eof:
            piece = await asyncio.to_thread(unpacker.decompress, rest, _CHUNK)
            rest = unpacker.unconsumed_tail
            if not piece and not rest:
                return
            yield piece


@dataclass(frozen=True, slots=True)
class _Kept:
    pages: dict[Representation, NamesPage]
    until: datetime
    claimed: frozenset[str]
    """The names that were published under on the index, or on those that it shows, when the list was made."""


class ProjectNames:
    """Lists the projects that an index's upstreams have; names of this organisation only from its own upstreams."""

    def __init__(self, published: PublishedStore, clock: Clock) -> None:
        self._published = published
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._flights: SingleFlight[str, _Kept] = SingleFlight()

    async def get(self, index: Index, representation: Representation) -> NamesPage:
        """Return the list; raises UpstreamError where an upstream fails and no earlier list is at hand."""
        kept = self._kept.get(index.name)
        claimed = await _claimed(index)
        if kept is None or self._clock.now() >= kept.until or claimed != kept.claimed:
            try:
                kept = await self._flights.run(index.name, lambda: self._refresh(index, claimed))
            except UpstreamError as error:
                if kept is None:
                    raise
                log.warning("serving an old list of projects: %s", error)
                kept = _Kept(kept.pages, self._clock.now() + RETRY_AFTER, claimed)
            self._kept[index.name] = kept
        return kept.pages.get(representation) or kept.pages[Representation.HTML]

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    async def _refresh(self, index: Index, claimed: frozenset[str]) -> _Kept:
        names = set(claimed)
        ours = (await self._published.current()).unknown_outside
        for source in index.sources:
            if not source.first_hand:
                offered = await source.upstream.project_names()
                names.update(name for name in offered if source.private or not (name in ours or index.reserves(name)))
        pages = await beside_the_loop(partial(_render, sorted(names)))
        return _Kept(pages, self._clock.now() + FRESHNESS, claimed)


async def _claimed(index: Index) -> frozenset[str]:
    names: set[str] = set()
    for source in index.sources:
        if source.first_hand:
            names.update(await source.upstream.project_names())
    return frozenset(names)


def _render(names: list[str]) -> dict[Representation, NamesPage]:
    return {
        Representation.JSON: _page(render_names_json(names)),
        Representation.HTML: _page(render_names_html(names)),
    }


def _page(body: bytes) -> NamesPage:
    gzipped = compress(body, Encoding.GZIP)
    return NamesPage(gzipped, f'"{hashlib.sha256(gzipped).hexdigest()[:32]}"')
