"""Somebody who vouches for workflows, as GitHub and GitLab do: keys, discovery, and identity tokens with any claims."""

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

AUDIENCE = "packages.example"
_ALGORITHMS = {"RSA": "RS256", "EC": "ES256"}
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class FakeIssuer:
    """An issuer with a real server on 127.0.0.1, for `async with`; `running_issuer` runs it for blocking tests."""

    def __init__(self) -> None:
        self.keys: dict[str, PrivateKey] = {"first": _KEY}
        self.requests: list[str] = []
        self.answers: dict[str, web.Response | float] = {}
        """By path: what is answered in place of the truth, or the seconds that it takes."""
        self.claims: dict[str, Any] = {}
        """What GitHub's own endpoint, which runners ask, puts into identities."""
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def github(self, **claims: Any) -> dict[str, Any]:
        """Claims as GitHub makes them for acme/widget; those given replace them, and None leaves one out."""
        now = int(time.time())
        repository = claims.get("repository", "acme/widget")
        told = {
            "iss": self.url,
            "aud": AUDIENCE,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "nbf": now - 5,
            "exp": now + 300,
            "sub": f"repo:{repository}:environment:release",
            "repository": repository,
            "repository_owner": "acme",
            "repository_id": "1001",
            "repository_owner_id": "77",
            "job_workflow_ref": f"{repository}/.github/workflows/publish.yml@refs/tags/v1",
            "environment": "release",
            "ref": "refs/tags/v1",
            "sha": "c0ffee" * 6 + "c0ff",
            "event_name": "release",
            "actor": "octocat",
            "run_id": "4711",
        }
        return {name: value for name, value in (told | claims).items() if value is not None}

    def gitlab(self, **claims: Any) -> dict[str, Any]:
        """Claims as GitLab makes them for group/sub/widget."""
        host = self.url.removeprefix("http://")
        told = {
            **{
                name: value
                for name, value in self.github().items()
                if name in {"iss", "aud", "jti", "iat", "nbf", "exp"}
            },
            "sub": "project_path:group/sub/widget:ref_type:tag:ref:v1",
            "project_path": "group/sub/widget",
            "project_id": "22",
            "namespace_path": "group/sub",
            "namespace_id": "72",
            "ci_config_ref_uri": f"{host}/group/sub/widget//ci/publish.yml@refs/tags/v1",
            "ref_path": "refs/tags/v1",
            "sha": "c0ffee" * 6 + "c0ff",
            "pipeline_id": "212",
        }
        return {name: value for name, value in (told | claims).items() if value is not None}

    def sign(self, claims: dict[str, Any], kid: str = "first", key: Any = None, **headers: Any) -> str:
        """Return a token over some claims, by any key and with any headers."""
        key = key or self.keys[kid]
        algorithm = headers.pop("alg", "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256")
        return jwt.encode(claims, key, algorithm, {"kid": kid, **headers})

    def jwks(self) -> dict[str, Any]:
        keys = []
        for kid, key in self.keys.items():
            maker = jwt.get_algorithm_by_name("ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256")
            keys.append({**maker.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"})
        return {"keys": keys}

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        told = self.answers.get(request.path)
        if isinstance(told, float):
            await asyncio.sleep(told)
        elif told is not None:
            return web.Response(status=told.status, body=told.body, headers=told.headers)
        match request.path:
            case "/.well-known/openid-configuration":
                return _json({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
            case "/keys":
                return _json(self.jwks())
            case "/runner":
                # As ACTIONS_ID_TOKEN_REQUEST_URL answers a runner.
                claims = self.github(aud=request.query["audience"], **self.claims)
                return _json({"value": self.sign(claims)})
        return web.Response(status=404)


@contextmanager
def running_issuer() -> Iterator[FakeIssuer]:
    """Run an issuer beside the test, in a thread and an event loop of its own."""
    issuer, loop = FakeIssuer(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake-issuer", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(issuer.__aenter__(), loop).result(10)
        try:
            yield issuer
        finally:
            asyncio.run_coroutine_threadsafe(issuer.__aexit__(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def new_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def new_curve_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _json(document: dict[str, Any]) -> web.Response:
    return web.Response(body=json.dumps(document).encode(), content_type="application/json")


_KEY = new_key()
