"""What entries are searched by: copies from the canonical bytes, which alone are proven."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from pinfold.audit.canonical import kept_text
from pinfold.domain.audit_entry import Entry

_OF_ENTRY = ("index", "decision", "rule", "reference")
COLUMNS = ("time", "action", "actor", "address", *_OF_ENTRY, "unchanged")
QUOTED = ", ".join(f'"{name}"' for name in COLUMNS)


class LoggedFile(NamedTuple):
    """What an entry says of the file, release or project that it is about; None throughout where it is about none."""

    project: str | None
    version: str | None
    filename: str | None
    sha256: str | None

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> Self:
        """Return what an entry says, given its texts as the log keeps them."""
        return cls(*map(texts.get, cls._fields))


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
