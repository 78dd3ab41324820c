"""The columns that entries are searched by: copies from the canonical bytes, which alone are proven."""

from pinfold.audit.canonical import kept_text, rfc3339
from pinfold.domain.audit_entry import Entry

_OF_ENTRY = ("index", "project", "version", "filename", "sha256", "decision", "rule", "reference")
COLUMNS = ("time", "action", "actor", "address", *_OF_ENTRY, "unchanged")
QUOTED = ", ".join(f'"{name}"' for name in COLUMNS)


def column_values(entry: Entry) -> list[str | int | None]:
    """Return the values of an entry's columns, in the order of COLUMNS."""
    texts = [entry.action, entry.actor.name, entry.actor.address, *(getattr(entry, name) for name in _OF_ENTRY)]
    unchanged = 1 if entry.details.get("unchanged") is True else None
    return [rfc3339(entry.time), *(None if text is None else kept_text(text) for text in texts), unchanged]
