"""Shared pages in a folder that only its owner can read: as trustworthy as the catalog beside it."""

import asyncio
import hashlib
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from pinfold.ports.shared_pages import SharedPage

BUDGET: Final = 64 * 1024 * 1024
"""Bytes of all pages together; the oldest make room for new ones."""
_CODE: Final = secrets.token_bytes(16)
"""Known to this process and to those that are forked from it: what they judge and render by is the same."""
_DIGEST_BYTES: Final = 32
_decode = msgspec.msgpack.Decoder(SharedPage).decode


class SharedPageFiles:
    """One file a page, which appears as a whole."""

    def __init__(self, folder: Path, budget: int = BUDGET) -> None:
        self._folder = folder
        self._budget = budget

    async def find(self, made_of: str) -> SharedPage | None:
        """Return a page; see `pinfold.ports.shared_pages`. One that is damaged is none."""
        return await asyncio.to_thread(_read, self._path(made_of))

    async def keep(self, made_of: str, page: SharedPage) -> None:
        """Keep a page, if there is room for it at all."""
        await asyncio.to_thread(self._write, self._path(made_of), page)

    def _path(self, made_of: str) -> Path:
        return self._folder / hashlib.sha256(_CODE + made_of.encode()).hexdigest()

    def _write(self, path: Path, page: SharedPage) -> None:
        packed = msgspec.msgpack.encode(page)
        # A full disk, say, costs the others what the page cost this process.
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            size = _DIGEST_BYTES + len(packed)
            if size <= self._budget:
                self._make_room(size)
                self._put(path, hashlib.sha256(packed).digest(), packed)

    def _put(self, path: Path, *parts: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
            try:
                file.writelines(parts)
                file.flush()
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def _make_room(self, size: int) -> None:
        """Remove the oldest files until there is room for a new one."""
        files = sorted(((file.stat(), file) for file in self._folder.iterdir()), key=lambda one: one[0].st_mtime_ns)
        taken = sum(status.st_size for status, _ in files)
        for status, file in files:
            if taken + size <= self._budget:
                return
            file.unlink(missing_ok=True)
            taken -= status.st_size


def _read(path: Path) -> SharedPage | None:
    try:
        content = path.read_bytes()
        digest, packed = content[:_DIGEST_BYTES], memoryview(content)[_DIGEST_BYTES:]
        return _decode(packed) if hashlib.sha256(packed).digest() == digest else None
    except (OSError, msgspec.DecodeError, ValueError):
        return None
