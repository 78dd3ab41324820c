"""What attackers, and issuers in trouble, could send: each is turned away, and at no great cost."""

import base64
import hashlib
import hmac
import json
import time

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from tests.fakes.oidc import AUDIENCE, FakeIssuer, new_curve_key, new_key

from pinfold.adapters.oidc.keys import MAX_AGE, MAX_DOCUMENT, PAUSE, IssuerKeys
from pinfold.adapters.oidc.verifier import LEEWAY, LONGEST_LIFE, MAX_ASSERTION, OidcVerifier
from pinfold.adapters.upstream.options import UpstreamOptions
from pinfold.adapters.upstream.transport import Transport
from pinfold.domain.errors import InvalidIdentity, UpstreamError

DISCOVERY, KEYS = "/.well-known/openid-configuration", "/keys"


class Time:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
async def issuer():
    async with FakeIssuer() as issuer:
        yield issuer


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
async def verifier(issuer, clock):
    options = UpstreamOptions(issuer.url, f"{issuer.url}/", trust_env=False, total_timeout=0.5, retries=0)
    verifier = OidcVerifier({issuer.url: IssuerKeys(issuer.url, Transport(options), clock)}, AUDIENCE)
    yield verifier
    await verifier.aclose()


async def refused(verifier, assertion, match):
    with pytest.raises(InvalidIdentity, match=match) as caught:
        await verifier.verify(assertion)
    assert len(assertion) < 30 or assertion[:30] not in str(caught.value)


def encoded(part):
    return (
        base64.urlsafe_b64encode(part if isinstance(part, bytes) else json.dumps(part).encode()).rstrip(b"=").decode()
    )


async def test_a_token_of_the_issuer_for_this_installation_holds(issuer, verifier):
    claims = issuer.github()
    identity = await verifier.verify(issuer.sign(claims))
    assert (identity.issuer, identity.token_id, identity.claims) == (issuer.url, claims["jti"], claims)
    assert identity.expires_at.timestamp() == claims["exp"]


async def test_a_curve_is_as_good_as_rsa(issuer, verifier):
    issuer.keys["curve"] = new_curve_key()
    assert (await verifier.verify(issuer.sign(issuer.github(), "curve"))).claims["repository"] == "acme/widget"


async def test_keys_are_asked_for_once(issuer, verifier):
    for _ in range(5):
        await verifier.verify(issuer.sign(issuer.github()))
    assert issuer.requests == [DISCOVERY, KEYS]


# What a token may claim of itself.


async def test_no_signature_is_no_signature(issuer, verifier):
    for algorithm in ("none", "None", "NONE", ""):
        unsigned = f"{encoded({'alg': algorithm, 'kid': 'first'})}.{encoded(issuer.github())}."
        await refused(verifier, unsigned, "signature|no JSON Web Token")


async def test_a_public_key_is_no_shared_secret(issuer, verifier):
    public = issuer.keys["first"].public_key()
    for secret in (
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        json.dumps(issuer.jwks()["keys"][0]).encode(),
    ):
        body = f"{encoded({'alg': 'HS256', 'kid': 'first'})}.{encoded(issuer.github())}"
        signed = f"{body}.{encoded(hmac.digest(secret, body.encode(), hashlib.sha256))}"
        await refused(verifier, signed, "signature")


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
async def test_other_algorithms_are_refused_even_when_right(issuer, verifier, algorithm):
    await refused(verifier, issuer.sign(issuer.github(), alg=algorithm), "signature")


async def test_another_key_under_the_same_name_does_not_count(issuer, verifier):
    await refused(verifier, issuer.sign(issuer.github(), key=new_key()), "signature")


async def test_a_token_cannot_bring_its_own_key(issuer, verifier):
    key = new_key()
    mine = FakeIssuer()
    mine.keys = {"first": key}
    own = {"jwk": mine.jwks()["keys"][0], "jku": f"{issuer.url}/mine", "x5u": f"{issuer.url}/mine"}
    await refused(verifier, issuer.sign(issuer.github(), key=key, **own), "signature")
    assert "/mine" not in issuer.requests


async def test_one_changed_letter_breaks_the_signature(issuer, verifier):
    head, body, signature = issuer.sign(issuer.github()).split(".")
    other = encoded(issuer.github(repository="evil/widget"))
    await refused(verifier, f"{head}.{other}.{signature}", "signature")
    await refused(verifier, f"{head}.{body}.{'A' * len(signature)}", "signature")


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"b64": False}, {"kid": None}, {"kid": 7}, {"kid": ["first"]}])
async def test_a_header_that_asks_for_more_is_not_understood(issuer, verifier, header):
    body = f"{encoded({'alg': 'RS256', 'kid': 'first', **header})}.{encoded(issuer.github())}.{encoded(b'x' * 256)}"
    await refused(verifier, body, "header|no JSON Web Token")


# What it may be made for.


@pytest.mark.parametrize(
    "audience", ["pypi", "", "packages.example.evil", "Packages.example", ["packages.example"], None, 7]
)
async def test_a_token_for_another_audience_is_refused(issuer, verifier, audience):
    await refused(verifier, issuer.sign(issuer.github(aud=audience)), "audience|claim aud|malformed")


async def test_a_token_for_several_audiences_is_refused(issuer, verifier):
    await refused(verifier, issuer.sign(issuer.github(aud=[AUDIENCE, "elsewhere"])), "audience")


@pytest.mark.parametrize("iss", ["https://evil.example", "{}/", "{}.evil.example", None, 7, ["{}"]])
async def test_another_issuer_is_not_asked_and_does_not_count(issuer, verifier, iss):
    iss = iss.format(issuer.url) if isinstance(iss, str) else iss
    body = {**issuer.github(), "iss": iss}
    signed = f"{encoded({'alg': 'RS256', 'kid': 'first'})}.{encoded(body)}.{encoded(b'x')}"
    await refused(verifier, signed, "issuer is none|no JSON Web Token")
    assert issuer.requests == []


# When it holds.


async def test_a_token_holds_in_its_time_and_in_no_other(issuer, verifier):
    now = int(time.time())
    await verifier.verify(issuer.sign(issuer.github(exp=now - LEEWAY + 10, iat=now - 300)))
    await refused(verifier, issuer.sign(issuer.github(exp=now - LEEWAY - 1, iat=now - 300)), "expired")
    await verifier.verify(issuer.sign(issuer.github(nbf=now + LEEWAY - 10, iat=now + LEEWAY - 10)))
    await refused(verifier, issuer.sign(issuer.github(nbf=now + LEEWAY + 10)), "not valid yet")
    await refused(verifier, issuer.sign(issuer.github(iat=now + LEEWAY + 10)), "not valid yet")


async def test_a_token_does_not_live_for_ever(issuer, verifier):
    now = int(time.time())
    await refused(verifier, issuer.sign(issuer.github(exp=now + LONGEST_LIFE + 60)), "longer than a day")
    await refused(verifier, issuer.sign(issuer.github(exp=10**18)), "longer than a day|malformed")


@pytest.mark.parametrize("claim", ["exp", "iat", "jti", "aud"])
async def test_a_claim_that_is_left_out_is_missed(issuer, verifier, claim):
    await refused(verifier, issuer.sign(issuer.github(**{claim: None})), f"no claim {claim}")


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": "soon"},
        {"exp": []},
        {"iat": "x"},
        {"jti": ""},
        {"jti": "x" * 999},
        {"jti": 7},
        {"exp": float("inf")},
        {"nbf": {}},
    ],
)
async def test_claims_of_odd_kinds_are_malformed(issuer, verifier, claims):
    body = {**issuer.github(), **claims}
    head = f"{encoded({'alg': 'RS256', 'kid': 'first'})}.{encoded(body)}"
    import jwt

    signature = jwt.get_algorithm_by_name("RS256").sign(head.encode(), issuer.keys["first"])
    await refused(verifier, f"{head}.{encoded(signature)}", "malformed|longer than a day")


# What is no token at all.


@pytest.mark.parametrize(
    "text",
    [
        ".",
        "..",
        "a.b.c",
        "x" * MAX_ASSERTION,
        "é.é.é",
        "\x00.\x00.\x00",
        "eyJhbGciOiJSUzI1NiJ9.W10.eA",
        "eyJhbGciOiJSUzI1NiJ9.bnVsbA.eA",
    ],
)
async def test_what_is_no_token_is_told_so(issuer, verifier, text):
    await refused(verifier, text, "no JSON Web Token")
    assert issuer.requests == []


async def test_a_huge_token_is_not_even_read(issuer, verifier):
    huge = issuer.sign(issuer.github(more="x" * MAX_ASSERTION))
    await refused(verifier, huge, f"longer than {MAX_ASSERTION}")
    assert issuer.requests == []


async def test_a_token_that_is_deep_does_not_exhaust_the_stack(issuer, verifier):
    deep = encoded(b'{"iss":' + b"[" * 5000 + b"]" * 5000 + b"}")
    await refused(verifier, f"{encoded({'alg': 'RS256', 'kid': 'first'})}.{deep}.eA", "no JSON Web Token|issuer")
    await refused(verifier, f"{deep}.{encoded(issuer.github())}.eA", "no JSON Web Token|header")


# Keys come and go.


async def test_a_new_key_is_found_but_not_looked_for_at_every_strangers_word(issuer, verifier, clock):
    await verifier.verify(issuer.sign(issuer.github()))
    key = new_key()
    for number in range(20):
        await refused(verifier, issuer.sign(issuer.github(), kid=f"made-up-{number}", key=key), "does not have")
    assert issuer.requests == [DISCOVERY, KEYS]
    issuer.keys["second"] = new_key()
    clock.now += PAUSE
    await verifier.verify(issuer.sign(issuer.github(), "second"))
    assert issuer.requests == [DISCOVERY, KEYS] * 2


async def test_a_key_that_was_withdrawn_is_soon_forgotten(issuer, verifier, clock):
    old = issuer.keys["first"]
    await verifier.verify(issuer.sign(issuer.github()))
    issuer.keys = {"second": new_key()}
    await verifier.verify(issuer.sign(issuer.github(), key=old))
    clock.now += MAX_AGE
    await refused(verifier, issuer.sign(issuer.github(), key=old), "does not have")


async def test_a_silent_issuer_vouches_for_nobody_and_is_not_asked_at_every_strangers_word(issuer, verifier, clock):
    issuer.answers[KEYS] = web.Response(status=500)
    for _ in range(5):
        with pytest.raises(UpstreamError):
            await verifier.verify(issuer.sign(issuer.github()))
    assert issuer.requests == [DISCOVERY, KEYS]
    issuer.answers.clear()
    clock.now += PAUSE
    await verifier.verify(issuer.sign(issuer.github()))


async def test_keys_do_not_outlive_an_issuer_that_is_gone(issuer, verifier, clock):
    await verifier.verify(issuer.sign(issuer.github()))
    issuer.answers[DISCOVERY] = web.Response(status=404)
    await verifier.verify(issuer.sign(issuer.github()))
    clock.now += MAX_AGE
    for _ in range(2):
        with pytest.raises(UpstreamError):
            await verifier.verify(issuer.sign(issuer.github()))


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (DISCOVERY, web.Response(body=b'{"issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys"}')),
        (DISCOVERY, web.Response(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"})),
        (DISCOVERY, web.Response(status=302, headers={"Location": "https://evil.example/"})),
        (DISCOVERY, web.Response(body=b"[]")),
        (DISCOVERY, web.Response(body=b"\xff")),
        (DISCOVERY, web.Response(body=b"[" * 100_000)),
        (KEYS, web.Response(body=b"x" * (MAX_DOCUMENT + 1))),
        (KEYS, web.Response(status=302, headers={"Location": "http://10.0.0.1/keys"})),
        (KEYS, web.Response(body=b"{}", headers={"Content-Encoding": "gzip"})),
        (KEYS, 5.0),
    ],
)
async def test_an_issuer_that_lies_stalls_or_leads_elsewhere_is_not_followed(issuer, verifier, path, answer):
    issuer.answers[path] = answer
    began = time.monotonic()
    with pytest.raises(UpstreamError):
        await verifier.verify(issuer.sign(issuer.github()))
    assert time.monotonic() < began + 3


@pytest.mark.parametrize(
    "uri",
    ["http://169.254.169.254/keys", "file:///etc/passwd", "http://evil.example:22/keys", "", 7, "keys", "http://[::1"],
)
async def test_the_address_of_keys_is_a_strangers_text(issuer, verifier, uri):
    about = json.dumps({"issuer": issuer.url, "jwks_uri": uri}).encode()
    issuer.answers[DISCOVERY] = web.Response(body=about)
    with pytest.raises(UpstreamError):
        await verifier.verify(issuer.sign(issuer.github()))


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"alg": "RS512"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kid": None},
        {"n": "AQ"},
        {"n": "%%%"},
        {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"},
    ],
)
async def test_a_key_that_is_for_something_else_or_weak_is_left_out(issuer, verifier, change):
    issuer.keys["other"] = new_curve_key()
    keys = issuer.jwks()
    keys["keys"][0].update(change)
    issuer.answers[KEYS] = web.Response(body=json.dumps(keys).encode())
    await refused(verifier, issuer.sign(issuer.github()), "does not have")
    await verifier.verify(issuer.sign(issuer.github(), "other"))


async def test_a_short_key_is_left_out(issuer, verifier):
    short = FakeIssuer()
    short.keys = {"first": new_key(1024)}
    issuer.answers[KEYS] = web.Response(body=json.dumps(short.jwks()).encode())
    with pytest.raises(UpstreamError, match="no keys that can be used"):
        await verifier.verify(issuer.sign(issuer.github()))


async def test_an_issuer_is_asked_for_its_keys_when_somebody_wants_to_know(issuer, verifier):
    await verifier.ask(issuer.url)
    assert issuer.requests == [DISCOVERY, KEYS]
    issuer.keys = {}
    with pytest.raises(UpstreamError, match="no keys"):
        await verifier.ask(issuer.url)
