"""The trust root from a TUF repository (theupdateframework.io), which is how sigstore hands out its own."""

import asyncio
import os
import tempfile
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import urljoin

import msgspec

from pinfold import __version__
from pinfold.adapters.filesystem.durable import sync_folder
from pinfold.adapters.sigstore.trust_root import PUBLIC_INSTANCE, TrustRootFile, packaged
from pinfold.domain.errors import TrustRootError
from pinfold.ports.clock import Clock
from pinfold.ports.trust_root_source import Refreshment

TARGET = "trusted_root.json"
MAX_SIZE = 1 << 20
"""Bytes of a trust root; sigstore's has 7 kB."""
_STATE = "refreshed.json"

_decoder = msgspec.json.Decoder(Refreshment)


class TufRepository:
    """Fetches the trust root into a private folder, which also remembers what no later answer may fall behind.

    Nothing that sigstore's own cache holds is read: whatever a user runs can write to it.
    """

    def __init__(self, url: str | None, root: Path | None, folder: Path, clock: Clock) -> None:
        """Take the repository at a URL, which TUF's root metadata in a file vouches for; without both, sigstore's."""
        self._url = (url or PUBLIC_INSTANCE).rstrip("/")
        self._root = root
        self._folder = folder
        self._clock = clock

    @property
    def address(self) -> str:
        """The repository's URL."""
        return self._url

    @property
    def place(self) -> Path:
        """Where the last good trust root is, once there is any."""
        return self._folder / TARGET

    async def state(self) -> Refreshment:
        """Return what came of the refreshes so far; raises TrustRootError where that cannot be read."""
        return await asyncio.to_thread(self._state)

    async def refresh(self) -> None:
        """Fetch the trust root and put it in its place, whole; raises TrustRootError, and leaves what was there.

        A repository that goes back to an older state, that has expired, or that others signed, fails.
        """
        await asyncio.to_thread(self._refresh)

    def _state(self) -> Refreshment:
        try:
            return _decoder.decode((self._folder / _STATE).read_bytes())
        except (FileNotFoundError, msgspec.MsgspecError):
            # Damaged, it is written anew by the next refresh.
            return Refreshment()
        except OSError as error:
            raise TrustRootError(f"{self._folder / _STATE} cannot be read: {error}") from error

    def _refresh(self) -> None:
        now = self._clock.now()
        try:
            for folder in (self._folder, self._metadata, self._targets):
                folder.mkdir(mode=0o700, exist_ok=True)
            content = self._fetch(now)
            if not self.place.exists() or self.place.read_bytes() != content:
                self._put(self.place, content)
            self._note(Refreshment(now))
        except (TrustRootError, OSError) as error:
            self._note(Refreshment(self._state().checked_at, now, str(error)))
            raise TrustRootError(str(error)) from error

    def _fetch(self, now: datetime) -> bytes:
        # Importing either takes long: on this thread, and only where it is needed.
        from tuf.ngclient.config import UpdaterConfig
        from tuf.ngclient.updater import Updater

        from pinfold.adapters.sigstore.attestation import AttestationVerifier

        bootstrap = (self._root or packaged("root.json")).read_bytes()
        try:
            updater = Updater(
                str(self._metadata),
                self._url,
                target_dir=str(self._targets),
                target_base_url=urljoin(f"{self._url}/", "targets/"),
                config=UpdaterConfig(app_user_agent=f"pinfold/{__version__}"),
                bootstrap=bootstrap,
            )
            updater.refresh()
            info = updater.get_targetinfo(TARGET)
            if info is None or info.length > MAX_SIZE:
                raise TrustRootError(f"{self._url} has no {TARGET} of at most {MAX_SIZE} bytes")
            path = Path(updater.find_cached_target(info) or updater.download_target(info))
        except TrustRootError:
            raise
        except Exception as error:
            # Each of the layers beneath has errors of its own.
            raise TrustRootError(f"{self._url}: {type(error).__name__}: {error}") from error
        content = path.read_bytes()
        # What nothing can be verified with must not take the place of what serves.
        AttestationVerifier(TrustRootFile(sha256(content).hexdigest(), now, path))
        return content

    def _note(self, state: Refreshment) -> None:
        self._put(self._folder / _STATE, msgspec.json.encode(state))

    def _put(self, place: Path, content: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", delete=False) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(place)
        sync_folder(self._folder)

    @property
    def _metadata(self) -> Path:
        return self._folder / "metadata"

    @property
    def _targets(self) -> Path:
        return self._folder / "targets"
