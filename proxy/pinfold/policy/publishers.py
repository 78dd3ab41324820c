"""Publishers as documents name them, in PEP 740's words."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pinfold.domain.provenance import PublisherKind, PublisherPin

_Text = Annotated[str, Field(min_length=1, max_length=512)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Workflow(_Table):
    """A workflow on GitHub or GitLab; where `workflow` or `environment` is left out, any will do."""

    kind: Literal["GitHub", "GitLab"]
    repository: str = Field(pattern=r"^[^/\s]+(/[^/\s]+)+$")
    workflow: _Text | None = None
    environment: _Text | None = None

    @property
    def pin(self) -> PublisherPin:
        """What the table admits."""
        return PublisherPin(PublisherKind(self.kind), self.repository, self.workflow, self.environment)


class Account(_Table):
    """A service account of Google Cloud."""

    kind: Literal["Google"]
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")

    @property
    def pin(self) -> PublisherPin:
        """What the table admits."""
        return PublisherPin(PublisherKind.GOOGLE, email=self.email)


PublisherTable = Annotated[Workflow | Account, Field(discriminator="kind")]
