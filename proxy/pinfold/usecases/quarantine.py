"""Quarantine by hand: holding a target, and deciding about what is held."""

from dataclasses import replace

from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import InvalidRecord, NotFound
from pinfold.domain.records import QuarantineRecord, RecordState, new_record_id, stated_reason
from pinfold.domain.target import FileTarget, HashTarget, Target
from pinfold.ports.clock import Clock
from pinfold.ports.records import RecordStore

_CLOSING = {RecordState.RELEASED: Action.QUARANTINE_RELEASE, RecordState.REJECTED: Action.QUARANTINE_REJECT}


class Quarantine:
    """Adds and closes quarantine records; each act is audited in the store's own transaction.

    A target may name what was never seen: it is then held from its first day on. Every method raises StoreError.
    """

    def __init__(self, records: RecordStore, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def add(self, target: Target, reason: str, reference: str | None, actor: Actor) -> QuarantineRecord:
        """Hold a target; raises InvalidRecord without a reason."""
        record = QuarantineRecord(
            id=new_record_id("Q"),
            target=target,
            reason=stated_reason(reason),
            reference=reference or None,
            created_by=actor.name,
            created_at=self._clock.now(),
        )
        await self._records.add_quarantine(record, self._entry(Action.QUARANTINE_ADD, record, record.reason, actor))
        return record

    async def release(self, record_id: str, reason: str, actor: Actor) -> QuarantineRecord:
        """Let go what a record holds; raises NotFound, or InvalidRecord where it is closed or no reason is given."""
        return await self._close(record_id, RecordState.RELEASED, reason, actor)

    async def reject(self, record_id: str, reason: str, actor: Actor) -> QuarantineRecord:
        """Deny for good what a record holds; raises NotFound, or InvalidRecord as `release` does."""
        return await self._close(record_id, RecordState.REJECTED, reason, actor)

    async def _close(self, record_id: str, state: RecordState, reason: str, actor: Actor) -> QuarantineRecord:
        reason = stated_reason(reason)
        history = await self._records.quarantine_history()
        held = next((record for record in history if record.id == record_id.upper()), None)
        if held is None:
            raise NotFound(f"there is no quarantine record {record_id}")
        if held.state is not RecordState.HELD:
            raise InvalidRecord(_already_closed(held))
        now = self._clock.now()
        closed = replace(held, state=state, closed_by=actor.name, closed_at=now, closing_reason=reason)
        await self._records.close_quarantine(closed, self._entry(_CLOSING[state], closed, reason, actor))
        return closed

    def _entry(self, action: Action, record: QuarantineRecord, reason: str, actor: Actor) -> Entry:
        details = {"target": str(record.target), "reason": reason}
        if record.reference:
            details["reference"] = record.reference
        return Entry(
            action=action,
            time=record.closed_at or record.created_at,
            actor=actor,
            project=record.target.project,
            filename=record.target.filename if isinstance(record.target, FileTarget) else None,
            sha256=record.target.sha256 if isinstance(record.target, HashTarget) else None,
            reference=record.id,
            details=details,
        )


def _already_closed(record: QuarantineRecord) -> str:
    told = f"{record.id} was {record.state.value} by {record.closed_by} at {record.closed_at:%Y-%m-%d %H:%M} UTC"
    if record.state is RecordState.REJECTED:
        return f"{told}; to let {record.target} through all the same, waive the rule quarantined for a time"
    return f"{told}; to hold {record.target} again, add a new record"
