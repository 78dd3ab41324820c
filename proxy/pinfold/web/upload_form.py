"""The form that an upload comes in, read as it arrives: its fields within limits, its file to disk."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Final

from aiohttp import (
    BadContentDispositionHeader,
    BadContentDispositionParam,
    BodyPartReader,
    MultipartReader,
    hdrs,
    web,
)
from aiohttp.http_exceptions import HttpProcessingError

from pinfold.domain.errors import InvalidUpload, UploadTooLarge, UploadTooSlow
from pinfold.usecases.publish import Upload
from pinfold.usecases.receive_upload import ReceivedFile
from pinfold.usecases.uploaded_metadata import Statement

MOST_PARTS: Final = 2_000
"""Every classifier and requirement is a part of its own."""
LARGEST_FORM: Final = 8 << 20
"""Bytes of everything but the file: descriptions are long, and are not kept."""
LARGEST_FIELD: Final = 4 << 10
LARGEST_ATTESTATIONS: Final = 256 << 10
LONGEST_SECONDS: Final = 3600.0
_CHUNK: Final = 256 << 10
_DIGESTS: Final = {"sha256": "sha256_digest", "blake2_256": "blake2_256_digest", "md5": "md5_digest"}
_FIELDS: Final = {
    ":action": LARGEST_FIELD,
    "protocol_version": LARGEST_FIELD,
    "name": LARGEST_FIELD,
    "version": LARGEST_FIELD,
    "filetype": LARGEST_FIELD,
    "requires_python": LARGEST_FIELD,
    "attestations": LARGEST_ATTESTATIONS,
    **dict.fromkeys(_DIGESTS.values(), LARGEST_FIELD),
}
"""The fields that are read, with the most bytes of each. What else there is to know, the file itself tells."""

_UNREADABLE: Final = (
    ValueError,
    AssertionError,
    HttpProcessingError,
    web.RequestPayloadError,
    BadContentDispositionHeader,
    BadContentDispositionParam,
)
"""What aiohttp makes of forms that break off, contradict themselves or are none."""


class UploadForm:
    """One form on its way in; `upload` is what it has said so far."""

    def __init__(self, received: ReceivedFile, idle_seconds: float, before_file: Callable[[Upload], None]) -> None:
        """Write the file to where it is received; `before_file` may object once the form says what it is about."""
        self._received = received
        self._idle_seconds = idle_seconds
        self._before_file = before_file
        self._fields: dict[str, str] = {}
        self._filename: str | None = None
        self._parts = 0
        self._size = 0

    @property
    def upload(self) -> Upload:
        """What the form says."""
        get = self._fields.get
        return Upload(
            self._filename or "",
            Statement(get("name", ""), get("version", ""), get("filetype", ""), get("requires_python", "")),
            {algorithm: digest for algorithm, name in _DIGESTS.items() if (digest := get(name, ""))},
            get("attestations", "").encode() or None,
        )

    async def read(self, request: web.Request) -> None:
        """Read a request's whole form; raises InvalidUpload for what no client sends, and what `before_file` raises."""
        if request.content_type != "multipart/form-data":
            raise InvalidUpload("An upload is a form: multipart/form-data")
        try:
            async with _patience(LONGEST_SECONDS):
                await self._read_parts(await request.multipart())
        except _UNREADABLE as error:
            raise InvalidUpload(f"The form cannot be read: {type(error).__name__}") from error
        if self._fields.get(":action") != "file_upload":
            raise InvalidUpload("Invalid value for :action: this address takes file_upload")
        if self._fields.get("protocol_version", "1") != "1":
            raise InvalidUpload("Unknown protocol version.")
        if self._filename is None:
            raise InvalidUpload("Upload payload does not have a file.")

    async def _read_parts(self, reader: MultipartReader) -> None:
        while True:
            async with _patience(self._idle_seconds):
                part = await reader.next()
            if part is None:
                return
            self._parts += 1
            if self._parts > MOST_PARTS:
                raise UploadTooLarge(f"The form has more than {MOST_PARTS} parts")
            self._count(sum(len(name) + len(value) for name, value in part.headers.items()))
            if isinstance(part, MultipartReader):
                raise InvalidUpload("A part of the form has parts itself")
            if part.headers.get(hdrs.CONTENT_TRANSFER_ENCODING, "binary").lower() not in ("binary", "8bit", "7bit"):
                raise InvalidUpload("A part of the form is encoded")
            name, filename = _disposition(part)
            if name == "content":
                await self._take_file(part, filename)
            else:
                await self._take_field(part, name)

    async def _take_file(self, part: BodyPartReader, filename: str) -> None:
        if self._filename is not None:
            raise InvalidUpload("The form has several files")
        self._filename = filename
        if "name" in self._fields and "version" in self._fields:
            # Clients send the file last: who may not publish it need not send it.
            self._before_file(self.upload)
        async for chunk in self._chunks(part):
            await self._received.write(chunk)
        await self._received.flush()

    async def _take_field(self, part: BodyPartReader, name: str) -> None:
        kept, most = bytearray(), _FIELDS.get(name, 0)
        if name in self._fields:
            raise InvalidUpload(f"The form has {name} twice")
        async for chunk in self._chunks(part):
            self._count(len(chunk))
            if most and len(kept) + len(chunk) > most:
                raise UploadTooLarge(f"Invalid value for {name}: more than {most} bytes")
            if most:
                kept += chunk
        if most:
            self._fields[name] = kept.decode()

    async def _chunks(self, part: BodyPartReader) -> AsyncIterator[bytes]:
        while not part.at_eof():
            async with _patience(self._idle_seconds):
                chunk = await part.read_chunk(_CHUNK)
            if chunk:
                yield chunk

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > LARGEST_FORM:
            raise UploadTooLarge(f"The form has more than {LARGEST_FORM} bytes besides the file")


def _disposition(part: BodyPartReader) -> tuple[str, str]:
    """Return the names of a part and of its file (RFC 7578); empty where it has none."""
    message = Message()
    message[hdrs.CONTENT_DISPOSITION] = part.headers.get(hdrs.CONTENT_DISPOSITION, "")
    name, filename = (message.get_param(wanted, "", hdrs.CONTENT_DISPOSITION) for wanted in ("name", "filename"))
    return collapse_rfc2231_value(name), collapse_rfc2231_value(filename)


@asynccontextmanager
async def _patience(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise UploadTooSlow(f"The upload did not go on, or not come to its end, within {seconds:g} s") from error
