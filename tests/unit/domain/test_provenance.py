"""How publishers are named and compared, and how provenance goes into the digest of evidence."""

import json
from dataclasses import replace

from tests.fakes.clock import NOON

from pinfold.domain.evidence import Known, Unknown, plain
from pinfold.domain.provenance import (
    AccountPublisher,
    Attestation,
    Environment,
    Invalid,
    Predicate,
    PublisherKind,
    Unattested,
    Verified,
    WorkflowPublisher,
)

GITHUB = WorkflowPublisher(PublisherKind.GITHUB, "example/widget", "publish.yml", repository_id="1", owner_id="2")
GOOGLE = AccountPublisher("publisher@example.com")


def test_publishers_read_well() -> None:
    assert str(GITHUB) == "GitHub example/widget (publish.yml)"
    assert str(GOOGLE) == "Google publisher@example.com"


def test_a_publisher_is_the_same_under_other_spellings_ids_and_environments() -> None:
    renamed = replace(GITHUB, repository="Example/Widget", owner_id="3", environment=Environment("x", certified=True))
    assert renamed.key == GITHUB.key


def test_other_publishers_have_other_keys() -> None:
    others = [
        replace(GITHUB, kind=PublisherKind.GITLAB),
        replace(GITHUB, repository="example/widgets"),
        replace(GITHUB, workflow="Publish.yml"),
        GOOGLE,
        AccountPublisher("other@example.com"),
    ]
    assert len({GITHUB.key, *(other.key for other in others)}) == 1 + len(others)


def test_only_publication_tells_the_publishers_and_each_once() -> None:
    published = Attestation(Predicate.PUBLISH, GITHUB, NOON)
    built = Attestation(Predicate.SLSA_PROVENANCE, GOOGLE, NOON)
    assert Verified((built, published, published)).publishers == (GITHUB,)


def test_different_findings_are_different_evidence() -> None:
    findings = [
        Known(Verified((Attestation(Predicate.PUBLISH, GITHUB, NOON),))),
        Known(Verified((Attestation(Predicate.PUBLISH, GOOGLE, NOON),))),
        Known(Invalid("forged")),
        Known(Unattested()),
        Unknown("forged"),
    ]
    assert len({json.dumps(plain(finding), sort_keys=True) for finding in findings}) == len(findings)
