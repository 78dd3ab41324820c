"""Quarantine records and waivers in memory."""

from dataclasses import replace
from datetime import datetime

from pinfold.domain.audit_entry import Entry
from pinfold.domain.errors import NotFound
from pinfold.domain.records import QuarantineRecord, Records, RecordState, Waiver


class FakeRecordStore:
    """Keeps everything, with the entries that came along in `audited`."""

    def __init__(self) -> None:
        self.audited: list[Entry] = []
        self._records: dict[str, QuarantineRecord] = {}
        self._waivers: dict[str, Waiver] = {}

    async def current(self) -> Records:
        return Records(
            revision=len(self.audited),
            quarantine=tuple(one for one in self._records.values() if one.state is not RecordState.RELEASED),
            waivers=tuple(one for one in self._waivers.values() if one.revoked_at is None),
        )

    async def add_quarantine(self, record: QuarantineRecord, entry: Entry) -> None:
        self._records[record.id] = record
        self.audited.append(entry)

    async def close_quarantine(self, record: QuarantineRecord, entry: Entry) -> None:
        present = self._records.get(record.id)
        if present is None or present.state is not RecordState.HELD:
            raise NotFound(f"no record {record.id} is held")
        self._records[record.id] = record
        self.audited.append(entry)

    async def quarantine_history(self) -> list[QuarantineRecord]:
        return list(self._records.values())

    async def add_waiver(self, waiver: Waiver, entry: Entry) -> None:
        self._waivers[waiver.id] = waiver
        self.audited.append(entry)

    async def revoke_waiver(self, waiver_id: str, by: str, at: datetime, entry: Entry) -> None:
        present = self._waivers.get(waiver_id)
        if present is None or present.revoked_at is not None:
            raise NotFound(f"no waiver {waiver_id} stands")
        self._waivers[waiver_id] = replace(present, revoked_at=at, revoked_by=by)
        self.audited.append(entry)

    async def waiver_history(self) -> list[Waiver]:
        return list(self._waivers.values())
