"""What sort of network an IP address leads to, through every notation that hides another address inside."""

import ipaddress
from enum import IntEnum
from functools import lru_cache

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Reach(IntEnum):
    """Where an address leads, seen from this machine; the higher, the less a page has any business there."""

    PUBLIC = 0
    PRIVATE = 1
    """A network of the operator's, or a range that is reserved for something else than hosts on the Internet."""
    HERE = 2
    """This machine."""
    NEVER = 3
    """A cloud's metadata service, which gives credentials to whoever makes the machine ask for them; or no host."""


_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        [
            "100.100.100.200",  # Alibaba Cloud
            "168.63.129.16",  # Azure's wire server, in public address space
            "192.0.0.192",  # Oracle Cloud
            "fd00:ec2::23",  # AWS, for EKS pods
            "fd00:ec2::254",  # AWS
            "fd20:ce::254",  # Google Cloud
        ],
    )
)
# IPv6 assigns hosts from here only; is_global alone counts whatever its Python release has not heard of.
_UNICAST = ipaddress.IPv6Network("2000::/3")
# Of the registries' special purposes, those that some Python release takes for global.
_SPECIAL = (
    ipaddress.ip_network("192.0.0.0/24"),  # protocol assignments
    ipaddress.ip_network("192.88.99.0/24"),  # once relays of 6to4
    ipaddress.ip_network("2001::/23"),  # protocol assignments, Teredo among them
    ipaddress.ip_network("2002::/16"),  # 6to4
    ipaddress.ip_network("3fff::/20"),  # documentation
)
_THIS_HOST = ipaddress.ip_network("0.0.0.0/8")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def parse_address(text: str) -> IPAddress | None:
    """Return the IP address that a host is in its one plain spelling, without an IPv6 zone, or None."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def reach(address: IPAddress) -> Reach:
    """Return the sort of network that an address leads to, judged by the worst address that it carries."""
    if address in _METADATA or address.is_link_local or address.is_multicast:
        return Reach.NEVER
    if address.is_loopback or address in _THIS_HOST:
        return Reach.HERE
    public = address.is_global and not address.is_reserved and not any(address in network for network in _SPECIAL)
    if isinstance(address, ipaddress.IPv4Address):
        return Reach.PUBLIC if public else Reach.PRIVATE
    if address.ipv4_mapped is not None:
        return reach(address.ipv4_mapped)
    if address in _NAT64:
        return reach(_last_32_bits(address))
    return max([Reach.PUBLIC if public and address in _UNICAST else Reach.PRIVATE, *map(reach, _tunnelled(address))])


def _tunnelled(address: ipaddress.IPv6Address) -> list[IPAddress]:
    """Return the IPv4 addresses to which a network with tunnels or translators would carry on."""
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return list(address.teredo)
    if address in _COMPATIBLE or address in _NAT64_LOCAL:
        return [_last_32_bits(address)]
    return []


def _last_32_bits(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
