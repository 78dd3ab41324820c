"""`provenance`: files without the attestation that their project must have."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pinfold.domain.decision import PASS, Finding, Outcome
from pinfold.domain.evidence import Evidence, Need, ProjectEvidence, Unknown
from pinfold.domain.project import File
from pinfold.domain.provenance import Invalid, PublisherPin, Unattested, Verified
from pinfold.domain.records import PublisherDecision
from pinfold.domain.release_lines import AttestedUploads
from pinfold.policy.publishers import PublisherTable
from pinfold.policy.rule import Rule


class ProvenanceRule(Rule):
    """Refuse a file without valid provenance (PEP 740), or with that of another publisher than its project may have.

    The identity in the signing certificate decides, never what the index says beside it.
    """

    id: ClassVar = "provenance"
    needs: ClassVar = frozenset({Need.PROVENANCE})

    require: Literal["all", "pinned"] = "all"
    """Whether every file needs an attestation, or only those of projects whose publisher somebody pinned."""
    publishers: Annotated[tuple[PublisherTable, ...], Field(strict=False)] = ()
    """Who may publish, together with whom somebody pinned; any valid attestation will do where nobody is named."""

    def finds_alike(self, about: ProjectEvidence) -> bool:
        """Most projects have no publisher that somebody pinned."""
        return self.require == "pinned" and not self._allowed(about)

    def judge(self, evidence: Evidence, at: datetime) -> Finding:  # noqa: ARG002 - proof does not age
        """Compare who vouches for the file with who may."""
        allowed = self._allowed(evidence)
        if self.require == "pinned" and not allowed:
            return PASS
        found = evidence.provenance
        if isinstance(found, Unknown):
            return Finding(Outcome.UNKNOWN, found.why, pending=isinstance(evidence.file.provenance, str))
        match found.value:
            case Unattested():
                return Finding(Outcome.FAIL, f"not attested{_needed(allowed)}")
            case Invalid(why):
                return Finding(Outcome.FAIL, f"its provenance is not valid: {why}")
            case Verified(publishers=publishers):
                if not allowed or any(pin.admits(publisher) for pin in allowed for publisher in publishers):
                    return PASS
                return Finding(Outcome.FAIL, f"published by {', '.join(map(str, publishers))}{_needed(allowed)}")

    def to_verify(self, evidence: Evidence, attested: AttestedUploads, at: datetime) -> tuple[File, ...]:  # noqa: ARG002
        """Return the file itself, where it needs an attestation."""
        if self.require == "pinned" and not self._allowed(evidence):
            return ()
        return (evidence.file,) if isinstance(evidence.file.provenance, str) else ()

    def _allowed(self, known: Evidence | ProjectEvidence) -> tuple[PublisherPin, ...]:
        if not self.publishers and not known.publishers:
            return ()
        pinned = (each.publisher for each in known.publishers if each.decision is PublisherDecision.PIN)
        return (*(publisher.pin for publisher in self.publishers), *(pin for pin in pinned if pin is not None))


def _needed(allowed: tuple[PublisherPin, ...]) -> str:
    return f", needs {' or '.join(map(str, allowed))}" if allowed else ", but has to be"
