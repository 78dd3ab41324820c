"""Lock files that commands are given, read from disk."""

from collections.abc import Iterable
from pathlib import Path

from pinfold.domain.errors import InvalidLock

MAX_BYTES = 64 * 1024 * 1024
"""Far beyond any lock that people keep."""


def lock_texts(paths: Iterable[Path]) -> dict[str, str]:
    """Return the texts of lock files by path; raises InvalidLock with every one that cannot be read."""
    texts: dict[str, str] = {}
    problems: list[str] = []
    for path in paths:
        try:
            if path.stat().st_size > MAX_BYTES:
                problems.append(f"{path}: is larger than {MAX_BYTES // (1 << 20)} MB")
            else:
                texts[str(path)] = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            problems.append(f"{path}: cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            problems.append(f"{path}: is not UTF-8 text")
    if problems:
        raise InvalidLock(", ".join(map(str, paths)), problems)
    return texts
