"""GET requests as an upstream needs them: guarded, with redirects, credentials, proxies, deadlines and retries."""

import asyncio
import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.request import getproxies

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDictProxy
from yarl import URL

from pinfold import __version__
from pinfold.adapters.upstream.environment import netrc_credentials, proxy_for
from pinfold.adapters.upstream.failures import refuse_status, told
from pinfold.adapters.upstream.guard import Guard, GuardedResolver, shown
from pinfold.adapters.upstream.options import UpstreamOptions
from pinfold.adapters.upstream.retry import retried
from pinfold.adapters.upstream.tls import trusting
from pinfold.domain.errors import UpstreamError

MAX_REDIRECTS = 5
READ_SIZE = 512 << 10
"""The most that is read at once; aiohttp buffers twice as much for a response."""
_CONNECTIONS = 256
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_GONE = frozenset((404, 410))


@dataclass(frozen=True, slots=True)
class Question:
    """A GET request."""

    url: URL
    headers: Mapping[str, str]
    wanted: frozenset[int]
    """The statuses that answer it; 404 and 410 always do."""
    own_word: bool = False
    """Only the upstream can answer: no redirect may lead elsewhere, unless `file_hosts` lists the host. Many an index
    redirects what it does not have to PyPI, whose word must not pass for its own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response with its whole body, as it was sent."""

    asked: str
    """What was asked, as error lines begin."""
    url: URL
    """Where the answer came from, after redirects."""
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes = b""

    @property
    def gone(self) -> bool:
        """Whether the upstream says that there is no such thing."""
        return self.status in _GONE


class Transport:
    """One upstream's connections; made in the event loop that uses them. Raises InvalidSettings for a bad CA file."""

    def __init__(self, options: UpstreamOptions, resolver: AbstractResolver | None = None) -> None:
        self.options = options
        self.base = URL(options.url)
        tls = trusting(options.ca_file, f"upstreams.{options.name}.ca_file")
        self._authorization = _authorization(options, self.base)
        self._proxies = getproxies() if options.trust_env else {}
        self._resolver = resolver or aiohttp.DefaultResolver()
        self._guard = Guard(options, self._resolver)
        self._direct = self._session(GuardedResolver(self._guard, self._resolver), tls)
        # A proxy resolves names itself, so that only its own rules can bind them to addresses; and its own address is
        # the operator's choice, wherever it leads.
        self._proxied = self._session(self._resolver, tls)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._direct.close()
        await self._proxied.close()
        await self._resolver.close()

    async def fetch(self, question: Question, *, limit: int) -> Answer:
        """Return the answer with its whole body, of at most `limit` bytes; raises what `open` raises."""
        try:
            async with asyncio.timeout(self.options.total_timeout):
                return await retried(lambda: self._fetch_once(question, limit), self.options)
        except TimeoutError:
            asked = self.asked(question.url)
            raise UpstreamError(f"{asked}: no whole answer in {self.options.total_timeout:g} s") from None

    async def open(self, question: Question) -> aiohttp.ClientResponse:
        """Return the response with its body still to come; raise UpstreamError for one that answers nothing."""
        return await retried(lambda: self._follow(question), self.options)

    def asked(self, url: URL) -> str:
        """Return how error lines about a URL begin."""
        return f"{self.options.name}: {shown(url)}"

    async def _fetch_once(self, question: Question, limit: int) -> Answer:
        async with await self._follow(question) as response:
            asked = self.asked(response.url)
            body = b"" if response.status in _GONE else await _read(response, limit, asked)
            return Answer(asked, response.url, response.status, response.headers, body)

    async def _follow(self, question: Question) -> aiohttp.ClientResponse:
        url, trusted = question.url, True
        for _ in range(MAX_REDIRECTS + 1):
            # A redirect that comes back from elsewhere was chosen there: it does not get the credentials again.
            trusted = trusted and self._guard.is_own(url)
            response = await self._send(url, question.headers, trusted=trusted)
            if response.status in question.wanted or response.status in _GONE:
                return response
            response.release()
            if response.status not in _REDIRECTS:
                refuse_status(response, self.asked(url))
            url = self._next(response)
            if question.own_word and not self._guard.is_named(url):
                raise UpstreamError(
                    f"{self.asked(question.url)}: redirected to {shown(url)}, another index; "
                    "turn that off there, or list the host in file_hosts"
                )
        raise UpstreamError(f"{self.asked(url)}: redirected more than {MAX_REDIRECTS} times")

    async def _send(self, url: URL, headers: Mapping[str, str], *, trusted: bool) -> aiohttp.ClientResponse:
        await self._guard.admit(url)
        proxy = proxy_for(url, self._proxies)
        session = self._direct if proxy is None else self._proxied
        if trusted and self._authorization:
            headers = {**headers, hdrs.AUTHORIZATION: self._authorization}
        with told(self.asked(url)):
            # One deadline for all headers: a server that drips them would keep within any between two reads.
            async with asyncio.timeout(self.options.connect_timeout + self.options.idle_timeout):
                return await session.get(url, headers=headers, proxy=proxy, allow_redirects=False)

    def _next(self, response: aiohttp.ClientResponse) -> URL:
        asked = self.asked(response.url)
        try:
            url = response.url.join(URL(response.headers[hdrs.LOCATION])).with_fragment(None)
        except (KeyError, ValueError):
            raise UpstreamError(f"{asked}: answered {response.status} without a usable Location") from None
        if response.url.scheme == "https" and url.scheme != "https":
            raise UpstreamError(f"{asked}: its redirect is not followed: it would leave https")
        return url

    def _session(self, resolver: AbstractResolver, tls: ssl.SSLContext | Literal[True]) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver, ssl=tls, limit=_CONNECTIONS),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self.options.connect_timeout, sock_read=self.options.idle_timeout
            ),
            headers={hdrs.USER_AGENT: f"pinfold/{__version__}"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=READ_SIZE,
        )


async def _read(response: aiohttp.ClientResponse, limit: int, asked: str) -> bytes:
    body = bytearray()
    too_large = UpstreamError(f"{asked}: the answer is larger than {limit} bytes")
    if (response.content_length or 0) > limit:
        raise too_large
    with told(asked):
        while chunk := await response.content.read(READ_SIZE):
            body += chunk
            if len(body) > limit:
                raise too_large
    return bytes(body)


def _authorization(options: UpstreamOptions, base: URL) -> str | None:
    if options.username is not None:
        credentials: tuple[str, str] | None = (options.username, options.password or "")
    else:
        credentials = netrc_credentials(base.host or "") if options.trust_env else None
    return None if credentials is None else "Basic " + base64.b64encode(":".join(credentials).encode()).decode()
