"""Workload identities, as Fulcio writes them into certificates and as PyPI names them beside attestations."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat import asn1

FULCIO = "1.3.6.1.4.1.57264.1"


class Identity(Protocol):
    """Whoever a certificate is issued to."""

    def subjects(self) -> list[x509.GeneralName]: ...

    def extensions(self) -> dict[int, str | None]:
        """The last arc of Fulcio's extension identifiers, and their values; what is None is left out."""
        ...

    def publisher(self) -> dict[str, Any]:
        """PEP 740's `publisher` object."""
        ...


@dataclass(frozen=True)
class GitHubIdentity:
    repository: str = "example/widget"
    workflow: str = "publish.yml"
    ref: str = "refs/tags/v1.0"
    commit: str = "0123456789abcdef0123456789abcdef01234567"
    environment: str | None = None
    certified_environment: str | None = None
    reusable_workflow: str | None = None
    """`owner/name/.github/workflows/file@ref` of the workflow that did the signing, where it is another one."""
    repository_id: str | None = "1001"
    owner_id: str | None = "2002"
    issuer: str = "https://token.actions.githubusercontent.com"
    overrides: dict[int, str | None] = field(default_factory=dict)

    @property
    def config(self) -> str:
        return f"https://github.com/{self.repository}/.github/workflows/{self.workflow}@{self.ref}"

    @property
    def signer(self) -> str:
        return f"https://github.com/{self.reusable_workflow}" if self.reusable_workflow else self.config

    def subjects(self) -> list[x509.GeneralName]:
        return [x509.UniformResourceIdentifier(self.signer)]

    def extensions(self) -> dict[int, str | None]:
        return {
            1: self.issuer,
            2: "release",
            3: self.commit,
            4: "release",
            5: self.repository,
            6: self.ref,
            8: self.issuer,
            9: self.signer,
            10: self.commit,
            11: "github-hosted",
            12: f"https://github.com/{self.repository}",
            13: self.commit,
            14: self.ref,
            15: self.repository_id,
            16: f"https://github.com/{self.repository.split('/')[0]}",
            17: self.owner_id,
            18: self.config,
            19: self.commit,
            20: "release",
            21: f"https://github.com/{self.repository}/actions/runs/1/attempts/1",
            22: "public",
            23: self.certified_environment,
        } | self.overrides

    def publisher(self) -> dict[str, Any]:
        return {
            "kind": "GitHub",
            "repository": self.repository,
            "workflow": self.workflow,
            "environment": self.environment,
        }


@dataclass(frozen=True)
class GitLabIdentity:
    repository: str = "example/group/widget"
    workflow: str = ".gitlab-ci.yml"
    ref: str = "refs/heads/main"
    commit: str = "0123456789abcdef0123456789abcdef01234567"
    environment: str | None = None
    issuer: str = "https://gitlab.com"
    overrides: dict[int, str | None] = field(default_factory=dict)

    @property
    def config(self) -> str:
        return f"https://gitlab.com/{self.repository}//{self.workflow}@{self.ref}"

    def subjects(self) -> list[x509.GeneralName]:
        return [x509.UniformResourceIdentifier(self.config)]

    def extensions(self) -> dict[int, str | None]:
        return {
            1: self.issuer,
            8: self.issuer,
            9: self.config,
            12: f"https://gitlab.com/{self.repository}",
            13: self.commit,
            14: self.ref,
            15: "3003",
            17: "4004",
            18: self.config,
        } | self.overrides

    def publisher(self) -> dict[str, Any]:
        return {
            "kind": "GitLab",
            "repository": self.repository,
            "workflow_filepath": self.workflow,
            "environment": self.environment,
        }


@dataclass(frozen=True)
class GoogleIdentity:
    email: str = "publisher@example.iam.gserviceaccount.com"
    others: tuple[str, ...] = ()
    issuer: str = "https://accounts.google.com"

    def subjects(self) -> list[x509.GeneralName]:
        return [x509.RFC822Name(email) for email in (self.email, *self.others)]

    def extensions(self) -> dict[int, str | None]:
        return {1: self.issuer, 8: self.issuer}

    def publisher(self) -> dict[str, Any]:
        return {"kind": "Google", "email": self.email}


def encoded(arc: int, value: str) -> x509.UnrecognizedExtension:
    """Return an extension as Fulcio encodes it: the oldest ones hold the bare text, the others a DER UTF8String."""
    content = value.encode() if arc < 7 else asn1.encode_der(value)
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{FULCIO}.{arc}"), content)
