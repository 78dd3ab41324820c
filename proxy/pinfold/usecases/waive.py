"""Waivers: named, time-limited exceptions from one rule."""

from datetime import datetime

from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import InvalidRecord, NotFound
from pinfold.domain.records import Waiver, new_record_id, stated_reason
from pinfold.domain.suggestion import suggestion
from pinfold.domain.target import FileTarget, HashTarget, Target
from pinfold.policy.rule import known_rules
from pinfold.ports.clock import Clock
from pinfold.ports.records import RecordStore


class Waive:
    """Adds and revokes waivers; each act is audited in the store's own transaction.

    A target may name what was never seen: it may come. Every method raises StoreError.
    """

    def __init__(self, records: RecordStore, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def add(self, target: Target, rule: str, reason: str, expires_at: datetime, actor: Actor) -> Waiver:
        """Except a target from a rule until a moment.

        Raises InvalidRecord for a rule that does not exist, an end that is over, or no reason.
        """
        if rule not in known_rules():
            raise InvalidRecord(f"there is no rule {rule!r}{suggestion(rule, known_rules())}")
        now = self._clock.now()
        if expires_at <= now:
            raise InvalidRecord(f"a waiver cannot end in the past: {expires_at:%Y-%m-%d %H:%M} UTC is over")
        waiver = Waiver(
            id=new_record_id("W"),
            target=target,
            rule=rule,
            reason=stated_reason(reason),
            created_by=actor.name,
            created_at=now,
            expires_at=expires_at,
        )
        await self._records.add_waiver(waiver, self._entry(Action.WAIVER_ADD, waiver, now, actor))
        return waiver

    async def revoke(self, waiver_id: str, actor: Actor) -> Waiver:
        """End a waiver before its time; raises NotFound, or InvalidRecord where it has ended already."""
        history = await self._records.waiver_history()
        waiver = next((waiver for waiver in history if waiver.id == waiver_id.upper()), None)
        if waiver is None:
            raise NotFound(f"there is no waiver {waiver_id}")
        now = self._clock.now()
        if waiver.revoked_at is not None:
            raise InvalidRecord(
                f"{waiver.id} was revoked by {waiver.revoked_by} at {waiver.revoked_at:%Y-%m-%d %H:%M} UTC already"
            )
        if waiver.expires_at <= now:
            raise InvalidRecord(f"{waiver.id} expired at {waiver.expires_at:%Y-%m-%d %H:%M} UTC: nothing to revoke")
        entry = self._entry(Action.WAIVER_REVOKE, waiver, now, actor)
        await self._records.revoke_waiver(waiver.id, actor.name, now, entry)
        return waiver

    def _entry(self, action: Action, waiver: Waiver, at: datetime, actor: Actor) -> Entry:
        return Entry(
            action=action,
            time=at,
            actor=actor,
            project=waiver.target.project,
            filename=waiver.target.filename if isinstance(waiver.target, FileTarget) else None,
            sha256=waiver.target.sha256 if isinstance(waiver.target, HashTarget) else None,
            rule=waiver.rule,
            reference=waiver.id,
            details={
                "target": str(waiver.target),
                "reason": waiver.reason,
                "expires_at": waiver.expires_at.isoformat(),
            },
        )
