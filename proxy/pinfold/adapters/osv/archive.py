"""Records from a zip or a folder, one at a time and within bounds."""

import hashlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pinfold.adapters.osv.bounds import MAX_CONTENT, MAX_RATIO, MAX_RECORD, MAX_RECORDS
from pinfold.domain.errors import FeedError

_SUFFIX = ".json"
_SLACK = 1 << 20
"""Bytes that even a small zip may unfold to."""


def open_zip(file: IO[bytes]) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]:
    """Open a zip of records, and return it with its members; blocking. Raises FeedError for what is no honest one."""
    try:
        size = file.seek(0, os.SEEK_END)
        archive = zipfile.ZipFile(file)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise FeedError(f"not a zip that can be read: {error}") from error
    try:
        return archive, _members(archive, size)
    except FeedError:
        archive.close()
        raise


def read_zip(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Iterator[bytes]:
    """Yield the content of each record; what a member really unfolds to counts, not what the zip says."""
    total = 0
    for member in members:
        try:
            with archive.open(member) as file:
                content = file.read(MAX_RECORD + 1)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
            raise FeedError(f"{member.filename!r} in the zip cannot be read: {error}") from error
        except Exception as error:
            # zlib, lzma and bz2 each have an error of their own.
            raise FeedError(f"{member.filename!r} in the zip is damaged: {error}") from error
        total += len(content)
        _check_sizes(member.filename, len(content), total)
        yield content


def find_records(folder: Path) -> list[Path]:
    """Return the files of records in a folder and below it; blocking. Links to other folders are not followed."""
    found: list[Path] = []
    for root, folders, files in os.walk(folder):
        folders.sort()
        found += (Path(root, name) for name in sorted(files) if name.endswith(_SUFFIX))
        if len(found) > MAX_RECORDS:
            raise FeedError(f"more than {MAX_RECORDS} records in the folder")
    return found


def read_files(paths: list[Path]) -> Iterator[bytes]:
    """Yield the content of each file."""
    total = 0
    for path in paths:
        try:
            with path.open("rb") as file:
                content = file.read(MAX_RECORD + 1)
        except OSError as error:
            raise FeedError(f"{path} cannot be read: {error.strerror}") from error
        total += len(content)
        _check_sizes(str(path), len(content), total)
        yield content


def mark_of(paths: list[Path]) -> str:
    """Return what stands for an ETag of local files: another one as soon as a name, a size or a time is another."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            raise FeedError(f"{path} cannot be read: {error.strerror}") from error
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}\0".encode("utf-8", "replace"))
    return digest.hexdigest()


def _members(archive: zipfile.ZipFile, size: int) -> list[zipfile.ZipInfo]:
    members = [member for member in archive.infolist() if member.filename.endswith(_SUFFIX)]
    if len(members) > MAX_RECORDS:
        raise FeedError(f"more than {MAX_RECORDS} records in the zip")
    if any(member.flag_bits & 1 for member in members):
        raise FeedError("the zip is encrypted")
    content = sum(member.file_size for member in members)
    if content > MAX_CONTENT or content > size * MAX_RATIO + _SLACK:
        raise FeedError(f"a zip of {size} bytes that unfolds to {content}: no feed looks like that")
    # Members that share their bytes unfold to more than any honest zip could hold.
    packed = sum(member.compress_size for member in members)
    if packed > size:
        raise FeedError("the zip's members overlap")
    return members


def _check_sizes(name: str, size: int, total: int) -> None:
    if size > MAX_RECORD:
        raise FeedError(f"{name!r} is larger than {MAX_RECORD} bytes")
    if total > MAX_CONTENT:
        raise FeedError(f"the records together are larger than {MAX_CONTENT} bytes")
