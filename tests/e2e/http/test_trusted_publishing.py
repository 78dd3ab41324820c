"""Trusted publishing over HTTP, as PyPI's own clients speak it."""

import asyncio
import json
import time
from base64 import b64encode

import pytest
from tests.e2e.in_process import in_process
from tests.fakes.oidc import AUDIENCE, FakeIssuer, new_key

from pinfold.usecases.failed_attempts import MOST_FAILURES
from pinfold.web import oidc

MINT, BURN = "/_/oidc/mint-token", "/_/oidc/burn-token"


@pytest.fixture
async def issuer():
    async with FakeIssuer() as issuer:
        yield issuer


@pytest.fixture
def overrides(overrides, issuer):
    publisher = {
        "kind": "GitHub",
        "issuer": issuer.url,
        "repository": "acme/widget",
        "workflow": "publish.yml",
        "environment": "release",
        "projects": ["acme-*"],
        "indexes": ["private"],
    }
    return overrides | {
        "indexes.private.anonymous": False,
        "server.trusted_proxies": ["127.0.0.1"],
        "trusted_publishing.audience": AUDIENCE,
        "trusted_publishing.publishers": [publisher],
    }


async def post(pinfold, path, body, **headers):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    answer = await pinfold.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return answer.status, json.loads(answer.body), answer.headers


async def minted(pinfold, issuer, **claims):
    status, told, _ = await post(pinfold, MINT, {"token": issuer.sign(issuer.github(**claims))})
    assert status == 200, told
    return told


def basic(text):
    return {"Authorization": "Basic " + b64encode(f"__token__:{text}".encode()).decode()}


async def test_a_workflow_is_told_for_whom_to_have_its_identity_made(pinfold):
    answer = await pinfold.get("/_/oidc/audience")
    assert (answer.status, json.loads(answer.body)) == (200, {"audience": AUDIENCE})


async def test_an_identity_is_exchanged_for_a_token_in_pypis_words(pinfold, issuer):
    told = await minted(pinfold, issuer)
    assert told.keys() == {"success", "message", "token", "expires"}
    assert told["success"] is True
    assert 14 * 60 < told["expires"] - time.time() <= 15 * 60
    token = told["token"]
    assert (await pinfold.get("/private/simple/acme-core/", **basic(token))).status == 404
    assert (await pinfold.get("/private/simple/other/", **basic(token))).status == 403
    assert (await pinfold.get("/private/legacy/", "POST", Content_Length="0", **basic(token))).status == 400
    assert (await pinfold.get("/legacy/", "POST", Content_Length="0", **basic(token))).status == 403


async def test_the_log_tells_of_the_exchange_and_keeps_neither_secret(pinfold, issuer):
    assertion = issuer.sign(issuer.github())
    _, told, headers = await post(pinfold, MINT, {"token": assertion})
    assert headers["Cache-Control"] == "no-store"
    (entry,) = await pinfold.audited("token.mint")
    assert entry.details["publisher"]["repository"] == "acme/widget"
    assert entry.details["indexes"] == ["private"]
    for secret in (told["token"], assertion):
        assert secret not in repr(entry)
        for path in pinfold.installation.data.root.glob("*.db*"):
            assert secret.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "pypi"}, "invalid-token"),
        ({"exp": 1, "iat": 0}, "invalid-token"),
        ({"iss": "https://token.evil.example"}, "invalid-token"),
        ({"event_name": "pull_request_target"}, "invalid-token"),
        ({"repository": "evil/widget"}, "invalid-publisher"),
        ({"environment": "staging"}, "invalid-publisher"),
        ({"environment": None}, "invalid-publisher"),
        ({"job_workflow_ref": "acme/widget/.github/workflows/ci.yml@refs/tags/v1"}, "invalid-publisher"),
    ],
)
async def test_who_gets_no_token_is_told_why_in_pypis_words(pinfold, issuer, claims, code):
    status, told, _ = await post(pinfold, MINT, {"token": issuer.sign(issuer.github(**claims))})
    assert (status, told["message"]) == (422, "Token request failed")
    (error,) = told["errors"]
    assert error["code"] == code
    (entry,) = await pinfold.audited("access.refused")
    assert entry.details["why"].startswith("trusted publishing: ")


async def test_an_identity_is_exchanged_once(pinfold, issuer):
    assertion = issuer.sign(issuer.github())
    assert (await post(pinfold, MINT, {"token": assertion}))[0] == 200
    status, told, _ = await post(pinfold, MINT, {"token": assertion})
    assert status == 422
    assert "exchanged" in told["errors"][0]["description"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"token": 7}',
        b'{"token": null}',
        b"[" * 9000,
        b'{"token": "' + b"x" * 40_000 + b'"}',
    ],
)
async def test_a_payload_that_is_none_is_told_so(pinfold, body):
    status, told, _ = await post(pinfold, MINT, body)
    assert status == 422
    assert told["errors"][0]["code"] == "invalid-payload"
    assert (await post(pinfold, BURN, body))[0] == 202


async def test_a_payload_that_does_not_come_is_not_waited_for(pinfold, monkeypatch):
    monkeypatch.setattr(oidc, "PATIENCE", 0.1)
    request = f"POST {MINT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{{"
    answer = await pinfold.send(request.encode())
    assert answer.status == 422
    assert "not here after 0.1 s" in json.loads(answer.body)["errors"][0]["description"]


async def test_an_issuer_that_is_silent_is_told_of_and_nobody_blamed(pinfold, issuer):
    from aiohttp import web

    issuer.answers["/keys"] = web.Response(status=500)
    status, told, headers = await post(pinfold, MINT, {"token": issuer.sign(issuer.github())})
    assert (status, told["errors"][0]["code"]) == (503, "issuer-unavailable")
    assert "Retry-After" in headers
    assert await pinfold.audited("access.refused") == []


async def test_after_many_failures_no_signature_is_looked_at(pinfold, issuer):
    forged = issuer.sign(issuer.github(), key=new_key())
    for _ in range(MOST_FAILURES):
        assert (await post(pinfold, MINT, {"token": forged}))[0] == 422
    for assertion in (forged, issuer.sign(issuer.github())):
        status, told, headers = await post(pinfold, MINT, {"token": assertion})
        assert (status, told["errors"][0]["code"]) == (429, "too-many-attempts")
        assert 0 < int(headers["Retry-After"]) <= 61
    elsewhere = await post(pinfold, MINT, {"token": issuer.sign(issuer.github())}, X_Forwarded_For="192.0.2.9")
    assert elsewhere[0] == 200
    assert len(await pinfold.audited("access.refused")) == 1


async def test_a_token_is_burnt_by_whoever_holds_it(pinfold, issuer):
    token = (await minted(pinfold, issuer))["token"]
    assert (await pinfold.get("/private/simple/acme-core/", **basic(token))).status == 404
    assert (await post(pinfold, BURN, {"token": token}))[0] == 202
    assert (await pinfold.get("/private/simple/acme-core/", **basic(token))).status == 403
    (entry,) = await pinfold.audited("token.revoke")
    assert entry.actor.name == "GitHub acme/widget (publish.yml)"
    assert (await post(pinfold, BURN, {"token": token}))[0] == 202


async def test_a_token_is_burnt_as_often_as_somebody_likes(pinfold, issuer):
    token = (await minted(pinfold, issuer))["token"]
    answers = await asyncio.gather(*(post(pinfold, BURN, {"token": token}) for _ in range(5)))
    assert {status for status, _, _ in answers} == {202}
    assert len(await pinfold.audited("token.revoke")) == 1


async def test_nobody_burns_a_token_by_its_id(pinfold, issuer):
    token = (await minted(pinfold, issuer))["token"]
    head, _, secret = token.rpartition("_")
    for guess in (
        head,
        head + "_",
        f"{head}_{'a' * len(secret)}",
        head.removeprefix("pinfold_"),
        "T-" + head[8:].upper(),
    ):
        assert (await post(pinfold, BURN, {"token": guess}))[0] == 202
    assert (await pinfold.get("/private/simple/acme-core/", **basic(token))).status == 404


async def test_without_publishers_there_is_nothing_to_exchange(tmp_path):
    async with in_process(tmp_path / "data", {}) as pinfold:
        assert (await pinfold.get("/_/oidc/audience")).status == 404
        status, told, _ = await post(pinfold, MINT, {"token": "x"})
        assert (status, told["errors"][0]["code"]) == (404, "not-enabled")
