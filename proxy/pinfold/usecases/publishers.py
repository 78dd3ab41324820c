"""Publishers by hand: pinning who may publish a project, and accepting that somebody else does now."""

from dataclasses import replace

from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.decision import Mode
from pinfold.domain.errors import InvalidRecord, NotFound
from pinfold.domain.evidence import Unknown
from pinfold.domain.provenance import Invalid, PublisherPin, Unattested, Verified, pin_of
from pinfold.domain.records import PublisherDecision, PublisherRecord, new_record_id, stated_reason
from pinfold.domain.target import FileTarget, ReleaseTarget, Target
from pinfold.policy.rules.provenance import ProvenanceRule
from pinfold.ports.clock import Clock
from pinfold.ports.records import RecordStore
from pinfold.usecases.decide import INSPECTION, Gate
from pinfold.usecases.indexes import Index
from pinfold.usecases.judged_files import JudgedFile
from pinfold.usecases.judged_project import JudgedProject

_ACTIONS = {PublisherDecision.PIN: Action.PUBLISHER_PIN, PublisherDecision.ACCEPT: Action.PUBLISHER_ACCEPT}


class Publishers:
    """Adds and revokes decisions about publishers; each act is audited in the store's own transaction.

    Every method raises StoreError.
    """

    def __init__(self, records: RecordStore, gate: Gate, clock: Clock) -> None:
        self._records = records
        self._gate = gate
        self._clock = clock

    async def pin(self, project: str, publisher: PublisherPin, reason: str, actor: Actor) -> PublisherRecord:
        """Let a project's files come from a publisher, or another one that is pinned; InvalidRecord without reason."""
        record = self._record(project, PublisherDecision.PIN, publisher, stated_reason(reason), actor)
        await self._records.add_publisher(record, _entry(_ACTIONS[record.decision], record, actor))
        return record

    async def accept(self, index: Index, target: Target, reason: str, actor: Actor) -> list[PublisherRecord]:
        """Take who published a release, or one file, for somebody who always did; without attestations, nobody.

        Raises InvalidRecord where there is no such somebody or all are accepted already, NotFound where the target
        means no file, and UpstreamError.
        """
        reason = stated_reason(reason)
        if not isinstance(target, ReleaseTarget | FileTarget):
            raise InvalidRecord(
                "name the release whose publisher to accept, as in litellm==1.82.9, or one of its files"
            )
        project = await self._gate.judge_project(index, target.project)
        files = [judged for judged in project.files if target.covers(project.name, judged.file)] if project else []
        if project is None or not files:
            raise NotFound(f"index {index.name} has no file of {target}")
        known = {each.publisher for each in project.records.publishers}
        found = {pin: None for judged in files for pin in await self._publishers(project, judged) if pin not in known}
        if not found:
            raise InvalidRecord(f"whoever published {target} is accepted already")
        records = [self._record(project.name, PublisherDecision.ACCEPT, pin, reason, actor) for pin in found]
        for record in records:
            await self._records.add_publisher(record, _entry(_ACTIONS[record.decision], record, actor, str(target)))
        return records

    async def revoke(self, record_id: str, actor: Actor) -> PublisherRecord:
        """End a pin or an acceptance; raises NotFound, or InvalidRecord where it has ended already."""
        history = await self._records.publisher_history()
        record = next((record for record in history if record.id == record_id.upper()), None)
        if record is None:
            raise NotFound(f"there is no pinned or accepted publisher {record_id}")
        if record.revoked_at is not None:
            raise InvalidRecord(
                f"{record.id} was revoked by {record.revoked_by} at {record.revoked_at:%Y-%m-%d %H:%M} UTC already"
            )
        now = self._clock.now()
        revoked = replace(record, revoked_at=now, revoked_by=actor.name)
        entry = _entry(Action.PUBLISHER_REVOKE, revoked, actor)
        await self._records.revoke_publisher(record.id, actor.name, now, entry)
        return revoked

    async def _publishers(self, project: JudgedProject, judged: JudgedFile) -> list[PublisherPin | None]:
        file = judged.file
        found = await self._gate.judge_file(project.index, project.name, file.filename, file.sha256, awaited=INSPECTION)
        provenance = found[1].evidence.provenance if found else judged.evidence.provenance
        if isinstance(provenance, Unknown):
            raise InvalidRecord(f"nobody can tell who published {file.filename}: {provenance.why}")
        match provenance.value:
            case Verified(publishers=publishers):
                return [pin_of(publisher) for publisher in publishers]
            case Unattested():
                return [None]
            case Invalid(why):
                raise InvalidRecord(f"the provenance of {file.filename} is not valid, which no one can accept: {why}")

    def _record(
        self, project: str, decision: PublisherDecision, pin: PublisherPin | None, reason: str, actor: Actor
    ) -> PublisherRecord:
        return PublisherRecord(
            new_record_id("P"), project, decision, pin, reason, created_by=actor.name, created_at=self._clock.now()
        )


def enforces_pins(index: Index, project: str) -> bool:
    """Tell whether an index's policy refuses files of a project that others than its pinned publishers published."""
    return any(
        entry.rule.id == ProvenanceRule.id and entry.mode is Mode.ENFORCE and entry.on_fail.refuses
        for entry in index.policy.for_project(project).rules
    )


def _entry(action: Action, record: PublisherRecord, actor: Actor, target: str | None = None) -> Entry:
    details = {"publisher": str(record.publisher) if record.publisher else "unattested", "reason": record.reason}
    if target is not None:
        details["target"] = target
    return Entry(
        action=action,
        time=record.revoked_at or record.created_at,
        actor=actor,
        project=record.project,
        reference=record.id,
        details=details,
    )
