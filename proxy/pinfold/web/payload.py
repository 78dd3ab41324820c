"""What an answer is sent from again and again, in the way that costs least for its length."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from io import FileIO
from typing import BinaryIO, ClassVar, Final, Protocol, cast
from weakref import WeakSet

import aiofastnet

MOST_LENT: Final = 128
"""Files in memory that a process holds at once: each takes a descriptor, of which connections need most."""
MOST_JOINED: Final = 128
"""Answers that a process holds joined at once, beside their pieces: of 40 KiB at most, and for a second."""


class Payload(Protocol):
    """The bytes of an answer, which never change."""

    def send(self, transport: asyncio.Transport) -> None:
        """Have the bytes sent, behind all that was written before."""


class Pieces:
    """Bytes of this process, which the kernel copies each time."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    def send(self, transport: asyncio.Transport) -> None:
        """Write the bytes at once: a head that goes ahead costs a packet, and wakes the client for nothing."""
        transport.writelines(self._pieces)


class Joined:
    """A short answer in one piece: to gather pieces takes the kernel longer than it takes to copy them once.

    Raises OSError where enough answers are.
    """

    _held: ClassVar[WeakSet["Joined"]] = WeakSet()

    def __init__(self, pieces: Sequence[bytes]) -> None:
        if len(Joined._held) >= MOST_JOINED:
            raise OSError("enough answers are in one piece")
        self._bytes = b"".join(pieces)
        Joined._held.add(self)

    def send(self, transport: asyncio.Transport) -> None:
        """Write the bytes."""
        transport.write(self._bytes)


class Lent(FileIO):
    """Bytes in a file of the kernel's own memory, which it sends without a copy; closed once nobody sends from it.

    Raises OSError where there can be no such file, or are enough of them.
    """

    _held: ClassVar = 0

    def __init__(self, pieces: Sequence[bytes]) -> None:
        if not hasattr(os, "memfd_create"):
            raise OSError("this system has no files in memory")
        if Lent._held >= MOST_LENT:
            raise OSError("enough answers lie in files in memory")
        self._length = sum(map(len, pieces))
        super().__init__(os.memfd_create("answer"), "r+")
        Lent._held += 1
        if os.writev(self.fileno(), pieces) != self._length:
            raise OSError("a file in memory has no room for an answer")

    def __del__(self) -> None:
        """Close the file."""
        if not self.closed:
            self.close()
            Lent._held -= 1

    def send(self, transport: asyncio.Transport) -> None:
        """Have the kernel send the bytes; what it does not take at once, it takes as the client reads."""
        # The transport keeps this object, of which it wants no more than the descriptor, until all is sent.
        # A connection's end is told to its protocol, and is for nobody else, as with what is written.
        with suppress(ConnectionError):
            waiting = cast("aiofastnet.Transport", transport).sendfile(cast("BinaryIO", self), 0, self._length)
            if waiting is not None:
                waiting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
