"""Where requests may go: a page is a stranger's text, and every URL in it something that Pinfold is made to fetch."""

import re
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from pinfold.adapters.upstream.addresses import Reach, parse_address, reach
from pinfold.adapters.upstream.options import UpstreamOptions
from pinfold.domain.errors import UpstreamError

_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Guard:
    """Decides, for one upstream, which URLs may be asked and which addresses may be connected to.

    The upstream's own origin may always be asked. A foreign host must be one that `file_hosts` lists or, where it lists
    none, sit on its scheme's default port: no page makes Pinfold knock at other services of public hosts. A foreign
    address must be public; an upstream in a private network may lead around in it, and one on this machine anywhere.
    Metadata services and link-local addresses are out of bounds for all but an upstream whose URL names just them. An
    upstream asked by https is never left for http.
    """

    def __init__(self, options: UpstreamOptions, resolver: AbstractResolver) -> None:
        self._name = options.name
        self._base = URL(options.url)
        self._listed = frozenset(options.file_hosts)
        self._resolver = resolver

    def check(self, url: URL) -> None:
        """Raise UpstreamError for a URL that may not be asked, whatever its host's name resolves to."""
        if url.scheme not in ("http", "https"):
            raise self.refused(shown(url), "is neither http nor https")
        if self._base.scheme == "https" and url.scheme != "https":
            raise self.refused(shown(url), "would leave https")
        if url.raw_user is not None or url.raw_password is not None:
            raise self.refused(shown(url), "carries credentials")
        if self.is_own(url):
            return
        host = url.raw_host or ""
        if parse_address(host) is None and (
            not _HOST.fullmatch(host) or _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2])
        ):
            raise self.refused(shown(url), "has no plain host name or address")
        if self._listed:
            if not self.is_named(url):
                raise self.refused(shown(url), "leads to a host that file_hosts does not list")
        elif not url.is_default_port():
            raise self.refused(shown(url), "leads to an unusual port; file_hosts can allow it")

    async def admit(self, url: URL) -> None:
        """Raise UpstreamError for a URL that may not be asked, or whose host is an address out of bounds.

        Names are judged when they are resolved, by `GuardedResolver`.
        """
        self.check(url)
        host = url.raw_host or ""
        if not self.is_own(url) and parse_address(host) is not None and not await self.within_bounds([host]):
            raise self.refused(shown(url), "leads to an address that is not public")

    def is_own(self, url: URL) -> bool:
        """Tell whether a URL has the upstream's own scheme, host and port."""
        return (url.scheme, url.raw_host, url.port) == (self._base.scheme, self._base.raw_host, self._base.port)

    def is_named(self, url: URL) -> bool:
        """Tell whether the settings name a URL's host and port: as the upstream's own, or in `file_hosts`."""
        host = url.host_subcomponent
        listed = f"{host}:{url.port}" in self._listed or (url.is_default_port() and host in self._listed)
        return listed or self.is_own(url)

    async def within_bounds(self, addresses: list[str]) -> list[str]:
        """Return which of a host's addresses may be connected to; the upstream's own host is no exception."""
        reaches = {address: _reach(address) for address in addresses}
        bound = Reach.PUBLIC if max(reaches.values()) is Reach.PUBLIC else await self._own_reach()
        return [address for address in addresses if reaches[address] <= bound]

    def refused(self, what: str, why: str) -> UpstreamError:
        """Return the error that something is not followed, and why."""
        return UpstreamError(f"{self._name}: {what} is not followed: it {why}")

    async def _own_reach(self) -> Reach:
        """Return where the upstream's own host is, but never that it is out of bounds."""
        host = self._base.raw_host or ""
        addresses = [host]
        if parse_address(host) is None:
            try:
                found = await self._resolver.resolve(host, family=socket.AF_UNSPEC)
            except OSError:
                return Reach.PUBLIC
            addresses = [result["host"] for result in found]
        return max({_reach(address) for address in addresses} - {Reach.NEVER}, default=Reach.PUBLIC)


class GuardedResolver(AbstractResolver):
    """Resolves names to the addresses that may be connected to, and to no other.

    aiohttp connects to exactly what a resolver returns, so that no second lookup can bring another answer.
    """

    def __init__(self, guard: Guard, resolver: AbstractResolver) -> None:
        self._guard = guard
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return a host's allowed addresses; raise UpstreamError where it has none but others."""
        found = await self._resolver.resolve(host, port, family)
        if not found:
            raise OSError(None, "DNS lookup failed")
        allowed = await self._guard.within_bounds([result["host"] for result in found])
        if not allowed:
            raise self._guard.refused(host, "resolves to no public address")
        return [result for result in found if result["host"] in allowed]

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._resolver.close()


def _reach(address: str) -> Reach:
    parsed = parse_address(address)
    return Reach.NEVER if parsed is None else reach(parsed)


def shown(url: URL) -> str:
    """Return a URL as error lines show it: without credentials and query, which may carry secrets, and not too long."""
    text = str(url.with_user(None).with_query(None).with_fragment(None)) if url.absolute else url.raw_path
    return text if len(text) <= 200 else text[:197] + "..."
