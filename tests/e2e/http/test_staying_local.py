"""A server for its machine alone says so to whoever comes by another name, or by a way that it was not told of."""

import pytest
from tests.e2e.in_process import in_process

PAGE = "/simple/widget/"


def request(path, *lines):
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "Connection: close", "", ""]).encode()


@pytest.fixture
def widget(upstream):
    return upstream.add_file("widget", "1.0")


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1:8765", "[::1]:8765", "LOCALHOST"])
async def test_whoever_names_this_machine_is_answered(pinfold, widget, host):
    assert (await pinfold.send(request(PAGE, f"Host: {host}"))).status == 200


@pytest.mark.parametrize("path", ["/", PAGE, "/simple/", "/metrics", "/healthz", "/nothing", "/_/oidc/audience"])
async def test_a_browser_that_was_led_here_by_another_name_reads_nothing(pinfold, widget, path):
    answer = await pinfold.send(request(path, "Host: rebound.example:8765"))
    assert answer.status == 421
    assert answer.reason == (
        "pinfold: this server is for its machine alone, and was asked as rebound.example:8765: set server.base_url to "
        "the address that it is reached by, and who may read, by tokens or by anonymous = true of an index"
    )


@pytest.mark.parametrize(
    "line",
    [
        "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-Host: packages.example",
        "X-Forwarded-Proto: https",
        "X-Real-IP: 192.0.2.1",
        "Forwarded: for=192.0.2.1",
        "Via: 1.1 front",
    ],
)
async def test_a_front_that_no_setting_mentions_is_told_of(pinfold, widget, line):
    answer = await pinfold.send(request(PAGE, "Host: localhost", line))
    assert answer.status == 421
    assert f"through a front, which sent {line.partition(':')[0]}: set server.trusted_proxies" in answer.reason


async def test_a_server_that_others_may_ask_answers_to_any_name(overrides, widget, tmp_path):
    overrides |= {"server.base_url": "https://packages.example", "indexes.main.anonymous": True}
    async with in_process(tmp_path / "data", overrides) as pinfold:
        assert (await pinfold.send(request(PAGE, "Host: 10.0.0.1:8765", "Via: 1.1 front"))).status == 200
