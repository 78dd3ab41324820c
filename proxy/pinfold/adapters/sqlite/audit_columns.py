"""The columns that entries are searched by: copies from the canonical bytes, which alone are proven."""

from collections.abc import Mapping

from pinfold.audit.canonical import kept_text
from pinfold.domain.audit_entry import Entry

_OF_ENTRY = ("index", "project", "version", "filename", "sha256", "decision", "rule", "reference")
COLUMNS = ("time", "action", "actor", "address", *_OF_ENTRY, "unchanged")
QUOTED = ", ".join(f'"{name}"' for name in COLUMNS)


def column_values(entry: Entry, texts: Mapping[str, str]) -> list[str | int | None]:
    """Return the values of an entry's columns, in the order of COLUMNS, given its texts as the log keeps them."""
    actor, address = entry.actor.name, entry.actor.address
    return [
        texts["time"],
        texts["action"],
        kept_text(actor),
        None if address is None else kept_text(address),
        *map(texts.get, _OF_ENTRY),
        1 if entry.details.get("unchanged") is True else None,
    ]
