"""Publishers, and provenance that proves them."""

from datetime import datetime
from typing import Any

from tests.fakes.clock import NOON

from pinfold.domain.evidence import Known
from pinfold.domain.provenance import (
    AccountPublisher,
    Attestation,
    Predicate,
    Provenance,
    Publisher,
    PublisherKind,
    PublisherPin,
    Verified,
    WorkflowPublisher,
)
from pinfold.domain.records import PublisherDecision, PublisherRecord

OWN = WorkflowPublisher(PublisherKind.GITHUB, "BerriAI/litellm", "publish.yml", repository_id="1", owner_id="2")
THIEF = WorkflowPublisher(PublisherKind.GITHUB, "thief/litellm", "publish.yml", repository_id="9", owner_id="9")
ACCOUNT = AccountPublisher("robot@example.com")


def proof_of(*publishers: Publisher, at: datetime = NOON) -> Known[Provenance]:
    """Valid attestations by publishers."""
    return Known(Verified(tuple(Attestation(Predicate.PUBLISH, publisher, at) for publisher in publishers)))


def a_publisher(pin: PublisherPin | None, decision: PublisherDecision, **changes: Any) -> PublisherRecord:
    """What somebody decided about litellm's publishers."""
    return PublisherRecord(
        **{  # type: ignore[arg-type]
            "id": "P-1",
            "project": "litellm",
            "decision": decision,
            "publisher": pin,
            "reason": "reviewed",
            "created_by": "kim",
            "created_at": NOON,
            **changes,
        }
    )
