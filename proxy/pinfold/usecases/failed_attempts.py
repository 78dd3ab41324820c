"""Failed attempts to get in, counted by address, in bounded memory."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from pinfold.usecases.lru import Lru

WINDOW = 60.0
"""Seconds, from the first failure on."""
MOST_FAILURES = 10
"""Of one address in a window; what fails after them is not explained any more."""
MOST_ENTRIES = 60
"""Audit entries in a window, however many addresses attempts come from: the log must not be theirs to fill."""
ADDRESSES = 10_000
_V6_SITE = 64
"""Bits of an IPv6 address that an attacker does not choose freely."""


@dataclass(slots=True)
class _Window:
    began: float
    count: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """What follows from a failed attempt."""

    retry_after: int
    """Seconds until the address is heard again; 0 where it still is."""
    to_be_recorded: bool
    """It is the first of its address and window, and the log has room."""


class FailedAttempts:
    """Counts in windows; the addresses that were quiet longest are forgotten first."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._windows: Lru[str, _Window] = Lru(ADDRESSES)
        self._entries = _Window(now())

    def retry_after(self, address: str | None) -> int:
        """Return the seconds until an address is heard again; 0 where it is."""
        window = self._windows.get(_site(address))
        if window is None or window.count < MOST_FAILURES:
            return 0
        return max(round(window.began + WINDOW - self._now() + 0.5), 0)

    def add(self, address: str | None) -> Failure:
        """Count a failure."""
        retry_after, site = self.retry_after(address), _site(address)
        window = self._windows.get(site)
        if window is None or self._now() >= window.began + WINDOW:
            window = _Window(self._now())
            self._windows.put(site, window, 1)
        window.count += 1
        return Failure(retry_after, window.count == 1 and self._log_has_room())

    def _log_has_room(self) -> bool:
        if self._now() >= self._entries.began + WINDOW:
            self._entries = _Window(self._now())
        self._entries.count += 1
        return self._entries.count <= MOST_ENTRIES


def _site(address: str | None) -> str:
    """Return what addresses have in common that one sender can use at will."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _V6_SITE), strict=False))
