"""Quarantine records, waivers and publishers in memory."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from tests.fakes.clock import FakeClock

from pinfold.domain.audit_entry import Entry
from pinfold.domain.errors import NotFound, StoreError
from pinfold.domain.records import PublisherRecord, QuarantineRecord, Records, RecordState, Waiver
from pinfold.ports.clock import Clock


class FakeRecordStore:
    """Keeps everything, with the entries that came along in `audited`.

    It raises `failure`, where it is set, at every call.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.audited: list[Entry] = []
        self.failure: StoreError | None = None
        self._clock = clock or FakeClock()
        self._records: dict[str, QuarantineRecord] = {}
        self._waivers: dict[str, Waiver] = {}
        self._publishers: dict[str, PublisherRecord] = {}

    async def current(self) -> Records:
        self._may_fail()
        now = self._clock.now()
        return Records(
            revision=len(self.audited),
            quarantine=tuple(one for one in self._records.values() if one.state is not RecordState.RELEASED),
            waivers=tuple(one for one in self._waivers.values() if one.revoked_at is None and now < one.expires_at),
            publishers=tuple(one for one in self._publishers.values() if one.revoked_at is None),
        )

    async def add_quarantine(self, record: QuarantineRecord, entry: Entry) -> None:
        self._may_fail()
        _refuse_twice(self._records, record.id)
        self._records[record.id] = record
        self.audited.append(entry)

    async def close_quarantine(self, record: QuarantineRecord, entry: Entry) -> None:
        self._may_fail()
        present = self._records.get(record.id)
        if present is None or present.state is not RecordState.HELD:
            raise NotFound(f"no record {record.id} is held")
        self._records[record.id] = record
        self.audited.append(entry)

    async def quarantine_history(self) -> list[QuarantineRecord]:
        self._may_fail()
        return list(self._records.values())

    async def add_waiver(self, waiver: Waiver, entry: Entry) -> None:
        self._may_fail()
        _refuse_twice(self._waivers, waiver.id)
        self._waivers[waiver.id] = waiver
        self.audited.append(entry)

    async def revoke_waiver(self, waiver_id: str, by: str, at: datetime, entry: Entry) -> None:
        self._may_fail()
        present = self._waivers.get(waiver_id)
        if present is None or present.revoked_at is not None or present.expires_at <= at:
            raise NotFound(f"no waiver {waiver_id} stands")
        self._waivers[waiver_id] = replace(present, revoked_at=at, revoked_by=by)
        self.audited.append(entry)

    async def waiver_history(self) -> list[Waiver]:
        self._may_fail()
        return list(self._waivers.values())

    async def add_publisher(self, record: PublisherRecord, entry: Entry) -> None:
        self._may_fail()
        _refuse_twice(self._publishers, record.id)
        self._publishers[record.id] = record
        self.audited.append(entry)

    async def revoke_publisher(self, record_id: str, by: str, at: datetime, entry: Entry) -> None:
        self._may_fail()
        present = self._publishers.get(record_id)
        if present is None or present.revoked_at is not None:
            raise NotFound(f"no publisher {record_id} is pinned or accepted")
        self._publishers[record_id] = replace(present, revoked_at=at, revoked_by=by)
        self.audited.append(entry)

    async def publisher_history(self) -> list[PublisherRecord]:
        self._may_fail()
        return list(self._publishers.values())

    def _may_fail(self) -> None:
        if self.failure is not None:
            raise self.failure


def _refuse_twice(present: Collection[str], identifier: str) -> None:
    if identifier in present:
        raise StoreError(f"there is a {identifier} already")
