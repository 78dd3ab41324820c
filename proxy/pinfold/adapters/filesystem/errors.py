"""The file system's errors in words that help whoever runs Pinfold."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pinfold.adapters.threads import Closed
from pinfold.domain.errors import StoreError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EROFS: "the file system is read-only; mount it for writing or name another data directory",
    errno.EACCES: "Pinfold's user may not write there; give it the directory",
    errno.EPERM: "Pinfold's user may not write there; give it the directory",
    errno.EEXIST: "something else is in the way; Pinfold's data needs a directory there",
    errno.ENOTDIR: "something else is in the way; Pinfold's data needs a directory there",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
}


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn every error of the file system into a StoreError that names the path and what to do."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, error.strerror or str(error))
        raise StoreError(f"{error.filename or path}: {advice}") from error
    except Closed as error:
        raise StoreError(f"{path} takes no more work: {error}") from error
