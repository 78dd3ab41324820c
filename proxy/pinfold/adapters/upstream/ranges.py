"""`Content-Range` of a partial answer (RFC 9110, section 14.4)."""

import re
from dataclasses import dataclass

_BYTES = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Which bytes of a file an answer carries, both ends included."""

    first: int
    last: int
    size: int
    """Of the whole file."""

    @property
    def length(self) -> int:
        """How many bytes those are."""
        return self.last - self.first + 1

    def answers(self, first: int, last: int) -> bool:
        """Tell whether these are the bytes `first` to `last`, or the last `-first`, as far as the file has them."""
        if first < 0:
            return (self.first, self.last) == (max(self.size + first, 0), self.size - 1)
        return (self.first, self.last) == (first, min(last, self.size - 1))


def parse_content_range(value: str | None) -> ContentRange | None:
    """Return what a header says, or None where it says nothing that could be: an unknown size included."""
    match = _BYTES.fullmatch((value or "").strip())
    if match is None:
        return None
    first, last, size = map(int, match.groups())
    return ContentRange(first, last, size) if first <= last < size else None
