"""Trusted publishing: what a workflow's identity token claims of it, and whether it is one that may publish here.

The claims are those of GitHub (docs.github.com, "OpenID Connect reference") and GitLab (docs.gitlab.com, "OpenID
Connect in CI/CD"); the workflow is told from where its definition lies, as PyPI does it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pinfold.domain.access import Scope
from pinfold.domain.errors import InvalidIdentity
from pinfold.domain.provenance import Environment, PublisherKind, PublisherPin, WorkflowPublisher

ISSUERS = {
    PublisherKind.GITHUB: "https://token.actions.githubusercontent.com",
    PublisherKind.GITLAB: "https://gitlab.com",
}
"""Who vouches for workflows of the public services."""

LIFETIME = timedelta(minutes=15)
"""Of a token that a workflow gets for its identity."""

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """What an issuer vouched for."""

    issuer: str
    token_id: str
    """`jti`: one for each token that the issuer ever made."""
    expires_at: datetime
    claims: Claims


@dataclass(frozen=True, slots=True)
class TrustedPublisher:
    """A workflow that may publish, and where; what an operator wrote of it."""

    issuer: str
    pin: PublisherPin
    scope: Scope
    repository_id: str | None = None
    owner_id: str | None = None
    """Both None for those that the repository has when it publishes first."""

    def admits(self, publisher: WorkflowPublisher) -> bool:
        """Tell whether a workflow is meant, whatever its ids."""
        return self.pin.admits(publisher)

    def takes_for_its_own(self, publisher: WorkflowPublisher, seen: WorkflowPublisher | None) -> bool:
        """Tell whether a workflow's ids are those that were written, or else those that published first.

        They differ where somebody else registered a name again that its owner gave up.
        """
        first = seen or publisher
        ids = self.repository_id or first.repository_id, self.owner_id or first.owner_id
        return ids == (publisher.repository_id, publisher.owner_id)


def publisher_of(kind: PublisherKind, identity: Identity) -> WorkflowPublisher:
    """Return the workflow that an identity's claims name; raise InvalidIdentity where they do not add up to one."""
    claims = identity.claims
    if kind is PublisherKind.GITHUB:
        if claims.get("event_name") == "pull_request_target":
            raise InvalidIdentity(
                "a workflow that strangers' pull requests can start (pull_request_target) may not publish"
            )
        repository = _text(claims, "repository")
        workflow = _between(
            _text(claims, "job_workflow_ref"),
            f"{repository}/.github/workflows/",
            _refs(claims, "ref"),
            "job_workflow_ref",
        )
        ids = _text(claims, "repository_id"), _text(claims, "repository_owner_id")
    else:
        repository = _text(claims, "project_path")
        host = identity.issuer.partition("://")[2]
        workflow = _between(
            _text(claims, "ci_config_ref_uri"), f"{host}/{repository}//", _refs(claims, "ref_path"), "ci_config_ref_uri"
        )
        ids = _text(claims, "project_id"), _text(claims, "namespace_id")
    publisher = WorkflowPublisher(kind, repository, workflow, None, *ids)
    if claims.get("environment"):
        return replace(publisher, environment=Environment(_text(claims, "environment"), certified=True))
    return publisher


def _refs(claims: Claims, name: str) -> list[str]:
    """Return what a workflow's definition may have been read at: a branch or tag, or where there is none, a commit."""
    return [ref for ref in (claims.get(name), claims.get("sha")) if isinstance(ref, str) and ref]


def _between(reference: str, before: str, refs: list[str], claim: str) -> str:
    for after in (f"@{ref}" for ref in refs):
        path = reference[len(before) : -len(after)]
        if path and reference[: len(before)].lower() == before.lower() and reference.endswith(after):
            return path
    raise InvalidIdentity(f"its {claim} names a workflow of another repository, or at another ref than its own")


def _text(claims: Claims, name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 1024 or not value.isprintable():
        raise InvalidIdentity(f"it has no usable claim {name}")
    return value
