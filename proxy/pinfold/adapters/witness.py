"""Checkpoints posted to an operator's witness: another machine, which keeps them."""

from pathlib import Path

import aiohttp
from yarl import URL

from pinfold import __version__
from pinfold.adapters.upstream.environment import proxy_for
from pinfold.adapters.upstream.tls import trusting
from pinfold.domain.errors import UpstreamError
from pinfold.ports.checkpoints import NotKept

TIMEOUT = aiohttp.ClientTimeout(total=15, sock_connect=5)


class Witness:
    """An address that takes notes by POST. Redirects are not followed: they could lead where nobody pointed."""

    def __init__(self, url: str, ca_file: Path | None = None) -> None:
        """Take certificates, in PEM, that vouch for the address in place of the system's; raise InvalidSettings."""
        self._url = URL(url)
        self._tls = trusting(ca_file, "audit.checkpoint_ca_file")
        self._session: aiohttp.ClientSession | None = None

    @property
    def name(self) -> str:
        """What to call it."""
        return "checkpoint_url"

    async def keep(self, note: bytes) -> None:
        """Post a checkpoint; raises NotKept, without the address, which may hold a token."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(ssl=self._tls)
            )
        headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": f"pinfold/{__version__}"}
        try:
            async with self._session.post(
                self._url, data=note, headers=headers, allow_redirects=False, proxy=proxy_for(self._url)
            ) as response:
                status = response.status
        except UpstreamError as error:
            raise NotKept(str(error)) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # What these say can hold the address.
            raise NotKept(f"no answer: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise NotKept(f"it answered {status}")

    async def aclose(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()
