"""What the environment says of the way to an upstream: proxies, and credentials in a netrc file."""

import logging
import netrc
import os
from collections.abc import Mapping
from urllib.request import proxy_bypass

from yarl import URL

from pinfold.domain.errors import UpstreamError

log = logging.getLogger(__name__)


def proxy_for(url: URL, proxies: Mapping[str, str]) -> URL | None:
    """Return which proxy is for a URL, unless `NO_PROXY` exempts its host.

    `proxies` are those that `HTTPS_PROXY` and its like name, by scheme, as urllib's `getproxies` reads them: to read
    them for each request takes long. Raises UpstreamError for a proxy that is not spoken to in HTTP.
    """
    named = proxies.get(url.scheme) or proxies.get("all")
    if not named or proxy_bypass(url.host_port_subcomponent or ""):
        return None
    try:
        proxy = URL(named if "://" in named else f"http://{named}")
    except ValueError:
        raise UpstreamError("the environment names a proxy that is no URL") from None
    if proxy.scheme not in ("http", "https"):
        raise UpstreamError("the environment names a proxy that is neither http nor https")
    return proxy


def netrc_credentials(host: str) -> tuple[str, str] | None:
    """Return a host's user name and password in the netrc file, where there are a file and an entry."""
    try:
        found = netrc.netrc(os.environ.get("NETRC")).authenticators(host)
    except FileNotFoundError:
        return None
    except (OSError, netrc.NetrcParseError) as error:
        log.warning("the netrc file cannot be read: %s", type(error).__name__)
        return None
    return (found[0], found[2] or "") if found else None
