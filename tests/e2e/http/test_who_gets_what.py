"""Who gets what: every route asked by everybody, and the answer that each must get. What is not here fails."""

import base64
import itertools
import json
from dataclasses import dataclass
from datetime import timedelta

import pytest
from tests.e2e.in_process import in_process
from tests.fakes.oidc import AUDIENCE, FakeIssuer

from pinfold.domain.access import Role, Scope
from pinfold.domain.audit_entry import Actor
from pinfold.usecases.tokens import Tokens

KIM = Actor("kim")
NOW_AND_HERE = {
    # Who, with which role, and what of the installation it reaches.
    "reader": (Role.READER, Scope()),
    "reader of closed": (Role.READER, Scope(("closed",))),
    "reader of another": (Role.READER, Scope(("main",))),
    "reader of acme": (Role.READER, Scope(("closed",), ("acme",))),
    "reader of other": (Role.READER, Scope(("closed",), ("other-*",))),
    "publisher": (Role.PUBLISHER, Scope()),
    "publisher of acme": (Role.PUBLISHER, Scope(("cl*",), ("acme",))),
    "publisher of another": (Role.PUBLISHER, Scope(("main",))),
    "auditor": (Role.AUDITOR, Scope()),
    "auditor of closed": (Role.AUDITOR, Scope(("closed",))),
    "admin": (Role.ADMIN, Scope()),
    "admin of closed": (Role.ADMIN, Scope(("closed",))),
    "admin of another": (Role.ADMIN, Scope(("main",))),
}
TURNED_AWAY = ("expired", "revoked", "mistyped", "unknown")
EVERYBODY = ("nobody", "a password", *NOW_AND_HERE, *TURNED_AWAY)


def only(*allowed: str, nobody: int = 401) -> dict[str, int | None]:
    """Everybody's answer where some are let in, which None stands for: the route then says what it has."""
    return {who: None if who in allowed else nobody if who == "nobody" else 403 for who in EVERYBODY}


EVERYBODY_IN = dict.fromkeys(EVERYBODY)
"""Also those whose token does not hold: these routes do not look at one."""
ALL_BUT_TURNED_AWAY = {who: 403 if who in TURNED_AWAY else None for who in EVERYBODY}
"""What is open to all is closed to nobody but the holder of a token that does not hold, who would not notice."""
READERS = ("reader", "reader of closed", "publisher", "admin", "admin of closed")
OF_CLOSED = {
    "read acme": only(*READERS, "reader of acme", "publisher of acme"),
    "list": only(*READERS),
    "publish": only("publisher", "publisher of acme", "admin", "admin of closed"),
    "nothing": EVERYBODY_IN,
}
OF_MAIN = {
    "read acme": ALL_BUT_TURNED_AWAY,
    "list": ALL_BUT_TURNED_AWAY,
    "publish": only("publisher", "publisher of another", "admin", "admin of another"),
    "nothing": EVERYBODY_IN,
}

# By method and route: an address that stands for it, what it asks for, and what it says to whoever is let in.
READING = {
    ("GET", "/simple/"): ("/simple/", "list", 200),
    ("GET", "/simple"): ("/simple", "nothing", 301),
    ("GET", "/simple/{project}/"): ("/simple/acme/", "read acme", 200),
    ("GET", "/simple/{project}"): ("/simple/Acme", "read acme", 301),
    ("GET", "/files/{project}/{sha256}/{filename}"): ("/files/acme/{sha256}/{filename}", "read acme", 200),
    ("GET", "/packages/{path}"): ("{path}", "read acme", 200),
}
OF_INDEX = {
    **READING,
    **{
        (method, "/as-of/{as_of}" + path): ("/as-of/2026-01-01" + address, *rest)
        for (method, path), (address, *rest) in READING.items()
    },
    ("GET", "/integrity/{project}/{version}/{filename}/provenance"): (
        "/integrity/acme/1.0/{filename}/provenance",
        "read acme",
        404,
    ),
    ("POST", "/legacy/"): ("/legacy/", "publish", 400),
    ("POST", "/legacy"): ("/legacy", "publish", 400),
}
OF_ALL = {
    ("GET", "/"): ("/", EVERYBODY_IN, 200),
    ("GET", "/healthz"): ("/healthz", EVERYBODY_IN, 200),
    ("GET", "/readyz"): ("/readyz", EVERYBODY_IN, 200),
    ("GET", "/metrics"): ("/metrics", only("auditor", "admin"), 200),
    ("GET", "/_/oidc/audience"): ("/_/oidc/audience", EVERYBODY_IN, 200),
    ("POST", "/_/oidc/mint-token"): ("/_/oidc/mint-token", EVERYBODY_IN, 422),
    ("POST", "/_/oidc/burn-token"): ("/_/oidc/burn-token", EVERYBODY_IN, 202),
}


def matrix():
    """Every route by method and path, with the address that is asked, everybody's answer, and the answer inside."""
    for route, (address, answers, inside) in OF_ALL.items():
        yield route, address, answers, inside
    for prefix, index, answers in (
        ("", "", OF_MAIN),
        ("/{index}", "/main", OF_MAIN),
        ("/{index}", "/closed", OF_CLOSED),
    ):
        for (method, path), (address, need, inside) in OF_INDEX.items():
            yield (method, prefix + path), index + address, answers[need], inside


@dataclass
class World:
    pinfold: object
    texts: dict[str, str | None]
    file: object
    asked: itertools.count

    async def ask(self, method, address, who, **headers):
        """Ask as somebody, each time from another address, so that no limit of failures has a say."""
        number = next(self.asked)
        address = address.format(sha256=self.file.sha256, filename=self.file.filename, path=self.file.path)
        if (text := self.texts[who]) is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(f"__token__:{text}".encode()).decode()
        forwarded = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        if method == "POST":
            headers["Content_Length"] = "0"
        return await self.pinfold.get(address, method, X_Forwarded_For=forwarded, **headers)


@pytest.fixture
async def world(upstream, overrides, tmp_path):
    async with FakeIssuer() as issuer:
        file = upstream.add_file("acme", "1.0")
        publisher = {"kind": "GitHub", "repository": "acme/widget", "workflow": "publish.yml", "projects": ["acme"]}
        overrides |= {
            "server.trusted_proxies": ["127.0.0.1"],
            "indexes.main.anonymous": True,
            "indexes.closed.anonymous": False,
            "trusted_publishing.audience": AUDIENCE,
            "trusted_publishing.publishers": [{**publisher, "issuer": issuer.url}],
        }
        async with in_process(tmp_path / "data", overrides) as pinfold:
            yield World(pinfold, await texts(pinfold.installation), file, itertools.count(1))


async def texts(installation):
    use = Tokens(installation.tokens, installation.clock, installation.indexes)
    found = {"nobody": None, "a password": "hunter2"}
    for who, (role, scope) in NOW_AND_HERE.items():
        found[who] = (await use.create(who, role, scope, None, KIM)).text
    ended = await use.create("revoked", Role.ADMIN, Scope(), None, KIM)
    await use.revoke(ended.token.id, KIM)
    soon = installation.clock.now() + timedelta(milliseconds=1)
    late = await use.create("expired", Role.ADMIN, Scope(), soon, KIM)
    found |= {"revoked": ended.text, "expired": late.text, "mistyped": found["admin"][:-1] + "x"}
    found["unknown"] = ended.text
    await use.create("unknown", Role.ADMIN, Scope(), None, KIM)
    return found


async def test_every_route_is_in_the_matrix(world):
    there = {(route.method, route.resource.canonical) for route in world.pinfold.app.router.routes()}
    known = {route for route, *_ in matrix()}
    assert there == known | {("HEAD", path) for method, path in known if method == "GET"}


async def test_everybody_gets_exactly_what_is_theirs(world):
    wrong = []
    for (method, path), address, answers, inside in matrix():
        assert answers.keys() == set(EVERYBODY)
        for asking in (method, "HEAD") if method == "GET" else (method,):
            for who, status in answers.items():
                answer = await world.ask(asking, address, who)
                expected = inside if status is None else status
                if answer.status != expected:
                    wrong.append(f"{who}: {asking} {path} ({address}): {answer.status} {answer.reason}, not {expected}")
                assert ("WWW-Authenticate" in answer.headers) is (answer.status == 401), (who, address)
    assert not wrong, "\n".join(wrong)


async def test_a_project_out_of_scope_is_refused_wherever_it_is_named(world):
    for path in (
        "/closed/simple/acme/",
        "/closed/simple/ACME/",
        "/closed/simple/a%63me/",
        "/closed/files/acme/{sha256}/{filename}",
        "/closed/files/acme/{sha256}/{filename}.metadata",
        "/closed{path}",
        "/closed{path}.metadata",
        "/closed/integrity/acme/1.0/{filename}/provenance",
        "/closed/simple/",
    ):
        answer = await world.ask("GET", path, "reader of other")
        assert answer.status == 403, path
        assert b"may not" in answer.body, path
        assert b"no upstream" not in answer.body, "whether there is such a project is nothing they may know"


async def test_an_index_that_does_not_exist_is_as_closed_as_one_that_does(world):
    for who, status in {"nobody": 401, "a password": 403, "reader of closed": 403, "reader": 404, "admin": 404}.items():
        for path in ("/nowhere/simple/acme/", "/nowhere/simple/", "/nowhere/files/acme/{sha256}/{filename}"):
            assert (await world.ask("GET", path, who)).status == status, (who, path)


async def test_the_first_page_shows_what_is_open_to_its_reader_and_nothing_else(world):
    for who in EVERYBODY:
        shown = (await world.ask("GET", "/", who)).body
        assert b"/simple/" in shown
        assert b"closed" not in shown


async def test_where_nothing_is_open_the_first_page_says_what_is_needed(tmp_path):
    async with in_process(tmp_path / "data", {"server.base_url": "https://packages.example"}) as pinfold:
        shown = (await pinfold.get("/")).body
        assert b"needs a token" in shown
        assert b"pip install" not in shown


async def test_what_a_token_opened_is_kept_in_no_cache_that_others_share(world):
    for path in ("/closed/simple/acme/", "/closed/simple/", "/closed/files/acme/{sha256}/{filename}", "/metrics"):
        told = (await world.ask("GET", path, "admin")).headers["Cache-Control"].split(", ")
        assert told[0] == "private", path
    for who, path in (("nobody", "/simple/acme/"), ("a password", "/simple/acme/")):
        assert "private" not in (await world.ask("GET", path, who)).headers["Cache-Control"]
    for who in ("nobody", *TURNED_AWAY):
        assert "no-store" in (await world.ask("GET", "/closed/simple/acme/", who)).headers["Cache-Control"]


async def test_a_refusal_says_who_may_not_do_what_and_never_the_secret(world):
    answer = await world.ask("GET", "/closed/simple/acme/", "reader of other")
    said = json.loads(answer.body)["detail"]
    assert said.endswith("(reader for other-* of index closed) may not read from index closed")
    for who in EVERYBODY:
        answer = await world.ask("GET", "/closed/simple/acme/", who)
        assert (world.texts[who] or "pinfold_") not in answer.raw.decode("latin-1"), who


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("::1", 200),
        ("127.9.9.9", 200),
        ("10.0.0.1", 401),
        ("127.9.9.9, 10.0.0.1", 401),
        ("me", 401),
        ("127.0.0.1", 401),
    ],
)
async def test_metrics_are_read_on_this_machine_without_a_token(world, forwarded, status):
    assert (await world.pinfold.get("/metrics", X_Forwarded_For=forwarded)).status == status


async def test_a_front_that_nobody_told_of_does_not_make_the_world_local(tmp_path):
    async with in_process(tmp_path / "data", {"server.base_url": "https://packages.example"}) as pinfold:
        assert (await pinfold.get("/metrics")).status == 200
        for header in ({"X_Forwarded_For": "127.0.0.1"}, {"forwarded": "for=127.0.0.1"}, {"via": "1.1 front"}):
            assert (await pinfold.get("/metrics", **header)).status == 401
