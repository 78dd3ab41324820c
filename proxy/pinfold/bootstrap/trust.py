"""Connect the verification of provenance to its trust root."""

from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.adapters.sigstore.tuf_repository import TufRepository
from pinfold.adapters.sigstore.verifier import SigstoreVerifier
from pinfold.ports.clock import Clock
from pinfold.settings import Settings


def connect_trust_repository(settings: Settings, data: DataDirectory, clock: Clock) -> TufRepository | None:
    """Return where the trust root is refreshed from; None where it is not."""
    sigstore = settings.sigstore
    return TufRepository(sigstore.tuf_url, sigstore.tuf_root, data.trust, clock) if sigstore.refresh else None


def make_verifier(settings: Settings, repository: TufRepository | None, clock: Clock) -> SigstoreVerifier:
    """Return the verifier, with the trust root that the settings name; to be closed."""
    return SigstoreVerifier(settings.sigstore.trusted_root, clock, refreshed=repository.place if repository else None)
