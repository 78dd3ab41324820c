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
    address must be public, unless the upstream's own is not: then this is a network of its own. Metadata services and
    link-local addresses are out of bounds for all but an upstream whose URL names just them. An upstream asked by
    https is never left for http.
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
        if not self.is_own(url) and parse_address(host) is not None and not await self.may_connect(host):
            raise self.refused(shown(url), "leads to an address that is not public")

    def is_own(self, url: URL) -> bool:
        """Tell whether a URL has the upstream's own scheme, host and port."""
        return (url.scheme, url.raw_host, url.port) == (self._base.scheme, self._base.raw_host, self._base.port)

    def is_named(self, url: URL) -> bool:
        """Tell whether the settings name a URL's host and port: as the upstream's own, or in `file_hosts`."""
        host = url.host_subcomponent
        listed = f"{host}:{url.port}" in self._listed or (url.is_default_port() and host in self._listed)
        return listed or self.is_own(url)

    async def may_connect(self, address: str) -> bool:
        """Tell whether a connection may be made to an address, that of the upstream's own host included."""
        parsed = parse_address(address)
        worst = Reach.NEVER if parsed is None else reach(parsed)
        return worst is Reach.PUBLIC or (worst is Reach.LOCAL and await self._own_network())

    def refused(self, what: str, why: str) -> UpstreamError:
        """Return the error that something is not followed, and why."""
        return UpstreamError(f"{self._name}: {what} is not followed: it {why}")

    async def _own_network(self) -> bool:
        """Tell whether the upstream's own host is on a network that is not public."""
        host = self._base.raw_host or ""
        own = parse_address(host)
        if own is not None:
            return reach(own) is Reach.LOCAL
        try:
            found = await self._resolver.resolve(host, family=socket.AF_UNSPEC)
        except OSError:
            return False
        addresses = [parse_address(result["host"]) for result in found]
        return any(address is not None and reach(address) is Reach.LOCAL for address in addresses)


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
        allowed = [result for result in found if await self._guard.may_connect(result["host"])]
        if not found:
            raise OSError(None, "DNS lookup failed")
        if not allowed:
            raise self._guard.refused(host, "resolves to no public address")
        return allowed

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._resolver.close()


def shown(url: URL) -> str:
    """Return a URL as error lines show it: without credentials and query, which may carry secrets, and not too long."""
    text = str(url.with_user(None).with_query(None).with_fragment(None)) if url.absolute else url.raw_path
    return text if len(text) <= 200 else text[:199] + "…"
