"""The columns that entries are searched by: copies from the canonical bytes, which alone are proven."""

from collections.abc import Mapping

from pinfold.domain.audit_entry import Entry

_TEXTS = ("action", "index", "project", "version", "filename", "sha256", "decision", "rule", "reference")
COLUMNS = (*_TEXTS, "unchanged")
QUOTED = ", ".join(f'"{name}"' for name in COLUMNS)


def column_values(entry: Entry, texts: Mapping[str, str]) -> tuple[str | int | None, ...]:
    """Return the values of an entry's columns, in the order of COLUMNS, given its texts as the log keeps them."""
    unchanged = 1 if entry.details.get("unchanged") is True else None
    return (*map(texts.get, _TEXTS), unchanged)
