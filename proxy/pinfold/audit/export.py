"""An export of the audit log: lines of JSON that prove themselves to whoever has the log's public key.

Every line is an object with one member, which says what the line is. Entries are the exception: they are their
canonical bytes as they are, and begin with `{"entry":` of themselves, so that the sha256 of a zero byte and an entry's
line, without its end, is the hash of its leaf.

    {"header": {...}}        which log and which entries, and what leads from them to a signed checkpoint
    {"checkpoint": "..."}    an older signed checkpoint, ahead of the block in which its size is reached; any number
    {"leaves": {...}}        begins a block: the leaf hashes that the log stores of the up to 256 entries to follow
    {"entry": {...}, ...}    an entry
    {"footer": {...}}        how many entries and older checkpoints there are: the end, so that a file cut off shows

An export may begin at any entry. Its header then holds the hashes of the complete subtrees before that entry (`start`)
and of those from its last entry to the checkpoint (`remainder`). So an export that broke off is resumed by one that
begins where it ended, a pruned log is exported like a whole one, and each is verified by itself, in one pass.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

MAX_LINE_BYTES = 4 * 1024 * 1024
ENTRY_START = b'{"entry":'

Count = Annotated[int, msgspec.Meta(ge=0, lt=10**18)]


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The proof that an older checkpoint, of whatever size, is of the same log."""

    checkpoint: str
    proof: tuple[bytes, ...]


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an export holds and what it leads to."""

    format: Literal["pinfold-audit-export/1"] = "pinfold-audit-export/1"
    origin: str
    key: str
    """The verifier key that signed the checkpoint: a hint at which key to look for, and no reason to trust it."""
    first: Count
    last: Count
    """The numbers of the first and the last entry; one less than `first` where there are none."""
    checkpoint: str
    """The signed checkpoint that the entries lead to; its size is `last` or more."""
    start: tuple[bytes, ...] = ()
    remainder: tuple[bytes, ...] = ()
    key_changes: tuple[str, ...] = ()
    """The last checkpoints of the keys that were replaced, oldest first."""
    consistency: tuple[Link, ...] = ()
    """Proofs for checkpoints that somebody keeps and whose sizes are not reached among the entries."""


class Leaves(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The stored leaf hashes of the entries from number `first` on, one after the other."""

    first: Count
    hashes: bytes


class Footer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many lines of either kind there were."""

    entries: Count
    checkpoints: Count


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A line other than an entry's; one of its members is set."""

    header: Header | UnsetType = UNSET
    checkpoint: str | UnsetType = UNSET
    leaves: Leaves | UnsetType = UNSET
    footer: Footer | UnsetType = UNSET


class Block(NamedTuple):
    """A run of entries, at most those of one tile."""

    first: int
    hashes: bytes
    entries: Iterable[bytes]
    checkpoints: Iterable[bytes] = ()
    """The older signed checkpoints whose sizes are reached within the block, by size."""


_decoder = msgspec.json.Decoder(Line)
_encoder = msgspec.json.Encoder()


def export_lines(header: Header, blocks: Iterable[Block]) -> Iterator[bytes]:
    """Yield the lines of an export, given the blocks of the entries that its header names."""
    entries = checkpoints = 0
    yield _encode(Line(header=header))
    for block in blocks:
        for note in block.checkpoints:
            checkpoints += 1
            yield _encode(Line(checkpoint=note.decode()))
        yield _encode(Line(leaves=Leaves(block.first, block.hashes)))
        for entry in block.entries:
            entries += 1
            yield entry + b"\n"
    yield _encode(Line(footer=Footer(entries, checkpoints)))


def parse_line(line: bytes) -> Header | str | Leaves | Footer:
    """Return what a line other than an entry's holds, a checkpoint as its note; raises ValueError where it is none.

    Every line has one spelling, so that no change to it can go unnoticed.
    """
    try:
        parsed = _decoder.decode(line)
        canonical = _encode(parsed)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("it cannot be read") from error
    members = [parsed.header, parsed.checkpoint, parsed.leaves, parsed.footer]
    present = [member for member in members if member is not UNSET]
    if canonical != line or len(present) != 1:
        raise ValueError("it is not spelled as an export's lines are")
    return present[0]


def _encode(line: Line) -> bytes:
    return _encoder.encode(line) + b"\n"
