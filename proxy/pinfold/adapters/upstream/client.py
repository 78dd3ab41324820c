"""An index of the simple API, asked over HTTP."""

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

from aiohttp import hdrs
from aiohttp.abc import AbstractResolver
from yarl import URL

from pinfold.adapters.upstream.failures import require_identity
from pinfold.adapters.upstream.options import UpstreamOptions
from pinfold.adapters.upstream.pages import (
    ACCEPT,
    TooLong,
    conditions,
    max_age,
    understand,
    understand_at_once,
    validators,
)
from pinfold.adapters.upstream.ranges import parse_content_range
from pinfold.adapters.upstream.stream import FileStream
from pinfold.adapters.upstream.transport import Answer, Question, Transport
from pinfold.domain.errors import FileMismatch, NotFound, UpstreamError
from pinfold.domain.names import normalise
from pinfold.domain.project import File
from pinfold.index.parse import parse_names_html, parse_names_json, parse_project_html, parse_project_json
from pinfold.ports.upstream import Download, Missing, Page, Unchanged, Validators
from pinfold.usecases.beside_the_loop import beside_the_loop
from pinfold.usecases.wheel_metadata import MAX_METADATA

T = TypeVar("T")

Observer = Callable[[str, str, float, str], None]
"""Told of each question: the upstream's name, what was asked for (`page`, `names`, `file`, `range`, `metadata` or
`provenance`), the seconds that the upstream took, and the outcome (`ok`, `unchanged`, `missing`, `error` or
`abandoned`)."""

MAX_PART = 16 << 20
"""Bytes of a range that are held in memory."""
MAX_PROVENANCE = 256 << 10
"""Bytes of a provenance document; PyPI's have about 10,000 an attestation."""
_INTEGRITY = "application/vnd.pypi.integrity.v1+json, application/json;q=0.9"
_IDENTITY: dict[str, str] = {hdrs.ACCEPT_ENCODING: "identity"}


class HttpUpstream:
    """An upstream behind HTTP. To be made in the event loop that uses it, and closed with `aclose`.

    Raises InvalidSettings for options that cannot work.
    """

    def __init__(
        self, options: UpstreamOptions, *, observer: Observer | None = None, resolver: AbstractResolver | None = None
    ) -> None:
        self._options = options
        self._observer = observer
        self._transport = Transport(options, resolver)

    @property
    def name(self) -> str:
        """The name in the settings."""
        return self._options.name

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def project(self, name: str, known: Validators | None) -> Page | Unchanged | Missing:
        """Fetch a project page, conditionally where validators are known."""
        project = normalise(name)
        with self._measured("page") as measured:
            answer = await self._page(self._transport.base / project / "", known)
            if answer.gone:
                measured.outcome = "missing"
                return Missing()
            if answer.status == 304:
                measured.outcome = "unchanged"
                return Unchanged(max_age(answer))
            base_url = str(answer.url)
            page = await self._understood(
                answer,
                json=lambda body: parse_project_json(body, project=project, base_url=base_url),
                html=lambda body: parse_project_html(body, project=project, base_url=base_url),
            )
            return Page(page, validators(answer), max_age(answer))

    async def project_names(self) -> list[str]:
        """Fetch the names of all projects, normalised."""
        with self._measured("names"):
            answer = await self._page(self._transport.base, None)
            if answer.gone:
                raise UpstreamError(f"{answer.asked}: answered {answer.status}; an index lists its projects there")
            return await self._understood(answer, json=parse_names_json, html=parse_names_html)

    @asynccontextmanager
    async def download(self, file: File, first: int = 0) -> AsyncIterator[Download]:
        """Open a file's bytes from an offset on; raises NotFound where the upstream has the file no more."""
        with self._measured("file") as measured:
            stream = FileStream(self._transport, self._url(file.url), first)
            try:
                length = await stream.open()
                async with aclosing(stream.chunks()) as chunks:
                    yield Download(length, chunks)
            finally:
                stream.close()
                measured.seconds = stream.waited

    async def read_range(self, file: File, first: int, last: int) -> tuple[bytes, int]:
        """Return the bytes `first` to `last`, both included, and the file's full length.

        A negative `first` means the last `-first` bytes, and `last` is then ignored. Raises UpstreamError where the
        upstream does not serve ranges, and ValueError for a range that is empty or longer than MAX_PART.
        """
        wanted = -first if first < 0 else last - first + 1
        if not 0 < wanted <= MAX_PART:
            raise ValueError(f"a range of {wanted} bytes cannot be read")
        headers = {**_IDENTITY, hdrs.RANGE: f"bytes={first}" if first < 0 else f"bytes={first}-{last}"}
        with self._measured("range"):
            answer = await self._transport.fetch(
                Question(self._url(file.url), headers, frozenset((206,))), limit=wanted
            )
            if answer.gone:
                raise NotFound(f"{answer.asked}: answered {answer.status}")
            require_identity(answer.headers, answer.asked)
            sent = parse_content_range(answer.headers.get(hdrs.CONTENT_RANGE))
            if sent is None or not sent.answers(first, last) or len(answer.body) != sent.length:
                raise UpstreamError(f"{answer.asked}: sent another range than was asked for")
            return answer.body, sent.size

    async def metadata(self, file: File) -> bytes | None:
        """Return the file's PEP 658 metadata; None where the upstream has none.

        Raises FileMismatch where the index told the metadata's hash and other bytes came.
        """
        if not file.core_metadata:
            return None
        parts = urlsplit(file.url)
        with self._measured("metadata") as measured:
            url = self._url(parts._replace(path=parts.path + ".metadata").geturl())
            answer = await self._transport.fetch(Question(url, _IDENTITY, frozenset((200,))), limit=MAX_METADATA)
            if answer.gone:
                measured.outcome = "missing"
                return None
            require_identity(answer.headers, answer.asked)
            if isinstance(file.core_metadata, str) and hashlib.sha256(answer.body).hexdigest() != file.core_metadata:
                raise FileMismatch(f"{answer.asked}: has another hash than its index says")
            return answer.body

    async def provenance(self, file: File) -> bytes | None:
        """Return the file's PEP 740 provenance, unverified; None where the upstream has none."""
        if not isinstance(file.provenance, str):
            return None
        headers = {**_IDENTITY, hdrs.ACCEPT: _INTEGRITY}
        with self._measured("provenance") as measured:
            question = Question(self._url(file.provenance), headers, frozenset((200,)))
            answer = await self._transport.fetch(question, limit=MAX_PROVENANCE)
            if answer.gone:
                measured.outcome = "missing"
                return None
            require_identity(answer.headers, answer.asked)
            return answer.body

    async def _page(self, url: URL, known: Validators | None) -> Answer:
        headers = {hdrs.ACCEPT: ACCEPT, hdrs.ACCEPT_ENCODING: "gzip", **conditions(known)}
        wanted = frozenset((200, 304) if conditions(known) else (200,))
        return await self._transport.fetch(
            Question(url, headers, wanted, own_word=True), limit=self._options.max_page_bytes
        )

    async def _understood(self, answer: Answer, *, json: Callable[[bytes], T], html: Callable[[bytes], T]) -> T:
        limit = self._options.max_page_bytes
        with suppress(TooLong):
            return understand_at_once(answer, limit, json=json)
        return await beside_the_loop(partial(understand, answer, limit, json=json, html=html))

    def _url(self, text: str) -> URL:
        try:
            return URL(text)
        except ValueError:
            raise UpstreamError(f"{self.name}: a page named a file address that is no URL") from None

    @contextmanager
    def _measured(self, kind: str) -> "Iterator[_Measurement]":
        started = time.monotonic()
        measured = _Measurement()
        try:
            yield measured
        except UpstreamError:
            measured.outcome = "error"
            raise
        except NotFound:
            measured.outcome = "missing"
            raise
        except BaseException:
            measured.outcome = "abandoned"
            raise
        finally:
            seconds = time.monotonic() - started if measured.seconds is None else measured.seconds
            if self._observer is not None:
                self._observer(self.name, kind, seconds, measured.outcome)


@dataclass
class _Measurement:
    outcome: str = "ok"
    seconds: float | None = None
    """Where they are not those that passed."""
