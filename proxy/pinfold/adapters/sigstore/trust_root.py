"""The trust root: the keys and certificates that sigstore's services sign with."""

import hashlib
import importlib.util
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from pinfold.domain.errors import TrustRootError

# Sigstore ships the root of its public instance with the package, under the address it is updated from.
_PUBLIC_INSTANCE = "https://tuf-repo-cdn.sigstore.dev"


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """Where a trust root is, and which one it is."""

    path: Path
    sha256: str
    modified_at: datetime
    """When the file was last written; for the packaged root, when sigstore was installed."""

    def age(self, at: datetime) -> timedelta:
        """Return how old the file is: keys that sigstore took into use since are not known."""
        return at - self.modified_at


def read_trust_root(path: Path | None) -> TrustRoot:
    """Identify the trust root in a file, or for None the packaged one; raises TrustRootError.

    Sigstore's own way to its packaged root leads through a cache that everything a user runs can write to, and that
    is not verified offline. The package's file is as trustworthy as the package.
    """
    path = path or _packaged()
    try:
        content = path.read_bytes()
        modified = path.stat().st_mtime
    except OSError as error:
        raise TrustRootError(f"the trust root {path} cannot be read: {error.strerror}") from error
    return TrustRoot(path, hashlib.sha256(content).hexdigest(), datetime.fromtimestamp(modified, UTC))


def _packaged() -> Path:
    # Finding a package does not import it, which would take half a second here.
    spec = importlib.util.find_spec("sigstore")
    if spec is None or spec.origin is None:
        raise TrustRootError("sigstore is not installed: provenance cannot be verified")
    return Path(spec.origin).parent / "_store" / quote(_PUBLIC_INSTANCE, safe="") / "trusted_root.json"
