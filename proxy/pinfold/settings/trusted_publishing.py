"""`[trusted_publishing]`: workflows that may publish without a stored secret."""

from typing import Literal

from pydantic import Field, field_validator

from pinfold.domain.names import DEFAULT_INDEX
from pinfold.settings.table import Table
from pinfold.settings.values import Globs, IssuerAddress, Labels


class TrustedPublisherSettings(Table):
    """`[[trusted_publishing.publishers]]`: a workflow, and what it may publish where."""

    kind: Literal["GitHub", "GitLab"]
    """How its identity is written: as GitHub does, or GitLab."""
    repository: str = Field(pattern=r"^[^/\s]+(/[^/\s]+)+$")
    workflow: str = Field(min_length=1)
    """The file name under `.github/workflows/`, or the path of GitLab's configuration file."""
    environment: str | None = Field(default=None, min_length=1)
    """The only deployment environment that it may publish from; best one that a person has to let it into."""
    projects: Globs = Field(min_length=1)
    indexes: Labels = Field(default=(DEFAULT_INDEX,), min_length=1)
    issuer: IssuerAddress | None = None
    """Who vouches for it, where that is not the public service: `https://gitlab.example`, or a GitHub Enterprise
    Server's `https://github.example/_services/token`."""
    repository_id: str | None = Field(default=None, min_length=1)
    owner_id: str | None = Field(default=None, min_length=1)
    """Without these, the ids that are seen first hold from then on."""


class TrustedPublishingSettings(Table):
    """`[trusted_publishing]`: who may publish by showing what they are."""

    audience: str = Field(default="", pattern=r"^[!-~]{0,255}$")
    """Whom identities are made for: this installation and no other. By default the host of `server.base_url`."""
    publishers: tuple[TrustedPublisherSettings, ...] = ()

    @field_validator("publishers")
    @classmethod
    def _are_different(cls, publishers: tuple[TrustedPublisherSettings, ...]) -> tuple[TrustedPublisherSettings, ...]:
        places: dict[tuple[str | None, ...], int] = {}
        for number, one in enumerate(publishers, start=1):
            environment = one.environment.lower() if one.environment else None
            key = (one.kind, one.issuer, one.repository.lower(), one.workflow, environment)
            if (other := places.setdefault(key, number)) != number:
                raise ValueError(f"publishers {other} and {number} are the same workflow: name all its projects in one")
        kinds: dict[str, str] = {}
        for one in publishers:
            if one.issuer is not None and kinds.setdefault(one.issuer, one.kind) != one.kind:
                raise ValueError(f"{one.issuer} is either GitHub's or GitLab's kind, not both")
        return publishers
