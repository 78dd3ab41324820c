from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.oidc import FakeIssuer

from pinfold.domain.access import Scope
from pinfold.domain.errors import InvalidIdentity
from pinfold.domain.provenance import Environment, PublisherKind, PublisherPin, WorkflowPublisher
from pinfold.domain.trusted_publishing import Identity, TrustedPublisher, publisher_of

GITHUB, GITLAB = PublisherKind.GITHUB, PublisherKind.GITLAB
ISSUER = FakeIssuer()
WIDGET = WorkflowPublisher(GITHUB, "acme/widget", "publish.yml", Environment("release", certified=True), "1001", "77")


def shown(claims, issuer="http://127.0.0.1:0"):
    return Identity(issuer, "jti", datetime(2026, 3, 24, tzinfo=UTC), claims)


def github(**claims):
    return publisher_of(GITHUB, shown(ISSUER.github(**claims)))


def gitlab(**claims):
    return publisher_of(GITLAB, shown(ISSUER.gitlab(**claims)))


def test_a_workflow_is_told_from_where_it_is_defined():
    assert github() == WIDGET
    assert github(environment=None).environment is None
    assert gitlab() == WorkflowPublisher(GITLAB, "group/sub/widget", "ci/publish.yml", None, "22", "72")
    assert gitlab(environment="prod").environment == Environment("prod", certified=True)


def test_a_self_hosted_service_names_itself():
    claims = ISSUER.gitlab(ci_config_ref_uri="git.example/lab/group/sub/widget//.gitlab-ci.yml@refs/tags/v1")
    assert publisher_of(GITLAB, shown(claims, "https://git.example/lab")).workflow == ".gitlab-ci.yml"
    with pytest.raises(InvalidIdentity):
        publisher_of(GITLAB, shown(claims, "https://git.example"))


def test_a_workflow_may_have_been_read_at_a_commit():
    sha = ISSUER.github()["sha"]
    assert github(ref=None, job_workflow_ref=f"acme/widget/.github/workflows/publish.yml@{sha}") == WIDGET


@pytest.mark.parametrize(
    "reference",
    [
        "acme/shared/.github/workflows/publish.yml@refs/tags/v1",
        "evil/acme/widget/.github/workflows/publish.yml@refs/tags/v1",
        "acme/widget/.github/workflows/publish.yml@refs/heads/other",
        "acme/widget/.github/workflows/publish.yml",
        "acme/widget/.github/workflows/@refs/tags/v1",
        "acme/widget/.github/workflows@refs/tags/v1",
        "acme/widget/publish.yml@refs/tags/v1",
        "@refs/tags/v1",
        "acme/widget/.github/workflows/",
    ],
)
def test_a_workflow_of_another_repository_or_ref_is_nobody(reference):
    with pytest.raises(InvalidIdentity, match="job_workflow_ref"):
        github(job_workflow_ref=reference)


@pytest.mark.parametrize(
    "reference",
    [
        "127.0.0.1:0/group/sub/other//ci/publish.yml@refs/tags/v1",
        "evil.example/group/sub/widget//ci/publish.yml@refs/tags/v1",
        "127.0.0.1:0/group/sub/widget//ci/publish.yml@refs/heads/x",
    ],
)
def test_a_pipeline_of_another_project_or_host_is_nobody(reference):
    with pytest.raises(InvalidIdentity, match="ci_config_ref_uri"):
        gitlab(ci_config_ref_uri=reference)


def test_what_a_pull_request_of_a_stranger_can_start_does_not_publish():
    with pytest.raises(InvalidIdentity, match="pull_request_target"):
        github(event_name="pull_request_target")


@pytest.mark.parametrize("claim", ["repository", "job_workflow_ref", "repository_id", "repository_owner_id"])
@pytest.mark.parametrize("value", [None, "", 7, ["acme/widget"], {"a": 1}, "acme\n/widget", "x" * 2000])
def test_a_claim_that_is_missing_or_odd_is_told(claim, value):
    with pytest.raises(InvalidIdentity, match=claim):
        github(**{claim: value})


@given(st.text(max_size=60), st.text(max_size=90), st.lists(st.text(max_size=20), max_size=2))
def test_no_claims_break_the_reading(repository, reference, refs):
    claims = {
        **ISSUER.github(),
        "repository": repository,
        "job_workflow_ref": reference,
        **dict(zip(("ref", "sha"), refs, strict=False)),
    }
    try:
        publisher = publisher_of(GITHUB, shown(claims))
    except InvalidIdentity:
        return
    assert reference.lower().startswith(f"{repository}/.github/workflows/{publisher.workflow}".lower())


PIN = PublisherPin(GITHUB, "acme/widget", "publish.yml", "release")
TRUSTED = TrustedPublisher(ISSUER.url, PIN, Scope(("main",), ("widget",)))


@pytest.mark.parametrize(
    ("claims", "admitted"),
    [
        ({}, True),
        ({"repository": "ACME/Widget"}, True),
        ({"environment": "Release"}, True),
        ({"environment": "staging"}, False),
        ({"environment": None}, False),
        ({"repository": "acme/gadget"}, False),
        ({"repository": "acme/widget2"}, False),
        ({"job_workflow_ref": "acme/widget/.github/workflows/test.yml@refs/tags/v1"}, False),
        ({"job_workflow_ref": "acme/widget/.github/workflows/PUBLISH.yml@refs/tags/v1"}, False),
        ({"job_workflow_ref": "acme/widget/.github/workflows/sub/publish.yml@refs/tags/v1"}, False),
    ],
)
def test_a_publisher_is_the_workflow_that_was_written(claims, admitted):
    assert TRUSTED.admits(github(**claims)) is admitted


@pytest.mark.parametrize(
    ("written", "seen", "own"),
    [
        ({}, None, True),
        ({}, {}, True),
        ({}, {"owner_id": "666"}, False),
        ({}, {"repository_id": "666"}, False),
        ({"owner_id": "77"}, {"owner_id": "666"}, True),
        ({"owner_id": "77"}, {"repository_id": "666"}, False),
        ({"owner_id": "77", "repository_id": "1001"}, {"repository_id": "666", "owner_id": "666"}, True),
        ({"owner_id": "666"}, None, False),
        ({"repository_id": "666"}, {}, False),
    ],
)
def test_a_name_that_somebody_else_registered_again_is_told_by_its_ids(written, seen, own):
    seen = None if seen is None else replace(WIDGET, **seen)
    assert replace(TRUSTED, **written).takes_for_its_own(WIDGET, seen) is own
