"""What of a publisher is read from the certificate, and how it is compared with what the index says."""

from typing import Any

import pytest
from tests.fakes.sigstore import GitHubIdentity, GitLabIdentity, Identity, LocalSigstore

from pinfold.domain.provenance import Environment, PublisherKind, WorkflowPublisher

CLAIM = GitHubIdentity().publisher()


async def publisher(sigstore: LocalSigstore, judge: Any, identity: Identity, claim: dict[str, Any] = CLAIM) -> Any:
    result = await judge(sigstore.provenance([sigstore.attest(identity=identity)], claim))
    (publisher,) = result.value.publishers
    return publisher


async def test_slugs_compare_without_case_and_keep_the_certificates_spelling(
    sigstore: LocalSigstore, judge: Any
) -> None:
    found = await publisher(sigstore, judge, GitHubIdentity(repository="Example/Widget"))
    assert found.repository == "Example/Widget"
    assert found.key == WorkflowPublisher(PublisherKind.GITHUB, "EXAMPLE/widget", "publish.yml").key


async def test_ids_tell_a_renamed_repository_from_one_that_took_over_the_name(
    sigstore: LocalSigstore, judge: Any
) -> None:
    before = await publisher(sigstore, judge, GitHubIdentity())
    revived = await publisher(sigstore, judge, GitHubIdentity(repository_id="7", owner_id="8"))
    assert (before.repository_id, before.owner_id) == ("1001", "2002")
    assert (revived.repository_id, revived.owner_id) == ("7", "8")
    assert before.key == revived.key


async def test_ids_may_be_missing(sigstore: LocalSigstore, judge: Any) -> None:
    found = await publisher(sigstore, judge, GitHubIdentity(repository_id=None, owner_id=None))
    assert (found.repository_id, found.owner_id) == (None, None)


async def test_the_workflow_is_the_one_that_was_started_and_not_the_reusable_one(
    sigstore: LocalSigstore, judge: Any
) -> None:
    reusable = "somebody/else/.github/workflows/shared.yml@refs/heads/main"
    found = await publisher(sigstore, judge, GitHubIdentity(reusable_workflow=reusable))
    assert (found.repository, found.workflow) == ("example/widget", "publish.yml")


@pytest.mark.parametrize("ref", ["refs/heads/a@b", "refs/tags/v1@refs/heads/main", "refs/heads/publish.yml@x"])
async def test_revisions_may_contain_what_separates_them(ref: str, sigstore: LocalSigstore, judge: Any) -> None:
    assert (await publisher(sigstore, judge, GitHubIdentity(ref=ref))).workflow == "publish.yml"


async def test_the_revision_may_be_the_commit(sigstore: LocalSigstore, judge: Any) -> None:
    identity = GitHubIdentity(ref=GitHubIdentity().commit, overrides={14: None})
    assert (await publisher(sigstore, judge, identity)).workflow == "publish.yml"


async def test_gitlab_configuration_is_a_path(sigstore: LocalSigstore, judge: Any) -> None:
    identity = GitLabIdentity(workflow="ci/publish/main.yml")
    found = await publisher(sigstore, judge, identity, identity.publisher())
    assert (found.kind, found.workflow) == (PublisherKind.GITLAB, "ci/publish/main.yml")


@pytest.mark.parametrize(
    ("certified", "claimed", "found"),
    [
        (None, None, None),
        (None, "release", Environment("release", certified=False)),
        ("release", "release", Environment("release", certified=True)),
        ("Release", "release", Environment("Release", certified=True)),
        ("release", None, Environment("release", certified=True)),
        ("", None, None),
        ("release", "", Environment("release", certified=True)),
    ],
)
async def test_an_environment_says_who_names_it(
    certified: str | None, claimed: str | None, found: Environment | None, sigstore: LocalSigstore, judge: Any
) -> None:
    identity = GitHubIdentity(certified_environment=certified)
    claim = CLAIM | {"environment": claimed}
    assert (await publisher(sigstore, judge, identity, claim)).environment == found


async def test_more_said_of_a_publisher_does_not_matter(sigstore: LocalSigstore, judge: Any) -> None:
    claim = CLAIM | {"claims": {"sub": "x"}, "repository_id": "666", "owner_id": "666"}
    assert (await publisher(sigstore, judge, GitHubIdentity(), claim)).owner_id == "2002"
