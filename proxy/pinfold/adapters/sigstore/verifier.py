"""The port's adapter: sigstore on a thread of its own."""

import asyncio
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Raw

from pinfold.adapters.sigstore.document import AttestationBundle, parse, parse_attestation
from pinfold.adapters.sigstore.errors import Refused, Undecided
from pinfold.adapters.sigstore.statement import Subject
from pinfold.adapters.sigstore.trust_root import TrustRootFile, read_trust_root
from pinfold.domain.errors import InvalidUpload, TrustRootError
from pinfold.domain.evidence import Item, Known, Unknown
from pinfold.domain.provenance import (
    Attestation,
    Invalid,
    Predicate,
    Provenance,
    TrustRoot,
    Unattested,
    Verified,
)
from pinfold.ports.clock import Clock

if TYPE_CHECKING:
    from pinfold.adapters.sigstore.attestation import AttestationVerifier

log = logging.getLogger(__name__)

MAX_WHY = 200


class SigstoreVerifier:
    """Verifies provenance with sigstore.

    One thread is enough: an attestation takes 2 ms, all of it under the interpreter's lock, so that more threads
    would only take turns. Sigstore is imported on that thread, when it is first needed.
    """

    def __init__(self, trusted_root: Path | None, clock: Clock, *, refreshed: Path | None = None) -> None:
        """Take the trust root from a file, or for None from sigstore's package; it is read when first needed.

        What is `refreshed` comes before both, once it is there.
        """
        self._trusted_root = trusted_root
        self._refreshed = refreshed
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sigstore")
        self._identified: TrustRootFile | None = None
        self._loaded: AttestationVerifier | None = None

    async def trust_root(self) -> TrustRoot:
        """Tell the trust root, without loading sigstore; raises TrustRootError."""
        root = self._identified
        if root is None:
            root = await asyncio.to_thread(self._identify)
        return TrustRoot(root.sha256, root.modified_at)

    async def load(self) -> TrustRootFile:
        """Get ready ahead of the first verification, and tell the trust root; raises TrustRootError."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._load)
        return self._identify()

    async def renew(self) -> TrustRootFile:
        """Go over to the trust root that is in its place now, and tell it; stays as it is and raises TrustRootError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._renew)

    async def verify(self, document: bytes, filename: str, sha256: str) -> Item[Provenance]:
        """Judge a provenance document for a file; see `pinfold.ports.verifier`."""
        file = Subject(filename, sha256)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._judge, document, file)

    async def bundle(self, attestations: bytes) -> bytes:
        """Make a provenance document of an upload's attestations; see `pinfold.ports.verifier`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, _bundle, attestations)

    def close(self) -> None:
        """Let the thread end; what it is at is brought to an end first."""
        self._thread.shutdown()

    def _identify(self) -> TrustRootFile:
        # Once: until it is renewed, what is verified later is verified with this root, or not at all.
        if self._identified is None:
            self._identified = self._read()
        return self._identified

    def _read(self) -> TrustRootFile:
        if self._refreshed is not None and self._refreshed.exists():
            return read_trust_root(self._refreshed)
        return read_trust_root(self._trusted_root)

    def _renew(self) -> TrustRootFile:
        root = self._read()
        if self._loaded is None or root.sha256 != self._identify().sha256:
            from pinfold.adapters.sigstore.attestation import AttestationVerifier

            self._loaded = AttestationVerifier(root)
            self._identified = root
        return self._identify()

    def _load(self) -> "AttestationVerifier":
        if self._loaded is None:
            from pinfold.adapters.sigstore.attestation import AttestationVerifier

            self._loaded = AttestationVerifier(self._identify())
        return self._loaded

    def _judge(self, document: bytes, file: Subject) -> Item[Provenance]:
        try:
            return self._judge_bundles(parse(document), file)
        except Refused as refused:
            return Known(Invalid(_line(refused)))
        except Undecided as undecided:
            return Unknown(_line(undecided))
        # Clients see the reason, and what these say can name files of this machine.
        except TrustRootError as error:
            log.error("provenance cannot be verified: %s", error)
            return Unknown("the trust root cannot be used, so that nothing can be verified")
        except BaseException as error:  # noqa: BLE001 - a panic of the Rust code beneath sigstore is no Exception
            why = f"verification broke off: {type(error).__name__}"
            log.error("%s of %s: %s", why, _line(file.filename), _line(error))
            return Unknown(why)

    def _judge_bundles(self, bundles: Iterable[AttestationBundle], file: Subject) -> Item[Provenance]:
        attestations: list[Attestation] = []
        undecided: list[Undecided] = []
        for bundle in bundles:
            for content in bundle.attestations:
                try:
                    attestations.append(self._verify(bundle, content, file))
                except Undecided as error:
                    undecided.append(error)
        if any(attestation.predicate is Predicate.PUBLISH for attestation in attestations):
            return Known(Verified(tuple(attestations)))
        if undecided:
            raise undecided[0]
        return Known(Unattested())

    def _verify(self, bundle: AttestationBundle, content: Raw, file: Subject) -> Attestation:
        if bundle.claim is None:
            raise Undecided(f"publishers of the kind {bundle.kind!r} are not known")
        return self._load().verify(parse_attestation(content), bundle.claim, file, self._clock.now())


def _bundle(attestations: bytes) -> bytes:
    from pinfold.adapters.sigstore.bundling import bundle

    try:
        return bundle(attestations)
    # A panic of the Rust code beneath is no Exception.
    except BaseException as error:
        raise InvalidUpload(f"Invalid attestations: {_line(error)}") from error


def _line(reason: object) -> str:
    """Return a reason as one short line of printable ASCII, whatever of the document is quoted in it."""
    line = " ".join("".join(c if " " <= c <= "~" else " " for c in str(reason)).split())
    return line if len(line) <= MAX_WHY else f"{line[: MAX_WHY - 3]}..."
