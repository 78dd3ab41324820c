"""Lengths of time, as people write and read them: `15m`, `3d`, `3 d`."""

import re
from datetime import timedelta

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"\s*(\d{1,6})\s*([smhdw])\s*", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """Return the length of time that a text such as `90s`, `15m`, `12h`, `3d` or `2w` names; raise ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a length of time: write a number and one of s, m, h, d, w, such as 15m")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def exact_duration(length: timedelta) -> str:
    """Return a length of time in the largest unit that needs no rounding, as in `36 h` or `3 d`; to the second."""
    seconds = int(length.total_seconds())
    unit = next((unit for unit in ("d", "h", "m") if seconds and seconds % _SECONDS[unit] == 0), "s")
    return f"{seconds // _SECONDS[unit]} {unit}"


def short_duration(length: timedelta) -> str:
    """Return a length of time in its largest fitting unit, rounded down, as in `3 h` or `2 d`."""
    seconds = int(length.total_seconds())
    for unit in ("d", "h", "m"):
        if seconds >= _SECONDS[unit]:
            return f"{seconds // _SECONDS[unit]} {unit}"
    return f"{max(seconds, 0)} s"
