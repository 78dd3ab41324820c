import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.adapters.upstream.addresses import Reach, parse_address, reach

PUBLIC_V4 = st.ip_addresses(v=4).filter(lambda address: reach(address) is Reach.PUBLIC)
HIDDEN_V4 = st.one_of(
    *(
        st.ip_addresses(network=network)
        for network in (
            "127.0.0.0/8",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
        )
    )
)


def sort(text: str) -> Reach:
    address = parse_address(text)
    assert address is not None
    return reach(address)


@pytest.mark.parametrize(
    "text",
    [
        "1.1.1.1",
        "151.101.64.223",
        "192.0.78.1",
        "198.17.0.1",
        "223.255.255.254",
        "2a04:4e42::223",
        "2606:4700::1111",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
    ],
)
def test_addresses_of_the_internet_are_public(text: str) -> None:
    assert sort(text) is Reach.PUBLIC


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.0.9",
        "192.88.99.1",
        "192.0.2.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.80",
        "240.0.0.1",
        "255.255.255.255",
        "::ffff:10.1.2.3",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1.1.1.1",
        "100::1",
        "2001:1::1",
        "2001:db8::1",
        "2001:0:a00:1::f5ff:fffe",
        "2002:101:101::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456:789a::1",
        "fec0::1",
    ],
)
def test_addresses_of_private_networks_and_special_ranges_are_private(text: str) -> None:
    assert sort(text) is Reach.PRIVATE


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.255.255.254",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:0:0",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "64:ff9b:1::127.0.0.1",
        "2001:0:7f00:1::fefe:fefe",
    ],
)
def test_addresses_of_this_machine_are_here(text: str) -> None:
    assert sort(text) is Reach.HERE


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "224.0.0.1",
        "239.255.255.250",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fe80::1",
        "ff02::1",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "2001:0:101:101::5601:5601",
        "::ffff:100.100.100.200",
        "::ffff:224.0.0.1",
    ],
)
def test_metadata_services_and_what_is_no_host_are_out_of_bounds(text: str) -> None:
    assert sort(text) is Reach.NEVER


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.01", "127.0.0.1.", "[::1]",
     " 127.0.0.1", "127.0.0.1/8", "::1/128", "1.1.1.1\n", "\uff11\uff12\uff17.0.0.1", "::ffff:127.1", "fe80::1%eth0"],
)  # fmt: skip
def test_other_spellings_are_no_addresses(text: str) -> None:
    assert parse_address(text) is None


@given(st.ip_addresses(v=4))
def test_a_notation_that_hides_an_address_never_makes_it_look_better(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    carriers = [
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address(number),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
        ipaddress.IPv6Address((0x64FF9B0001 << 80) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1),
        ipaddress.IPv6Address((0x20010000 << 96) | (number << 64)),
        ipaddress.IPv6Address((0x20010000 << 96) | (0x08080808 << 64) | (number ^ 0xFFFFFFFF)),
    ]
    assert all(reach(carrier) >= reach(address) for carrier in carriers)


@given(HIDDEN_V4)
def test_no_private_address_is_public(address: ipaddress.IPv4Address) -> None:
    assert reach(address) is not Reach.PUBLIC


@given(PUBLIC_V4)
def test_a_mapped_or_translated_public_address_stays_public(address: ipaddress.IPv4Address) -> None:
    assert reach(ipaddress.IPv6Address((0xFFFF << 32) | int(address))) is Reach.PUBLIC
    assert reach(ipaddress.IPv6Address((0x64FF9B << 96) | int(address))) is Reach.PUBLIC


@given(st.ip_addresses(v=6))
def test_every_public_ipv6_address_is_global_unicast(address: ipaddress.IPv6Address) -> None:
    if reach(address) is Reach.PUBLIC and address.ipv4_mapped is None:
        assert address in ipaddress.ip_network("2000::/3") or address in ipaddress.ip_network("64:ff9b::/96")
