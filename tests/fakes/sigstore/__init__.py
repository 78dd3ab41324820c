"""A sigstore of one's own: certificate authority, logs and trust root, accepted by the real verifier."""

from tests.fakes.sigstore.identities import GitHubIdentity, GitLabIdentity, GoogleIdentity, Identity
from tests.fakes.sigstore.local import (
    LOGGED_AT,
    PUBLISH,
    SLSA_PROVENANCE,
    WHEEL,
    WHEEL_SHA256,
    Break,
    LocalSigstore,
    statement,
)

__all__ = [
    "LOGGED_AT",
    "PUBLISH",
    "SLSA_PROVENANCE",
    "WHEEL",
    "WHEEL_SHA256",
    "Break",
    "GitHubIdentity",
    "GitLabIdentity",
    "GoogleIdentity",
    "Identity",
    "LocalSigstore",
    "statement",
]
