"""Appends entries to the audit log, as many at once as there are."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import sqlite_utils

from pinfold.adapters.sqlite.audit_columns import COLUMNS, QUOTED, column_values
from pinfold.adapters.sqlite.audit_parts import STORED, Cut, Stored, cut_out, numbers_of
from pinfold.adapters.sqlite.evidence import keep
from pinfold.audit.canonical import placed, render
from pinfold.domain.audit_entry import Entry
from pinfold.domain.evidence import Evidence

_VALUES = ", ".join("?" * (2 + len(Stored._fields) + len(COLUMNS)))
_INSERT = f"INSERT INTO audit (seq, {STORED}, evidence, {QUOTED}) VALUES ({_VALUES})"  # noqa: S608 - our own names


class Draft(NamedTuple):
    """An entry on its way into the log: all of its row that does not depend on what is there already."""

    cut: Cut
    columns: Sequence[str | int | None]
    evidence: tuple[str, Evidence] | None
    """What the entry refers to, by its digest."""

    @classmethod
    def of(cls, entry: Entry, evidence: Evidence | None = None) -> Self:
        """Return the draft of an entry; raises what `render` raises."""
        kept = (entry.evidence_digest, evidence) if evidence and entry.evidence_digest else None
        rendered = render(entry)
        return cls(cut_out(rendered, entry), column_values(entry, rendered.texts), kept)


def append_all(database: sqlite_utils.Database, drafts: Sequence[Draft]) -> int:
    """Append entries in the transaction that is open, with the evidence they refer to; return the first's number."""
    (first,) = database.execute("SELECT coalesce(max(seq), 0) + 1 FROM audit").fetchone()
    numbers = numbers_of(database, (part for draft in drafts for part in draft.cut.parts))
    evidence = keep(database, dict(draft.evidence for draft in drafts if draft.evidence))
    rows = [
        (
            seq,
            *draft.cut._replace(body=placed(draft.cut.body, seq)).stored(numbers),
            evidence[draft.evidence[0]] if draft.evidence else None,
            *draft.columns,
        )
        for seq, draft in enumerate(drafts, first)
    ]
    database.conn.executemany(_INSERT, rows)
    return int(first)


def append_entry(database: sqlite_utils.Database, entry: Entry, evidence: Evidence | None = None) -> int:
    """Append an entry in the transaction that is open, and return its number; keep the evidence that it refers to."""
    return append_all(database, [Draft.of(entry, evidence)])
