from base64 import b64encode

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from tests.fakes.clock import NOON

from pinfold.domain.access import Principal, Role, Scope, Token
from pinfold.domain.errors import AccessDenied
from pinfold.web import app as module
from pinfold.web.access import credential_of, require
from pinfold.web.actor import PRINCIPAL, actor_of

TOKEN = Token("T-AAAAAAA", "ci", Role.READER, Scope(("prod",), ("acme-*",)), "kim", NOON)


def request(*lines, principal=None):
    made = make_mocked_request("GET", "/", CIMultiDict([("Authorization", line) for line in lines]))
    made[PRINCIPAL] = principal or Principal()
    return made


def basic(text):
    return "Basic " + b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("line", "credential"),
    [
        (basic("__token__:pinfold_x"), "pinfold_x"),
        (basic("anybody:pinfold_x"), "pinfold_x"),
        (basic(":pinfold_x"), "pinfold_x"),
        (basic("pinfold_x:"), "pinfold_x"),
        (basic("pinfold_x"), "pinfold_x"),
        (basic("__token__:pinfold_x\n"), "pinfold_x"),
        (basic("__token__:with:colons"), "with:colons"),
        ("bAsIc " + b64encode(b"u:pinfold_x").decode(), "pinfold_x"),
        ("  Basic   " + b64encode(b"u:pinfold_x").decode(), "pinfold_x"),
        ("Bearer pinfold_x", "pinfold_x"),
        ("bearer  pinfold_x ", "pinfold_x"),
        ("Bearer", ""),
        ("Basic", ""),
        ("Basic %%%", ""),
        ("Basic /w==", ""),
        ("Digest username=x", ""),
        ("pinfold_x", ""),
        ("", ""),
    ],
)
def test_a_credential_is_read_as_clients_send_it(line, credential):
    assert credential_of(request(line)) == credential


def test_no_credential_is_none_and_two_are_none_that_can_be_read():
    assert credential_of(request()) is None
    assert credential_of(request("Bearer a", "Bearer b")) == ""


@given(st.text(st.characters(codec="latin-1"), max_size=200))
def test_no_header_breaks_the_reading(line):
    assert isinstance(credential_of(request(line)), str)
    assert isinstance(credential_of(request(f"Basic {line}")), str)


@given(
    st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"])),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
)
def test_the_password_is_the_credential_whoever_the_user(user, password):
    assert credential_of(request(basic(f"{user}:{password}"))) == password.strip() or not password.strip()


def test_a_challenge_is_sent_where_a_credential_would_help_and_only_there():
    with pytest.raises(AccessDenied) as nobody:
        require(request(), False, "read")
    assert nobody.value.credential_helps
    with pytest.raises(AccessDenied) as somebody:
        require(request("Bearer x"), False, "read")
    assert not somebody.value.credential_helps
    with pytest.raises(AccessDenied) as holder:
        require(request("Bearer x", principal=Principal(TOKEN)), False, "publish on index main")
    assert not holder.value.credential_helps
    assert str(holder.value) == "token T-AAAAAAA (reader for acme-* of index prod) may not publish on index main"
    require(request(), True, "read")


def test_the_actor_is_whose_token_it_is():
    assert actor_of(request(), ()).name == "anonymous"
    actor = actor_of(request(principal=Principal(TOKEN)), ())
    assert (actor.name, actor.token) == ("ci", "T-AAAAAAA")


def test_a_route_without_a_need_keeps_the_application_from_being_built(monkeypatch):
    def forgetful(app, route):
        app.router.add_route("GET", "/forgotten", module.landing.page)

    monkeypatch.setattr(module, "_add", forgetful)
    monkeypatch.setattr(module, "ROUTES", module.ROUTES[:1])
    monkeypatch.setattr(module, "INDEX_ROUTES", ())
    with pytest.raises(RuntimeError, match="/forgotten"):
        module.build_app(None)
