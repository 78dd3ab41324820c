"""The columns that each entry is searched by: copies from the canonical bytes, which alone are proven."""

from collections.abc import Mapping

from pinfold.domain.audit_entry import Entry

_OF_ENTRY = ("index", "decision", "rule", "reference")
COLUMNS = ("time", "action", *_OF_ENTRY, "unchanged")
QUOTED = ", ".join(f'"{name}"' for name in COLUMNS)


def column_values(entry: Entry, texts: Mapping[str, str]) -> list[str | int | None]:
    """Return the values of an entry's columns, in the order of COLUMNS, given its texts as the log keeps them."""
    unchanged = 1 if entry.details.get("unchanged") is True else None
    return [texts["time"], texts["action"], *map(texts.get, _OF_ENTRY), unchanged]
