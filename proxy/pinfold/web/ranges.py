"""Byte ranges (RFC 9110, section 14): one range a request, as lazy wheels and resumed downloads ask for."""

import re

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.ASCII | re.IGNORECASE)


class Unsatisfiable(Exception):
    """The range begins beyond the file's end."""


def asks_for_range(header: str | None) -> bool:
    """Tell whether a `Range` header names one range of bytes; anything else is ignored, as the RFC allows."""
    match = _RANGE.fullmatch(header) if header else None
    return match is not None and bool(match[1] or match[2])


def resolve_range(header: str | None, length: int) -> tuple[int, int] | None:
    """Return where a `Range` header's bytes begin and end (not included); None where the whole file is to be sent.

    Raises Unsatisfiable for a range that has no byte in common with the file.
    """
    match = _RANGE.fullmatch(header) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        count = int(match[2])
        if count == 0 or length == 0:
            raise Unsatisfiable
        return max(length - count, 0), length
    first = int(match[1])
    last = int(match[2]) if match[2] else length - 1
    if last < first and match[2]:
        return None
    if first >= length:
        raise Unsatisfiable
    return first, min(last + 1, length)
