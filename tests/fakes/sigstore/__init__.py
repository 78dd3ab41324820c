"""A sigstore of one's own: certificate authority, logs and trust root, accepted by the real verifier."""

from tests.fakes.sigstore.identities import GitHubIdentity, GitLabIdentity, GoogleIdentity, Identity
from tests.fakes.sigstore.local import PUBLISH, SLSA_PROVENANCE, Break, LocalSigstore, statement

__all__ = [
    "PUBLISH",
    "SLSA_PROVENANCE",
    "Break",
    "GitHubIdentity",
    "GitLabIdentity",
    "GoogleIdentity",
    "Identity",
    "LocalSigstore",
    "statement",
]
