"""What a file's provenance (PEP 740) proves: who published these bytes under this name, and by what workflow."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PublisherKind(StrEnum):
    """The services whose workloads can publish with attestations, in PEP 740's spelling."""

    GITHUB = "GitHub"
    GITLAB = "GitLab"
    GOOGLE = "Google"


@dataclass(frozen=True, slots=True)
class Environment:
    """The deployment environment that a workflow published from."""

    name: str
    certified: bool
    """Whether the signing certificate names it; otherwise there is only the index's word for it."""


@dataclass(frozen=True, slots=True)
class WorkflowPublisher:
    """A workflow of a repository on GitHub or GitLab."""

    kind: PublisherKind
    repository: str
    """`owner/name`, as the certificate spells it."""
    workflow: str
    """The file name under `.github/workflows/`, or the path of GitLab's configuration file."""
    environment: Environment | None = None
    repository_id: str | None = None
    """Stays with a repository that is renamed, and differs for another one that takes over its name."""
    owner_id: str | None = None
    """Differs for an account that somebody else registers again after it was deleted."""

    def __str__(self) -> str:
        return f"{self.kind} {self.repository} ({self.workflow})"

    @property
    def key(self) -> tuple[str, ...]:
        """What two names of one publisher have in common: the services compare slugs without case."""
        return self.kind, self.repository.lower(), self.workflow


@dataclass(frozen=True, slots=True)
class AccountPublisher:
    """A service account of Google Cloud."""

    email: str
    kind: PublisherKind = PublisherKind.GOOGLE

    def __str__(self) -> str:
        return f"{self.kind} {self.email}"

    @property
    def key(self) -> tuple[str, ...]:
        """What two names of one publisher have in common."""
        return self.kind, self.email


Publisher = WorkflowPublisher | AccountPublisher


class Predicate(StrEnum):
    """What an attestation states of a file."""

    PUBLISH = "publish"
    """Its publisher uploaded it to the index."""
    SLSA_PROVENANCE = "slsa-provenance"
    """How it was built."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """One attestation of a file that holds in every respect."""

    predicate: Predicate
    publisher: Publisher
    """From the signing certificate, never from what the index says beside it."""
    logged_at: datetime
    """When the transparency log took it up."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Every attestation that could be judged holds, and at least one of them is the publisher's."""

    attestations: tuple[Attestation, ...]

    @property
    def publishers(self) -> tuple[Publisher, ...]:
        """Who published the file; more than one where several vouch for it."""
        published = (each.publisher for each in self.attestations if each.predicate is Predicate.PUBLISH)
        return tuple(dict.fromkeys(published))


@dataclass(frozen=True, slots=True)
class Invalid:
    """An attestation is shown to be wrong: forged, damaged, or made for another file or publisher."""

    why: str


@dataclass(frozen=True, slots=True)
class Unattested:
    """Nobody attests to have published the file."""


Provenance = Verified | Invalid | Unattested
