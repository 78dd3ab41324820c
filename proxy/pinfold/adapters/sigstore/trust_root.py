"""The trust root: the keys and certificates that sigstore's services sign with."""

import hashlib
import importlib.util
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from pinfold.domain.errors import TrustRootError
from pinfold.domain.provenance import TrustRoot

PUBLIC_INSTANCE = "https://tuf-repo-cdn.sigstore.dev"
"""Where sigstore hands out the root of its public instance; its package ships it under this address."""


@dataclass(frozen=True, slots=True)
class TrustRootFile(TrustRoot):
    """A trust root, and where it is."""

    path: Path


def read_trust_root(path: Path | None) -> TrustRootFile:
    """Identify the trust root in a file, or for None the packaged one; raises TrustRootError.

    Sigstore's own way to its packaged root leads through a cache that everything a user runs can write to, and that
    is not verified offline. The package's file is as trustworthy as the package.
    """
    path = path or packaged("trusted_root.json")
    try:
        content = path.read_bytes()
        modified = path.stat().st_mtime
    except OSError as error:
        raise TrustRootError(f"the trust root {path} cannot be read: {error.strerror}") from error
    return TrustRootFile(hashlib.sha256(content).hexdigest(), datetime.fromtimestamp(modified, UTC), path)


def packaged(name: str) -> Path:
    """Return where sigstore's package has a file about its public instance; raises TrustRootError."""
    # Finding a package does not import it, which would take half a second here.
    spec = importlib.util.find_spec("sigstore")
    if spec is None or spec.origin is None:
        raise TrustRootError("sigstore is not installed: provenance cannot be verified")
    return Path(spec.origin).parent / "_store" / quote(PUBLIC_INSTANCE, safe="") / name
