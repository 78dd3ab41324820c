"""Exports the audit log from a ledger, in bounded memory: with its proofs, or as a table for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from pinfold.adapters.sqlite.audit_reader import LogReader, LogState
from pinfold.adapters.sqlite.audit_verify import log_keys
from pinfold.audit.canonical import from_canonical, rfc3339
from pinfold.audit.checkpoint import LogKeys
from pinfold.audit.export import Block, Header, Link, export_lines
from pinfold.audit.merkle import CompactRange, consistency_proof, subtrees
from pinfold.audit.note import Verifier
from pinfold.audit.tiles import TileNodes
from pinfold.domain.errors import InvalidNote, StoreError

_ACTOR = ("name", "address", "installer", "installer_version", "python", "ci", "user_agent")
_ENTRY = (
    *("action", "index", "project", "version", "filename", "sha256", "decision", "rule", "reference"),
    *("policy_digest", "evidence_digest"),
)
HEADINGS = ("seq", "time", "actor", *_ACTOR[1:], *_ENTRY)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def export_jsonl(
    reader: LogReader, state: LogState, first: int, last: int | None = None, kept: Iterable[bytes] = ()
) -> Iterator[bytes]:
    """Yield the lines of an export of the entries from `first` on that proves itself.

    `kept` are notes of checkpoints that somebody keeps, for each of which the proof is added that it is of this log.
    Raises StoreError where the log is damaged or such a checkpoint is not of it.
    """
    last = state.size if last is None else last
    first = max(first, state.pruned + 1)
    try:
        present = Verifier.parse(state.present_key)
        keys = log_keys(state, [present])
        nodes = TileNodes(reader.tiles)
        header = Header(
            origin=present.name,
            key=str(present),
            first=first,
            last=max(last, first - 1),
            checkpoint=state.note.decode(),
            start=CompactRange.at(first - 1, nodes).hashes,
            remainder=tuple(nodes.node(level, index) for level, index in subtrees(max(last, first - 1), state.size)),
            key_changes=tuple(note.decode() for note in state.key_changes),
            consistency=tuple(_link(note, keys, state, nodes) for note in kept),
        )
    except InvalidNote as error:
        raise StoreError(f"the audit log cannot be exported: {error}; pinfold audit verify tells more") from error
    # What was signed by keys that were replaced is covered by their last checkpoints, which are in the header.
    since = max((keys.open(note).size for note in state.key_changes), default=0)
    return export_lines(header, _blocks(reader, state, first, header.last, since))


def export_csv(reader: LogReader, state: LogState, first: int) -> Iterator[bytes]:
    """Yield a table of the entries from `first` on, with a line of headings; it proves nothing."""
    yield _row(HEADINGS)
    for block in reader.blocks(state, max(first, state.pruned + 1), state.size):
        for body, seq in block.rows:
            try:
                entry = from_canonical(body).entry
            except ValueError as error:
                raise StoreError(f"entry {seq} cannot be read: {error}; pinfold audit verify tells more") from error
            yield _row([seq, rfc3339(entry.time), *_values(entry.actor, _ACTOR), *_values(entry, _ENTRY)])


def _values(source: object, names: Iterable[str]) -> list[object]:
    return [getattr(source, name) for name in names]


def _link(note: bytes, keys: LogKeys, state: LogState, nodes: TileNodes) -> Link:
    size = keys.open(note).size
    if size > state.size:
        raise InvalidNote(f"a checkpoint of size {size} was kept, and the log has {state.size} entries")
    return Link(note.decode(), tuple(consistency_proof(size, state.size, nodes)))


def _blocks(reader: LogReader, state: LogState, first: int, last: int, since: int) -> Iterator[Block]:
    for stored in reader.blocks(state, first, last):
        notes = [one.note for one in stored.checkpoints if since < one.size < state.size and not one.ends_key]
        yield Block(stored.first, stored.hashes, [body for body, _ in stored.rows], notes)


def _row(values: Sequence[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([_cell(value) for value in values])
    return text.getvalue().encode()


def _cell(value: object) -> object:
    # Names and user agents come from strangers, and spreadsheets take some texts for formulas.
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
