"""How publishers are named and compared, and how provenance goes into the digest of evidence."""

import json
from dataclasses import replace

import pytest
from tests.fakes.clock import NOON

from pinfold.domain.evidence import Known, Unknown, plain
from pinfold.domain.provenance import (
    AccountPublisher,
    Attestation,
    Environment,
    Invalid,
    Likeness,
    Predicate,
    PublisherKind,
    PublisherPin,
    Unattested,
    Verified,
    WorkflowPublisher,
    likeness,
    pin_of,
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


OTHER_IDS = {"repository_id": "8", "owner_id": "9"}
NO_IDS = {"repository_id": None, "owner_id": None}


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (GITHUB, Likeness.SAME),
        (replace(GITHUB, repository="Example/WIDGET"), Likeness.SAME),
        (replace(GITHUB, environment=Environment("x", certified=True)), Likeness.SAME),
        (replace(GITHUB, **NO_IDS), Likeness.SAME),
        (replace(GITHUB, workflow="release.yml"), Likeness.SAME_REPOSITORY),
        (replace(GITHUB, repository="example/renamed"), Likeness.SAME_REPOSITORY),
        (replace(GITHUB, owner_id="3"), Likeness.SAME_REPOSITORY),
        (replace(GITHUB, kind=PublisherKind.GITLAB, **OTHER_IDS), Likeness.SAME_REPOSITORY),
        (replace(GITHUB, **OTHER_IDS), Likeness.OTHER),
        (replace(GITHUB, repository_id=None, owner_id="9"), Likeness.OTHER),
        (replace(GITHUB, repository="thief/widget", **NO_IDS), Likeness.OTHER),
        (replace(GITHUB, kind=PublisherKind.GITLAB, repository="thief/widget"), Likeness.OTHER),
        (GOOGLE, Likeness.OTHER),
    ],
)
def test_publishers_are_alike_by_id_before_name(other: WorkflowPublisher, alike: Likeness) -> None:
    assert likeness(GITHUB, other) is alike
    assert likeness(other, GITHUB) is alike


def test_accounts_are_alike_by_address() -> None:
    assert likeness(GOOGLE, AccountPublisher("publisher@example.com")) is Likeness.SAME
    assert likeness(GOOGLE, AccountPublisher("Publisher@example.com")) is Likeness.OTHER


def test_a_pin_made_of_a_publisher_admits_it_and_reads_well() -> None:
    for publisher, text in ((GITHUB, "GitHub example/widget (publish.yml)"), (GOOGLE, "Google publisher@example.com")):
        assert pin_of(publisher).admits(publisher)
        assert str(pin_of(publisher)) == text
    assert not pin_of(GITHUB).admits(GOOGLE)
    assert not pin_of(GOOGLE).admits(GITHUB)


def test_a_pin_that_names_nobody_admits_nobody() -> None:
    assert not PublisherPin(PublisherKind.GITHUB).admits(GITHUB)
    assert not PublisherPin(PublisherKind.GOOGLE).admits(GOOGLE)
    assert str(PublisherPin(PublisherKind.GITHUB, "a/b", environment="release")) == "GitHub a/b in release"
