"""What a file's provenance (PEP 740) proves: who published these bytes under this name, and by what workflow."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto


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


class Likeness(Enum):
    """What two publishers have to do with one another."""

    SAME = auto()
    SAME_REPOSITORY = auto()
    """Another workflow, service or owner of the same repository, or the same repository under another name."""
    OTHER = auto()


def likeness(one: Publisher, other: Publisher) -> Likeness:
    """Compare two certified publishers; environments do not count.

    Ids outweigh names: a repository that was renamed keeps its id, and a name that somebody else took over has a new
    one. Across services only the names can be compared.
    """
    if isinstance(one, AccountPublisher) or isinstance(other, AccountPublisher):
        return Likeness.SAME if one.key == other.key else Likeness.OTHER
    same_name = one.repository.lower() == other.repository.lower()
    if one.kind is not other.kind:
        return Likeness.SAME_REPOSITORY if same_name else Likeness.OTHER
    same_id = _equal(one.repository_id, other.repository_id)
    same_owner = _equal(one.owner_id, other.owner_id)
    if same_id is False or (same_id is None and not (same_name and same_owner is not False)):
        return Likeness.OTHER
    return Likeness.SAME if one.key == other.key and same_owner is not False else Likeness.SAME_REPOSITORY


def _equal(one: str | None, other: str | None) -> bool | None:
    """Return whether two ids are equal; None where one of them is not known."""
    return None if one is None or other is None else one == other


@dataclass(frozen=True, slots=True)
class PublisherPin:
    """A publisher as people name one in a policy or on the command line; what is None may be anything."""

    kind: PublisherKind
    repository: str | None = None
    """`owner/name`, for GitHub and GitLab."""
    workflow: str | None = None
    environment: str | None = None
    email: str | None = None
    """The account, for Google."""

    def __str__(self) -> str:
        named = self.email or self.repository or "anything"
        workflow = f" ({self.workflow})" if self.workflow else ""
        environment = f" in {self.environment}" if self.environment else ""
        return f"{self.kind} {named}{workflow}{environment}"

    def admits(self, publisher: Publisher) -> bool:
        """Tell whether a certified publisher is meant."""
        if isinstance(publisher, AccountPublisher):
            return self.kind is publisher.kind and self.email == publisher.email
        return (
            self.kind is publisher.kind
            and self.repository is not None
            and self.repository.lower() == publisher.repository.lower()
            and self.workflow in (None, publisher.workflow)
            and self._admits_environment(publisher.environment)
        )

    def _admits_environment(self, environment: Environment | None) -> bool:
        if self.environment is None:
            return True
        return environment is not None and environment.name.lower() == self.environment.lower()


def pin_of(publisher: Publisher) -> PublisherPin:
    """Return the pin that admits a publisher, in whatever environment."""
    if isinstance(publisher, AccountPublisher):
        return PublisherPin(publisher.kind, email=publisher.email)
    return PublisherPin(publisher.kind, publisher.repository, publisher.workflow)


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


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """Which keys and certificates provenance is verified with."""

    sha256: str
    modified_at: datetime
    """When the file was last written; for the packaged root, when sigstore was installed."""

    def age(self, at: datetime) -> timedelta:
        """Return how old the file is: keys that sigstore took into use since are not known."""
        return at - self.modified_at
