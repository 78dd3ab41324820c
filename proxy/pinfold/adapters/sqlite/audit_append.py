"""Appends entries to the audit log, as many at once as there are."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Self

import sqlite_utils

from pinfold.adapters.sqlite.audit_parts import LoggedClient, LoggedTemplate, Part, client_of, clients, templates
from pinfold.adapters.sqlite.evidence import keep
from pinfold.audit.canonical import Mark, placed, render, rfc3339
from pinfold.audit.merkle import leaf_hash
from pinfold.domain.audit_entry import Entry
from pinfold.domain.evidence import Evidence, plain


class Brief(NamedTuple):
    """An entry in brief: what differs from request to request, with digests for what recurs."""

    time: str
    """When it was, in a spelling whose order is that of time."""
    template: bytes
    client: bytes
    evidence: str | None
    """The digest of the evidence that is kept with it."""


class Draft(NamedTuple):
    """An entry on its way into the log: all of it that does not depend on what is there already."""

    time: str
    template: LoggedTemplate
    client: LoggedClient
    evidence: str | None

    @property
    def brief(self) -> Brief:
        """The entry in brief."""
        return Brief(self.time, self.template.digest, self.client.digest, self.evidence)

    def at(self, moment: datetime) -> Self:
        """Return the draft of the same entry at another moment."""
        return self._replace(time=rfc3339(moment))

    @classmethod
    def of(cls, entry: Entry, *, with_evidence: bool) -> Self:
        """Return the draft of an entry; raises what `render` raises."""
        rendered = render(entry)
        template = LoggedTemplate.of(entry, rendered, with_evidence=with_evidence)
        evidence = entry.evidence_digest if with_evidence else None
        return cls(rendered.texts["time"], template, client_of(entry.actor, rendered.actor), evidence)


class Sources(NamedTuple):
    """Where that comes from, by digest, which is to be kept with entries and is not yet."""

    template: Callable[[bytes], LoggedTemplate]
    client: Callable[[bytes], LoggedClient]
    evidence: Callable[[str], object]
    """As plain data."""


class Appended(NamedTuple):
    """What became of entries."""

    first: int
    """The number of the first."""
    leaves: list[bytes]
    """Their hashes in the log's tree."""


def append_all(database: sqlite_utils.Database, entries: Sequence[Brief], sources: Sources) -> Appended:
    """Append entries in the transaction that is open; raises StoreError where what they refer to is damaged."""
    (first,) = database.execute("SELECT coalesce(max(seq), 0) + 1 FROM audit").fetchone()
    told_of = _all_told(database, {entry[1:] for entry in entries}, sources)
    rows, leaves = [], []
    for seq, entry in enumerate(entries, first):
        told = told_of[entry[1:]]
        rows.append((seq, entry.time, *told.numbers))
        leaves.append(leaf_hash(placed(told.before + entry.time.encode() + told.after, seq)))
    database.conn.executemany("INSERT INTO audit VALUES (?, ?, ?, ?, ?)", rows)
    return Appended(int(first), leaves)


def append_entry(database: sqlite_utils.Database, entry: Entry, evidence: Evidence | None = None) -> int:
    """Append an entry in the transaction that is open, and return its number; keep the evidence that it refers to.

    Raises what `render` raises.
    """
    draft = Draft.of(entry, with_evidence=evidence is not None)
    sources = Sources(lambda _: draft.template, lambda _: draft.client, lambda _: plain(evidence))
    return append_all(database, [draft.brief], sources).first


class _Told(NamedTuple):
    """What entries have in common that differ in their times alone."""

    numbers: tuple[int, int, int | None]
    """Of template, client and evidence."""
    before: bytes
    after: bytes


def _all_told(
    database: sqlite_utils.Database, wanted: Collection[tuple[bytes, bytes, str | None]], sources: Sources
) -> dict[tuple[bytes, bytes, str | None], _Told]:
    template = templates(database, {digest for digest, _, _ in wanted}, sources.template)
    client = clients(database, {digest for _, digest, _ in wanted}, sources.client)
    evidence = keep(database, {digest for _, _, digest in wanted if digest}, sources.evidence)
    return {about: _told(template[about[0]], client[about[1]], about[2], evidence) for about in wanted}


def _told(template: Part, client: Part, digest: str | None, evidence: Mapping[str, int]) -> _Told:
    text = template.text.replace(Mark.ACTOR, client.text)
    if digest is None:
        number = None
    else:
        number, text = evidence[digest], text.replace(Mark.EVIDENCE_DIGEST, b'"%b"' % digest.encode())
    before, _, after = text.partition(Mark.TIME)
    return _Told((template.number, client.number, number), before, after)
