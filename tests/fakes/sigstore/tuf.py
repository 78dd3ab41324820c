"""A TUF repository of one's own, from which trust roots are handed out as sigstore hands out its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

TARGET = "trusted_root.json"
ROLES = ("root", "timestamp", "snapshot", "targets")


class TufRepository:
    """Files in a folder, all signed by one key at a time; `root_path` is what trust in it begins with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "targets").mkdir(parents=True)
        self._key = CryptoSigner.generate_ed25519()
        self._version = 0
        self._root = Root(version=1, consistent_snapshot=True)
        self.root_path = self._sign_root(self._key)

    def rotate(self) -> None:
        """Go over to another key, as the old one says."""
        old, self._key = self._key, CryptoSigner.generate_ed25519()
        self._root.version += 1
        self._sign_root(old)

    def _sign_root(self, by: CryptoSigner) -> Path:
        for role in ROLES:
            self._root.roles[role].keyids.clear()
            self._root.add_key(self._key.public_key, role)
        self._root.expires = datetime.now(UTC) + timedelta(days=365)
        signed = Metadata(self._root)
        signed.sign(by)
        signed.sign(self._key, append=True)
        path = self.folder / f"{self._root.version}.root.json"
        signed.to_file(str(path))
        return path

    def publish(
        self,
        content: bytes,
        *,
        target: str = TARGET,
        lasts: timedelta = timedelta(days=7),
        key: CryptoSigner | None = None,
        version: int | None = None,
    ) -> None:
        """Hand out a trust root from now on; `key` signs in place of the repository's own."""
        self._version = version or self._version + 1
        expires = datetime.now(UTC) + lasts
        file = TargetFile.from_data(target, content)
        name = f"{file.hashes['sha256']}.{target}"
        (self.folder / "targets" / name).write_bytes(content)
        signer, number = key or self._key, self._version
        targets = Metadata(Targets(version=number, expires=expires, targets={target: file}))
        snapshot = Metadata(Snapshot(version=number, expires=expires, meta={"targets.json": MetaFile(number)}))
        timestamp = Metadata(Timestamp(version=number, expires=expires, snapshot_meta=MetaFile(number)))
        for metadata, path in (
            (targets, f"{number}.targets.json"),
            (snapshot, f"{number}.snapshot.json"),
            (timestamp, "timestamp.json"),
        ):
            metadata.sign(signer)
            metadata.to_file(str(self.folder / path))


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
