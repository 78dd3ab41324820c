"""One OSV record, from the bytes of its JSON to the claims that it makes about projects of PyPI."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from pinfold.advisories.severity import rate
from pinfold.domain.advisory import AdvisoryKind, Bound, Claim, Event
from pinfold.domain.errors import InvalidAdvisory, InvalidName
from pinfold.domain.names import canonical_version, normalise

MAX_BYTES = 16 << 20
"""Of one record; the largest have some 100 kB."""
MAX_SUMMARY = 200
ECOSYSTEM = "PyPI"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLACEHOLDER = "MAL-0000-"
"""What reports are called that were not accepted, and have no number, yet."""
_EMBEDDED_MALICIOUS_CODE = "CWE-506"
_BOUNDS = {bound.value: bound for bound in Bound}
_ORIGINS = "malicious-packages-origins"


class _Package(msgspec.Struct):
    ecosystem: str = ""
    name: str = ""


class _Range(msgspec.Struct):
    type: str = "ECOSYSTEM"
    events: list[dict[str, Any]] | None = None


class _Severity(msgspec.Struct):
    type: str = ""
    score: str = ""


class _Affected(msgspec.Struct):
    package: _Package | None = None
    versions: list[str] | None = None
    ranges: list[_Range] | None = None
    severity: list[_Severity] | None = None
    database_specific: Any = None


class _Record(msgspec.Struct):
    id: str
    modified: str
    withdrawn: str | None = None
    aliases: list[str] | None = None
    summary: str | None = None
    severity: list[_Severity] | None = None
    affected: list[_Affected] | None = None
    database_specific: Any = None


_decoder = msgspec.json.Decoder(_Record)


@dataclass(frozen=True, slots=True)
class Record:
    """What a record comes to here."""

    id: str
    modified: datetime
    claims: tuple[tuple[str, Claim], ...] = ()
    """With the project that each is about, normalised; none for records that are withdrawn or about other software."""


def is_id(text: str) -> bool:
    """Tell whether a text can be a record's id, and so a part of a file name or an address."""
    return _ID.fullmatch(text) is not None and ".." not in text


def read_record(content: bytes, at: datetime) -> Record:
    """Return what a record claims at a moment; raise InvalidAdvisory for what is no record.

    A withdrawal that lies in the future has not happened.
    """
    try:
        record = _decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidAdvisory(f"not an OSV record: {str(error)[:200]}") from None
    if not is_id(record.id):
        raise InvalidAdvisory("a record has no usable id")
    modified = read_time(record.modified)
    if modified is None:
        raise InvalidAdvisory(f"{record.id} does not say when it was modified")
    withdrawn = read_time(record.withdrawn) if record.withdrawn else None
    if record.id.startswith(_PLACEHOLDER) or (withdrawn is not None and withdrawn <= at):
        return Record(record.id, modified)
    return Record(record.id, modified, tuple(_claims(record)))


def read_time(text: str) -> datetime | None:
    """Return the moment that a text in RFC 3339 means, or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _claims(record: _Record) -> Iterator[tuple[str, Claim]]:
    sources = _sources(record.database_specific)
    for affected in record.affected or ():
        package = affected.package
        if package is None or package.ecosystem.partition(":")[0] != ECOSYSTEM:
            continue
        try:
            project = normalise(package.name)
        except InvalidName:
            continue
        ranges = tuple(_events(one) for one in affected.ranges or () if one.type != "GIT")
        vectors = [(each.type, each.score) for each in affected.severity or record.severity or ()]
        severity, score = rate(vectors, _get(record.database_specific, "severity"))
        yield (
            project,
            Claim(
                id=record.id,
                kind=_kind(record, affected, ranges),
                versions=frozenset(canonical_version(version) or version for version in affected.versions or ()),
                ranges=ranges,
                hashes=frozenset(_hashes(affected)),
                aliases=tuple(alias for alias in record.aliases or () if is_id(alias)),
                summary=" ".join((record.summary or "").split())[:MAX_SUMMARY],
                severity=severity,
                score=score,
                sources=max(1, len(sources)),
            ),
        )


def _events(one: _Range) -> tuple[Event, ...]:
    return tuple(
        Event(_BOUNDS[key], value)
        for event in one.events or ()
        for key, value in event.items()
        if key in _BOUNDS and isinstance(value, str)
    )


def _kind(record: _Record, affected: _Affected, ranges: tuple[tuple[Event, ...], ...]) -> AdvisoryKind:
    """Tell malware from a vulnerability.

    Databases of vulnerabilities have records of malware too, and describe them as if they were vulnerabilities: with a
    range from the very first version on, which takes in every clean release before. Such an entry stays what its
    database is for. What names its versions exactly counts as malware by whatever id.
    """
    if record.id.startswith("MAL-") or _get(record.database_specific, _ORIGINS):
        return AdvisoryKind.MALWARE
    told = any(alias.startswith("MAL-") for alias in record.aliases or ()) or _EMBEDDED_MALICIOUS_CODE in _cwes(
        record, affected
    )
    sweeping = any(event == Event(Bound.INTRODUCED, "0") for events in ranges for event in events)
    return AdvisoryKind.MALWARE if told and not sweeping else AdvisoryKind.VULNERABILITY


def _cwes(record: _Record, affected: _Affected) -> set[str]:
    ids = _get(record.database_specific, "cwe_ids")
    found = {one for one in ids if isinstance(one, str)} if isinstance(ids, list) else set()
    told = _get(affected.database_specific, "cwes")
    return found | {str(_get(one, "cweId")) for one in told} if isinstance(told, list) else found


def _sources(database_specific: object) -> set[str]:
    """Return who reported it. What an origin says of versions and hashes is about the report, not about files."""
    origins = _get(database_specific, _ORIGINS)
    named = (_get(origin, "source") for origin in origins) if isinstance(origins, list) else ()
    return {name for name in named if isinstance(name, str)}


def _hashes(affected: _Affected) -> Iterator[str]:
    integrity = _get(_get(affected.database_specific, "indicators"), "package_integrity")
    for one in integrity if isinstance(integrity, list) else ():
        told = _get(_get(one, "hashes"), "sha256")
        for digest in told if isinstance(told, list) else [told]:
            if isinstance(digest, str) and _SHA256.fullmatch(digest.lower()):
                yield digest.lower()


def _get(table: object, key: str) -> object:
    """Return what stands at a key, where databases are free to put anything or nothing."""
    return table.get(key) if isinstance(table, dict) else None
