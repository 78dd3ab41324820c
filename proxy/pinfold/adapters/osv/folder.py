"""Records from the files of a folder, one at a time and within bounds."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from pinfold.adapters.osv.bounds import MAX_CONTENT, MAX_RECORD, MAX_RECORDS
from pinfold.domain.errors import FeedError

_SUFFIX = ".json"


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
        if len(content) > MAX_RECORD:
            raise FeedError(f"{path} is larger than {MAX_RECORD} bytes")
        if total > MAX_CONTENT:
            raise FeedError(f"the records together are larger than {MAX_CONTENT} bytes")
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
