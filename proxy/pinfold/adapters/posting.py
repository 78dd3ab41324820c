"""Notes by POST to an address that an operator configured, also inside the own network."""

import ssl
from collections.abc import Mapping
from typing import Literal
from urllib.request import getproxies

import aiohttp
from yarl import URL

from pinfold import __version__
from pinfold.adapters.upstream.environment import proxy_for
from pinfold.domain.errors import PinfoldError, UpstreamError

TIMEOUT = aiohttp.ClientTimeout(total=15, sock_connect=5)


class NotTaken(PinfoldError):
    """An address did not take a note; the message says why, and never which address: it may hold a token."""


class Posting:
    """Posts to one address. Redirects are not followed: they could lead where the operator never pointed."""

    def __init__(self, url: str, tls: ssl.SSLContext | Literal[True]) -> None:
        self._url = URL(url)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Post a note; raises NotTaken."""
        headers = {"User-Agent": f"pinfold/{__version__}", **headers}
        try:
            async with self._opened().post(
                self._url, data=body, headers=headers, allow_redirects=False, proxy=proxy_for(self._url, getproxies())
            ) as response:
                status = response.status
        except UpstreamError as error:
            raise NotTaken(str(error)) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # What these say can hold the address.
            raise NotTaken(f"no answer: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise NotTaken(f"it answered {status}")

    async def aclose(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(ssl=self._tls)
            )
        return self._session
