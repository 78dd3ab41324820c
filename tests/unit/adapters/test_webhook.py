"""Webhooks: signed, never redirected, and silent about what is secret."""

import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.fakes.clock import FakeClock
from tests.fakes.upstream.certificates import local_certificate

from pinfold.adapters.webhook import ID, SIGNATURE, TIMESTAMP, Webhook, WebhookOptions
from pinfold.domain.alert import Alert
from pinfold.domain.errors import InvalidSettings
from pinfold.ports.alerts import NotDelivered

ALERT = Alert(
    "A-1",
    datetime(2026, 3, 24, 12, tzinfo=UTC),
    "decision.changed",
    "litellm 1.82.8 <!channel> & *bold* is refused",
    {
        "cause": "quarantine.add Q-1",
        "project": "litellm",
        "exposure": {
            "clients_in_all": 20,
            "clients": [
                {"actor": f"ci-{n}", "address": "192.0.2.1", "files": ["<@U1>"], "last": "2026"} for n in range(20)
            ],
        },
    },
)
Receiving = Callable[..., AbstractAsyncContextManager["Received"]]


class Received:
    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""


@asynccontextmanager
async def receiving(
    status: int = 204, location: str = "", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Received]:
    received = Received()

    async def take(request: web.Request) -> web.Response:
        received.requests.append((request.path_qs, dict(request.headers), await request.read()))
        return web.Response(status=status, headers={"Location": location} if location else {})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    received.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield received
    finally:
        await runner.cleanup()


async def send(url: str, **options: Any) -> None:
    webhook = Webhook(WebhookOptions("soc", url, **options), FakeClock())
    try:
        await webhook.send(ALERT)
    finally:
        await webhook.aclose()


async def test_json_is_the_alert_signed_over_timestamp_and_body() -> None:
    async with receiving() as received:
        await send(f"{received.url}/hook?a=b", secret="s3cret")
    ((path, headers, body),) = received.requests
    assert path == "/hook?a=b"
    assert headers[ID] == "A-1"
    assert headers["Content-Type"] == "application/json"
    expected = hmac.new(b"s3cret", headers[TIMESTAMP].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE] == f"v1={expected}"
    assert int(headers[TIMESTAMP]) == int(FakeClock().now().timestamp())
    document = json.loads(body)
    assert (document["id"], document["facts"]["project"]) == ("A-1", "litellm")


async def test_without_a_secret_there_is_no_signature() -> None:
    async with receiving() as received:
        await send(received.url)
    assert SIGNATURE not in received.requests[0][1]


async def test_slack_is_sent_text_in_which_strangers_cannot_link_or_mention() -> None:
    async with receiving() as received:
        await send(received.url, shape="slack")
    text = json.loads(received.requests[0][2])["text"]
    assert text.splitlines()[0] == "*litellm 1.82.8 &lt;!channel&gt; &amp; bold is refused*"
    assert "&lt;@U1&gt;" in text
    assert "<" not in text
    assert "and 5 more clients" in text
    assert "`pinfold audit exposure litellm`" in text


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with receiving() as elsewhere, receiving(status, f"{elsewhere.url}/inside") as received:
        with pytest.raises(NotDelivered, match=str(status)):
            await send(received.url, secret="s3cret")
    assert elsewhere.requests == []


@pytest.mark.parametrize("status", [400, 404, 500, 503])
async def test_an_error_is_no_delivery(status: int) -> None:
    async with receiving(status) as received:
        with pytest.raises(NotDelivered, match=f"it answered {status}"):
            await send(received.url)


async def test_neither_address_nor_secret_are_ever_told(caplog: pytest.LogCaptureFixture) -> None:
    options = WebhookOptions("soc", "http://127.0.0.1:9/token-in-the-address", secret="s3cret")
    webhook = Webhook(options, FakeClock())
    with pytest.raises(NotDelivered) as caught:
        await webhook.send(ALERT)
    await webhook.aclose()
    told = f"{caught.value!r} {caught.value.__cause__!r} {options!r} {caplog.text}"
    assert "token-in-the-address" not in told
    assert "s3cret" not in told


async def test_a_receiver_of_the_own_network_is_vouched_for_by_its_own_authority(tmp_path: Path) -> None:
    tls, ca_file = local_certificate(tmp_path)
    async with receiving(tls=tls) as received:
        with pytest.raises(NotDelivered, match="Certificate"):
            await send(received.url)
        assert received.requests == []
        await send(received.url, ca_file=ca_file)
    assert len(received.requests) == 1


def test_a_file_without_certificates_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")
    with pytest.raises(InvalidSettings, match="webhook soc: ca_file"):
        Webhook(WebhookOptions("soc", "https://soc.example/", ca_file=tmp_path / "ca.pem"), FakeClock())
