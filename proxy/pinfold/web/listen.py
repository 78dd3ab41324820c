"""Take a port, for one process or for several that share it."""

import errno
import socket
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final

from pinfold.domain.errors import InvalidSettings
from pinfold.web.workers import Sockets

_CONGESTION: Final = getattr(socket, "TCP_CONGESTION", None)
"""Which way of congestion control; Linux has it."""

_Address = tuple[Any, ...]


def listen(host: str, port: int, count: int) -> list[Sockets]:
    """Return `count` sockets for each address of a host, on one port; port 0 takes any free one.

    The kernel spreads connections over the sockets of an address (SO_REUSEPORT). Raises InvalidSettings where the port
    cannot be had.
    """
    opened: list[list[socket.socket]] = []
    try:
        for family, address in _addresses(host, port):
            try:
                port = port or _free_port(family, address)
                opened.append(_share(family, (address[0], port, *address[2:]), count))
            except OSError as error:
                # A name of this machine may stand for an address family that it lacks.
                if error.errno != errno.EADDRNOTAVAIL or not opened:
                    raise
    except OSError as error:
        for shared in (shared for sockets in opened for shared in sockets):
            shared.close()
        raise InvalidSettings([_refusal(host, port, error)]) from error
    return list(zip(*opened, strict=True))


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, _Address]]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _free_port(family: socket.AddressFamily, address: _Address) -> int:
    with _bound(family, address) as taken:
        port: int = taken.getsockname()[1]
        return port


def _share(family: socket.AddressFamily, address: _Address, count: int) -> list[socket.socket]:
    # A shared port is given to all who share; this makes sure that nobody else has it.
    alone = _bound(family, address)
    if count == 1:
        return [alone]
    alone.close()
    return [_bound(family, address, shared=True) for _ in range(count)]


def _bound(family: socket.AddressFamily, address: _Address, *, shared: bool = False) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    if ip_address(address[0]).is_loopback:
        _send_without_pauses(bound)
    return bound


def _send_without_pauses(listening: socket.socket) -> None:
    """Have what is accepted here sent as fast as it is read, where the kernel would rather pace it.

    BBR spreads what it sends over time, each piece by a timer, to spare queues on the way: within a machine there are
    none. Whoever is accepted here begins without it; a connection that began with it stays paced.
    """
    if _CONGESTION is not None:
        with suppress(OSError):
            # Every kernel has it, and lets anybody choose it.
            listening.setsockopt(socket.IPPROTO_TCP, _CONGESTION, b"reno")


def _refusal(host: str, port: int, error: OSError) -> str:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use: stop what listens there, or choose another port with --port"
    if error.errno == errno.EACCES:
        return f"{where} needs rights that this user lacks: choose a port above 1023 with --port"
    return f"cannot listen on {where}: {error.strerror or error}"
