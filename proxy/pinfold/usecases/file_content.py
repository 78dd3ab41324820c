"""A file's bytes on disk: all of them, or those of a file that is still arriving."""

import asyncio
import os
import time
import weakref
from collections.abc import Awaitable, Callable
from io import FileIO
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from pinfold.domain.errors import PinfoldError

HELD_BACK = 64 * 1024
"""How many of the last bytes wait for the hash: without a wheel's end, which holds its directory, nothing installs."""
ANNOUNCED_EVERY = 0.02
"""Seconds between two announcements of progress: each wakes every reader, and sends it what has come since."""
STANDING_STILL = 5.0
"""Seconds for which a connection may carry nothing; pip gives up after 15."""


class Stamp(NamedTuple):
    """What changes of a file with all that is written to it, and with the names that it is given and loses."""

    changed_at: int
    """When its inode was last changed, in nanoseconds, by the file system's clock: nobody can set that."""
    length: int
    names: int

    @classmethod
    def of(cls, file: os.stat_result) -> Self:
        """Return a file's stamp."""
        return cls(file.st_ctime_ns, file.st_size, file.st_nlink)


class Stored:
    """A verified file in the blob store, held open."""

    def __init__(self, path: Path) -> None:
        """Open the file; blocking. Raises OSError where that fails."""
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)
        self.stamp = Stamp.of(os.fstat(self._descriptor))
        """As it was when it was opened."""
        self.length = self.stamp.length

    def fileno(self) -> int:
        """Return the descriptor that it is held open by for as long as this object is there."""
        return self._descriptor

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has written to the file, renamed or removed it since it was opened; tells without a wait."""
        return Stamp.of(os.fstat(self._descriptor)) == self.stamp

    def open(self) -> BinaryIO:
        """Open the file once more, without a wait; all who read it share one position, and have to name their own."""
        return FileIO(os.dup(self._descriptor))

    def open_at_once(self) -> BinaryIO:
        """Do the same: this never takes a wait."""
        return self.open()

    @property
    def is_whole(self) -> bool:
        """Whether all of the file is here: always."""
        return True

    async def started(self) -> None:
        """Return at once: everything is here."""

    async def whole(self) -> int:
        """Return the file's length."""
        return self.length

    async def shown(self, beyond: int) -> int:  # noqa: ARG002 - everything is shown, whatever was sent
        """Return up to which byte the file may be shown: its end."""
        return self.length


class Fill:
    """One file on its way from its upstream into the blob store, followed by any number of readers.

    Readers see only what may be shown: all but the last block until the whole file has its promised hash.
    """

    def __init__(self) -> None:
        self.length: int | None = None
        """How many bytes will come, where the upstream states it."""
        self._path: Path | None = None
        self._written = 0
        self._error: PinfoldError | None = None
        self._finished = False
        self._progress = asyncio.Event()
        self._announced_at = 0.0
        self._announcement: asyncio.TimerHandle | None = None

    def open(self) -> BinaryIO:
        """Open what has arrived, for reading while more arrives; blocking. Wait for `started` before."""
        deadline = time.monotonic() + STANDING_STILL
        while (file := self.open_at_once()) is None:
            # The fill ended, and the bytes have their final name: it is heard of soon that another process ended it.
            if self._error is not None:
                raise self._error
            if time.monotonic() > deadline:
                raise FileNotFoundError(f"{self.path} has gone")
            time.sleep(0.01)
        return file

    def open_at_once(self) -> BinaryIO | None:
        """Open what has arrived, without a wait, since the kernel has in memory what was just named; None if it cannot.

        Where the bytes are may change at any time. Wait for `started` before.
        """
        try:
            return FileIO(self.path)
        except FileNotFoundError:
            return None

    async def started(self) -> None:
        """Wait until something may be shown; raise what went wrong."""
        while self._path is None or not (self._end or self._finished):
            await self._wait()

    async def whole(self) -> int:
        """Wait for the end and return the file's length; raise what went wrong."""
        while not self._finished:
            await self._wait()
        return self._written

    async def shown(self, beyond: int) -> int:
        """Return up to which byte the file may be shown, once that is further than a byte or the file is whole.

        Raises what goes wrong meanwhile.
        """
        while self._end <= beyond and not self._finished:
            await self._wait()
        return self._end

    @property
    def is_whole(self) -> bool:
        """Whether all of the file is here and has its promised hash."""
        return self._finished

    @property
    def path(self) -> Path:
        """Where the bytes are: for good once the file is whole. Wait for `started` before."""
        if self._path is None:
            raise ValueError("a fill that has not started has no file")
        return self._path

    def begin(self, path: Path, length: int | None) -> None:
        """Say where the bytes are gathered and how many will come."""
        self._path, self.length = path, length
        self._announce()

    def advance(self, count: int) -> None:
        """Say that more bytes are written; those that come in quick succession are announced together."""
        self._written += count
        left = self._announced_at + ANNOUNCED_EVERY - time.monotonic()
        if left <= 0:
            self._announce()
        elif self._announcement is None:
            self._announcement = asyncio.get_running_loop().call_later(left, self._announce)

    def finish(self, path: Path) -> None:
        """Say that the file is whole, has its hash, and where it is for good."""
        self._path, self._finished = path, True
        self.length = self._written
        self._announce()

    def fail(self, error: PinfoldError) -> None:
        """Say what went wrong; readers raise it."""
        self._error = error
        self._announce()

    @property
    def _end(self) -> int:
        return self._written if self._finished else max(self._written - HELD_BACK, 0)

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        await self._progress.wait()

    def _announce(self) -> None:
        if self._announcement is not None:
            self._announcement.cancel()
            self._announcement = None
        self._announced_at = time.monotonic()
        progress, self._progress = self._progress, asyncio.Event()
        progress.set()


class Unvouched:
    """Bytes whose last block waits for somebody to vouch for the whole, who has to see all of it first.

    Where that takes long, the block's first bytes leave one by one: installers give up on connections that stand still.
    """

    def __init__(self, fill: Stored | Fill, vouch: Callable[[], Awaitable[object]]) -> None:
        self._fill = fill
        self._vouch = vouch
        self._vouching: asyncio.Future[object] | None = None

    @property
    def length(self) -> int | None:
        """How many bytes will come, where that is known."""
        return self._fill.length

    def open(self) -> BinaryIO:
        """Open what has arrived, for reading while more arrives; blocking."""
        return self._fill.open()

    def open_at_once(self) -> BinaryIO | None:
        """Open what is here for reading, where that takes no wait."""
        return self._fill.open_at_once()

    async def started(self) -> None:
        """Wait until something may be shown; raise what went wrong."""
        await self._fill.started()

    async def whole(self) -> int:
        """Wait for the end and return the file's length; raise what went wrong."""
        return await self._fill.whole()

    async def shown(self, beyond: int) -> int:
        """Return up to which byte the file may be shown; raises what whoever vouches has against it."""
        shown = await self._fill.shown(beyond)
        if not self._fill.is_whole:
            return shown
        before_the_last = max(shown - HELD_BACK, 0)
        if beyond < before_the_last:
            return before_the_last
        while not await self._is_vouched_for():
            if beyond + 1 < shown - HELD_BACK // 2:
                return beyond + 1
        return shown

    async def _is_vouched_for(self) -> bool:
        """Wait for whoever vouches while a connection may stand still; raise what is held against the bytes."""
        if self._vouching is None:
            self._vouching = asyncio.ensure_future(self._vouch())
        try:
            done, _ = await asyncio.wait([self._vouching], timeout=STANDING_STILL)
        except asyncio.CancelledError:
            self._vouching.cancel()
            self._vouching = None
            raise
        for vouching in done:
            vouching.result()
        return bool(done)


Content = Stored | Fill | Unvouched
