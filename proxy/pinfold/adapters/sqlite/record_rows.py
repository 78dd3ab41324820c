"""Quarantine records, waivers and publishers as rows, and back."""

from datetime import datetime
from typing import Any

import msgspec

from pinfold.audit.canonical import rfc3339
from pinfold.domain.provenance import PublisherPin
from pinfold.domain.records import PublisherDecision, PublisherRecord, QuarantineRecord, RecordState, Waiver
from pinfold.domain.target import FileTarget, HashTarget, ProjectTarget, ReleaseTarget, Target

Row = dict[str, Any]
_pins = msgspec.json.Decoder(PublisherPin)


def record_row(record: QuarantineRecord) -> Row:
    """Return a quarantine record as a row."""
    return {
        "id": record.id,
        **_target_columns(record.target),
        "reason": record.reason,
        "reference": record.reference,
        "created_by": record.created_by,
        "created_at": rfc3339(record.created_at),
        **closing_columns(record),
    }


def closing_columns(record: QuarantineRecord) -> Row:
    """Return the columns that change when a record is released or rejected."""
    return {
        "state": record.state.value,
        "closed_by": record.closed_by,
        "closed_at": _time_column(record.closed_at),
        "closing_reason": record.closing_reason,
    }


def read_record(row: Row) -> QuarantineRecord:
    """Return the quarantine record that a row holds; raise ValueError where it holds none."""
    return QuarantineRecord(
        id=row["id"],
        target=_read_target(row),
        reason=row["reason"],
        reference=row["reference"],
        created_by=row["created_by"],
        created_at=datetime.fromisoformat(row["created_at"]),
        state=RecordState(row["state"]),
        closed_by=row["closed_by"],
        closed_at=_read_time(row["closed_at"]),
        closing_reason=row["closing_reason"],
    )


def waiver_row(waiver: Waiver) -> Row:
    """Return a waiver as a row."""
    return {
        "id": waiver.id,
        **_target_columns(waiver.target),
        "rule": waiver.rule,
        "reason": waiver.reason,
        "created_by": waiver.created_by,
        "created_at": rfc3339(waiver.created_at),
        "expires_at": rfc3339(waiver.expires_at),
        "revoked_at": _time_column(waiver.revoked_at),
        "revoked_by": waiver.revoked_by,
    }


def read_waiver(row: Row) -> Waiver:
    """Return the waiver that a row holds; raise ValueError where it holds none."""
    return Waiver(
        id=row["id"],
        target=_read_target(row),
        rule=row["rule"],
        reason=row["reason"],
        created_by=row["created_by"],
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
        revoked_at=_read_time(row["revoked_at"]),
        revoked_by=row["revoked_by"],
    )


def publisher_row(record: PublisherRecord) -> Row:
    """Return a pin or an acceptance as a row."""
    return {
        "id": record.id,
        "project": record.project,
        "decision": record.decision.value,
        "publisher": msgspec.json.encode(record.publisher).decode() if record.publisher else None,
        "reason": record.reason,
        "created_by": record.created_by,
        "created_at": rfc3339(record.created_at),
        "revoked_at": _time_column(record.revoked_at),
        "revoked_by": record.revoked_by,
    }


def read_publisher(row: Row) -> PublisherRecord:
    """Return the pin or acceptance that a row holds; raise ValueError where it holds none."""
    return PublisherRecord(
        id=row["id"],
        project=row["project"],
        decision=PublisherDecision(row["decision"]),
        publisher=_pins.decode(row["publisher"]) if row["publisher"] else None,
        reason=row["reason"],
        created_by=row["created_by"],
        created_at=datetime.fromisoformat(row["created_at"]),
        revoked_at=_read_time(row["revoked_at"]),
        revoked_by=row["revoked_by"],
    )


def _target_columns(target: Target) -> Row:
    kind, text = _kind_and_text(target)
    return {"target_kind": kind, "target_project": target.project, "target_text": text}


def _kind_and_text(target: Target) -> tuple[str, str]:
    # Not the text that people write: a file name alone does not always tell its project.
    match target:
        case ProjectTarget(project):
            return "project", project
        case ReleaseTarget(_, specifier):
            return "release", specifier
        case FileTarget(_, filename):
            return "file", filename
        case HashTarget(sha256):
            return "hash", sha256


def _read_target(row: Row) -> Target:
    project, text = row["target_project"], row["target_text"]
    match row["target_kind"]:
        case "project":
            return ProjectTarget(project)
        case "release":
            return ReleaseTarget(project, text)
        case "file":
            return FileTarget(project, text)
        case "hash":
            return HashTarget(text)
        case kind:
            raise ValueError(f"{kind!r} is no kind of target")


def _time_column(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _read_time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
