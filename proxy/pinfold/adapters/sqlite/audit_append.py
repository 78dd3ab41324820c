"""Appends entries to the audit log, as many at once as there are."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Self

import sqlite_utils

from pinfold.adapters.sqlite.audit_columns import COLUMNS, QUOTED, column_values
from pinfold.adapters.sqlite.audit_parts import STORED, Cut, Stored, cut_out, numbers_of
from pinfold.adapters.sqlite.evidence import keep
from pinfold.audit.canonical import placed, render, rfc3339
from pinfold.domain.audit_entry import Entry
from pinfold.domain.evidence import Evidence, plain

_VALUES = ", ".join("?" * (2 + len(Stored._fields) + len(COLUMNS)))
_INSERT = f"INSERT INTO audit (seq, {STORED}, evidence, {QUOTED}) VALUES ({_VALUES})"  # noqa: S608 - our own names


class Draft(NamedTuple):
    """An entry on its way into the log: all of its row that does not depend on what is there already."""

    cut: Cut
    columns: list[str | int | None]
    evidence: str | None
    """The digest of the evidence that is kept with it."""

    @property
    def time(self) -> str:
        """When it was, in a spelling whose order is that of time."""
        return str(self.columns[0])

    def at(self, moment: datetime) -> Self:
        """Return the draft of the same entry at another moment."""
        time = rfc3339(moment)
        # What follows an entry's time names no other, and quotes in texts are escaped.
        before, _, after = self.cut.body.rpartition(b'"time":"%b"' % self.time.encode())
        body = b'%b"time":"%b"%b' % (before, time.encode(), after)
        return self._replace(cut=self.cut._replace(body=body), columns=[time, *self.columns[1:]])

    @classmethod
    def of(cls, entry: Entry, *, with_evidence: bool) -> Self:
        """Return the draft of an entry; raises what `render` raises."""
        rendered = render(entry)
        evidence = entry.evidence_digest if with_evidence else None
        return cls(cut_out(rendered, entry), column_values(entry, rendered.texts), evidence)


def append_all(database: sqlite_utils.Database, drafts: Sequence[Draft], evidence_of: Callable[[str], object]) -> int:
    """Append entries in the transaction that is open; return the first's number.

    `evidence_of` is asked, by digest, for the plain data of what is to be kept with them and is not yet.
    """
    (first,) = database.execute("SELECT coalesce(max(seq), 0) + 1 FROM audit").fetchone()
    numbers = numbers_of(database, (part for draft in drafts for part in draft.cut.parts))
    evidence = keep(database, {draft.evidence for draft in drafts if draft.evidence}, evidence_of)
    rows = [
        (
            seq,
            *draft.cut._replace(body=placed(draft.cut.body, seq)).stored(numbers),
            evidence[draft.evidence] if draft.evidence else None,
            *draft.columns,
        )
        for seq, draft in enumerate(drafts, first)
    ]
    database.conn.executemany(_INSERT, rows)
    return int(first)


def append_entry(database: sqlite_utils.Database, entry: Entry, evidence: Evidence | None = None) -> int:
    """Append an entry in the transaction that is open, and return its number; keep the evidence that it refers to.

    Raises what `render` raises.
    """
    draft = Draft.of(entry, with_evidence=evidence is not None)
    return append_all(database, [draft], lambda _: plain(evidence))
