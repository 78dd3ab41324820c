from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.domain.access import Principal, Role, Scope, Token

NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)
EVERYTHING = Scope()
TEAM = Scope(("team", "team-*"), ("acme-*", "widget"))
OPEN = frozenset({"main"})


def holder(role, scope=EVERYTHING, open_indexes=OPEN):
    return Principal(Token("T-AAAAAAA", "somebody", role, scope, "kim", NOON), open_indexes)


@pytest.mark.parametrize(
    ("role", "reads", "publishes", "audits", "administers"),
    [
        (Role.READER, True, False, False, False),
        (Role.PUBLISHER, True, True, False, False),
        (Role.AUDITOR, False, False, True, False),
        (Role.ADMIN, True, True, True, True),
    ],
)
def test_a_role_allows_what_it_is_for(role, reads, publishes, audits, administers):
    who = holder(role)
    assert (who.may_read("prod", "acme"), who.may_list("prod")) == (reads, reads)
    assert (who.may_publish("prod"), who.may_publish("prod", "acme")) == (publishes, publishes)
    assert (who.may_audit(), who.may_audit("prod")) == (audits, audits)
    assert (who.may_administer(), who.may_administer("prod")) == (administers, administers)


def test_nobody_in_particular_reads_what_is_open_and_does_nothing_else():
    nobody = Principal(None, OPEN)
    assert nobody.may_read("main", "acme")
    assert nobody.may_list("main")
    assert not nobody.may_read("prod", "acme")
    assert not nobody.may_list("prod")
    for index in ("main", "prod", None):
        assert not nobody.may_audit(index)
        assert not nobody.may_administer(index)
    for index in ("main", "prod"):
        assert not nobody.may_publish(index)
        assert not nobody.may_publish(index, "acme")


@pytest.mark.parametrize("role", Role)
def test_no_token_makes_less_of_what_is_open(role):
    assert holder(role, TEAM).may_read("main", "anything")
    assert holder(role, TEAM).may_list("main")


def test_a_scope_confines_reading_and_publishing_alike():
    who = holder(Role.PUBLISHER, TEAM)
    for may in (who.may_read, who.may_publish):
        assert may("team", "acme-core")
        assert may("team-blue", "widget")
        assert not may("team", "acme")
        assert not may("team", "widgets")
        assert not may("teams", "acme-core")
        assert not may("prod", "acme-core")
    assert who.may_publish("team")
    assert not who.may_publish("prod")
    assert not who.may_list("team")


def test_what_concerns_the_whole_installation_needs_a_scope_without_bounds():
    who = holder(Role.ADMIN, Scope(("team",)))
    assert who.may_administer("team")
    assert who.may_audit("team")
    assert not who.may_administer("prod")
    assert not who.may_administer()
    assert not who.may_audit()


@given(st.sampled_from(Role), st.text(min_size=1, max_size=8), st.text(max_size=8))
def test_a_narrower_scope_never_allows_more(role, index, project):
    wide, narrow = holder(role, open_indexes=frozenset()), holder(role, TEAM, frozenset())
    assert wide.may_read(index, project) >= narrow.may_read(index, project)
    assert wide.may_publish(index, project) >= narrow.may_publish(index, project)
    assert wide.may_audit(index) >= narrow.may_audit(index)
    assert wide.may_administer(index) >= narrow.may_administer(index)


def test_names_are_compared_as_they_are():
    assert not holder(Role.READER, Scope(("*",), ("acme-*",))).may_read("prod", "ACME-core")


def test_a_token_stands_until_it_expires_or_is_revoked():
    token = Token("T-AAAAAAA", "ci", Role.READER, EVERYTHING, "kim", NOON, expires_at=NOON + timedelta(hours=1))
    assert token.stands_at(NOON)
    assert not token.stands_at(NOON + timedelta(hours=1))
    assert not replace(token, revoked_at=NOON).stands_at(NOON)
    assert replace(token, expires_at=None).stands_at(NOON + timedelta(days=9999))


def test_a_scope_says_what_it_is():
    assert str(EVERYTHING) == "every index"
    assert str(Scope(("main", "prod"))) == "index main, prod"
    assert str(TEAM) == "acme-*, widget of index team, team-*"
