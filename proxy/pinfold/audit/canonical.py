"""The one spelling of an audit entry: the bytes that are stored, exported, and hashed into the log's Merkle tree.

They are canonical JSON in the sense of RFC 8785: sorted names, no whitespace, UTF-8. Floating-point numbers and
integers that JSON readers round are written as text, so that every implementation reads and repeats the same bytes.
"""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache, reduce
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import msgspec

from pinfold.domain.audit_entry import Actor, Entry, Recorded
from pinfold.domain.by_identity import ByIdentity

MAX_TEXT = 1024
"""Characters that are kept of any one text: what clients and upstreams send must not swell the log."""

RECURRING = 512
"""Clients, and sets of verdicts, whose bytes are remembered."""

_SAFE_INTEGER = 2**53 - 1
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_encoder = msgspec.json.Encoder(order="sorted")


class _Leaf(msgspec.Struct, frozen=True):
    v: Literal[1]
    seq: int
    entry: Entry


_TEXTS = tuple(
    field.name for field in fields(Entry) if field.name not in ("action", "time", "actor", "verdicts", "details")
)
_get_texts = attrgetter(*_TEXTS)
_decoder = msgspec.json.Decoder(_Leaf)
_actor_decoder = msgspec.json.Decoder(Actor)


class Mark:
    """Where in a template something is put that differs from entry to entry; JSON has no such bytes in it."""

    ACTOR = b"\x01"
    EVIDENCE_DIGEST = b"\x02"
    TIME = b"\x03"
    VERDICTS = b"\x04"


_TIME = msgspec.Raw(b'"%b"' % Mark.TIME)


class Rendered(NamedTuple):
    """An entry's canonical bytes up to its place in the log: a template with marks, and what is put in their places."""

    template: bytes
    actor: bytes
    verdicts: bytes
    texts: dict[str, str]
    """What `texts_of` returns: time and evidence digest among them."""

    @property
    def evidence_digest(self) -> bytes:
        """The digest of the evidence as it is within the bytes; nothing where there is none."""
        digest = self.texts.get("evidence_digest")
        return b"" if digest is None else _encoder.encode(digest)

    @property
    def head(self) -> bytes:
        """All of it."""
        parts = (
            (Mark.ACTOR, self.actor),
            (Mark.EVIDENCE_DIGEST, self.evidence_digest),
            (Mark.TIME, self.texts["time"].encode()),
            (Mark.VERDICTS, self.verdicts),
        )
        return reduce(lambda made, part: made.replace(*part), parts, self.template)


def render(entry: Entry) -> Rendered:
    """Return the bytes of an entry that has no place in the log yet; what does not apply to it is left out.

    Raises ValueError for a naive time and TypeError for details that are not plain data: mistakes of the caller, which
    no text from outside can provoke.
    """
    texts, actor, verdicts = texts_of(entry), _actor(entry.actor), _verdicts(entry.verdicts)
    told: dict[str, Any] = {**texts, "actor": msgspec.Raw(Mark.ACTOR), "time": _TIME}
    if entry.evidence_digest is not None:
        told["evidence_digest"] = msgspec.Raw(Mark.EVIDENCE_DIGEST)
    if entry.verdicts:
        told["verdicts"] = msgspec.Raw(Mark.VERDICTS)
    if entry.details:
        told["details"] = _plain(entry.details)
    return Rendered(_encoder.encode({"entry": told})[:-1], actor, verdicts, texts)


def texts_of(entry: Entry) -> dict[str, str]:
    """Return an entry's action, time and other texts, by field, as its canonical bytes have them."""
    texts = {name: _plain(text) for name, text in zip(_TEXTS, _get_texts(entry), strict=True) if text is not None}
    return texts | {"action": entry.action.value, "time": rfc3339(entry.time)}


def placed(head: bytes, seq: int) -> bytes:
    """Return the bytes of an entry at its place in the log, of which `seq` and `v` come last."""
    return b'%b,"seq":%d,"v":1}' % (head, seq)


def canonical_bytes(seq: int, entry: Entry) -> bytes:
    """Return the bytes of an entry at its place in the log, alone; raises what `render` raises."""
    return placed(render(entry).head, seq)


def canonical_part(part: Actor | tuple[dict[str, Any], ...] | tuple[str | None, ...]) -> bytes:
    """Return the bytes of an entry's actor or verdicts as they are within its canonical bytes, or of some texts."""
    return _encoder.encode(_plain(part))


# Both recur from request to request. What a client sends is kept as long as the key, so that there are few.
_actor = lru_cache(RECURRING)(canonical_part)
_verdicts = ByIdentity(canonical_part, RECURRING)


def actor_from_canonical(data: bytes) -> Actor:
    """Return the actor that canonical bytes hold; raise ValueError for anything else."""
    try:
        return _actor_decoder.decode(data)
    except msgspec.DecodeError as error:
        raise ValueError(f"not an actor: {error}") from error


def from_canonical(data: bytes) -> Recorded:
    """Return the entry that canonical bytes hold; raise ValueError for anything else."""
    try:
        leaf = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise ValueError(f"not an audit entry: {error}") from error
    if leaf.entry.time.tzinfo is None:
        raise ValueError("not an audit entry: its time has no zone")
    return Recorded(leaf.seq, leaf.entry)


def kept_text(text: str) -> str:
    """Return what the log keeps of a text: Unicode that UTF-8 can carry, cut at MAX_TEXT with an ellipsis.

    Control characters stay, as evidence of what was sent. JSON escapes those that could break a line; whoever prints
    an entry must escape the rest.
    """
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 1] + "…"
    return text if text.isascii() else _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def rfc3339(moment: datetime) -> str:
    """Return an aware time in UTC with microseconds, as in `2026-03-24T10:39:00.000000Z`: text order is time order."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _plain(value: object) -> Any:
    if type(value) is str:
        # Nearly everything is short text in ASCII.
        return value if len(value) <= MAX_TEXT and value.isascii() else kept_text(value)
    match value:
        case str():
            return kept_text(str(value))
        case None | bool():
            return value
        case dict():
            return value if _is_short_text(value) else {_name(key): _plain(item) for key, item in value.items()}
        case int() if abs(value) <= _SAFE_INTEGER:
            return int(value)
        case int() | float():
            return kept_text(str(value))
        case datetime():
            return rfc3339(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case _ if is_dataclass(value):
            return {name: _plain(item) for name, item in _applying(value)}
        case _:
            raise TypeError(f"an audit entry cannot hold {type(value).__name__}")


def _is_short_text(value: dict[str, Any]) -> bool:
    """Tell whether names and values are all text that is written as it is, as those of nearly all verdicts are."""
    texts = [*value, *value.values()]
    return {*map(type, texts)} == {str} and len(text := "".join(texts)) <= MAX_TEXT and text.isascii()


def _applying(value: object) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a data class that apply to what it tells of."""
    kind: Any = type(value)
    for name in _names_of(kind):
        item = getattr(value, name)
        if item is not None and item not in ((), {}):
            yield name, item


@cache
def _names_of(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _name(key: str) -> str:
    # Within ASCII the orders by code point and by UTF-16, which RFC 8785 asks for, are the same.
    if not key.isascii():
        key = key.encode("ascii", "backslashreplace").decode()
    return key if len(key) <= MAX_TEXT else key[:MAX_TEXT]
