"""Looking back: when evidence changes, what was served is judged again, and those concerned hear of it."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from pinfold.domain.alert import Alert, new_alert_id
from pinfold.domain.audit_entry import SYSTEM, Action
from pinfold.domain.errors import PinfoldError
from pinfold.domain.target import HashTarget
from pinfold.ports.audit_log import AuditLog
from pinfold.ports.clock import Clock
from pinfold.ports.look_back import ChangedDecision, EvidenceChange, LookBackStore, ServedFile
from pinfold.usecases.decide import INSPECTION, Gate
from pinfold.usecases.decision_entry import decision_entry
from pinfold.usecases.exposed_clients import Summary, client_document
from pinfold.usecases.exposure import Exposure
from pinfold.usecases.indexes import Indexes
from pinfold.usecases.judged_files import JudgedFile

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""How often a process looks whether something changed."""
LEASE = timedelta(minutes=2)
"""How long a change is left to the process that took it; one that fails is taken up again after as long."""
MOST_ATTEMPTS = 10
MOST_CLIENTS = 200
MOST_FILES = 500
"""What an alert tells in full; the audit log has the rest."""


class LookBack:
    """Judges served files again, by one process for all.

    Changes wait in the store, so that none is lost with the process that noticed it, and a changed decision is recorded
    only where the file still stands as it stood: two processes can look at the same file, but never tell of it twice.
    """

    def __init__(
        self,
        gate: Gate,
        indexes: Indexes,
        store: LookBackStore,
        audit_log: AuditLog,
        receivers: Collection[str],
        clock: Clock,
    ) -> None:
        self._gate = gate
        self._indexes = indexes
        self._policies = {name: index.policy.digest for name, index in indexes.items()}
        self._store = store
        self._exposure = Exposure(audit_log)
        self._receivers = tuple(receivers)
        self._clock = clock

    async def run(self) -> None:
        """Look at every change as it comes, until cancelled."""
        while True:
            try:
                if await self.look_once():
                    continue
            except PinfoldError as error:
                log.error("looking back fails: %s", error)
            except Exception:
                log.exception("looking back fails")
            await asyncio.sleep(LOOK_SECONDS)

    async def look_once(self) -> bool:
        """Look at one change, if there is any; tell whether there was. Raises what keeps files from being judged."""
        now = self._clock.now()
        change = await self._store.take(now, now + LEASE, self._policies)
        if change is None:
            return False
        if change.attempts > MOST_ATTEMPTS:
            log.error("%s: what was served could not be judged again, and is left as it is", change.cause)
        else:
            await self._look_at(change)
        await self._store.settle(change.number)
        return True

    async def _look_at(self, change: EvidenceChange) -> None:
        by_project: dict[str, list[ServedFile]] = {}
        for file in await self._store.served(change):
            by_project.setdefault(file.project, []).append(file)
        for project, files in by_project.items():
            changed = [(file, judged) for file in files if (judged := await self._judged(file)) is not None]
            for refused in (True, False):
                turned = [(file, judged) for file, judged in changed if judged.refused is refused]
                if turned:
                    await self._tell(change.cause, project, turned)

    async def _judged(self, file: ServedFile) -> JudgedFile | None:
        """Return a file with its new decision, where that is another one than it was served under."""
        index = self._indexes.get(file.index)
        if index is None:
            return None
        # What is at hand is judged without any wait: requests have to get their turn in between.
        await asyncio.sleep(0)
        found = await self._gate.judge_file(index, file.project, file.filename, file.sha256, awaited=INSPECTION)
        return None if found is None or found[1].refused is file.refused else found[1]

    async def _tell(self, cause: str, project: str, turned: Sequence[tuple[ServedFile, JudgedFile]]) -> None:
        now = self._clock.now()
        changed = [
            ChangedDecision(
                file,
                decision_entry(
                    Action.DECISION_CHANGED,
                    now,
                    SYSTEM,
                    file.index,
                    judged,
                    reference=judged.reference() if judged.refused else None,
                    details=_details(cause, file, judged),
                ),
                judged.evidence,
            )
            for file, judged in turned
        ]
        exposure = await self._exposure.summary({HashTarget(file.sha256) for file, _ in turned})
        alert = Alert(
            new_alert_id(),
            now,
            Action.DECISION_CHANGED.value,
            _title(project, turned, exposure),
            _facts(cause, project, changed, exposure),
        )
        if not await self._store.record(changed, alert, self._receivers):
            log.info("%s: another process told of %s first", cause, project)


def _details(cause: str, file: ServedFile, judged: JudgedFile) -> dict[str, Any]:
    details = {"from": _word(refused=file.refused), "to": _word(refused=judged.refused), "cause": cause}
    deciding = judged.decision.deciding
    return details | {"reason": deciding.finding.reason} if deciding else details


def _word(*, refused: bool) -> str:
    return "refused" if refused else "served"


def _title(project: str, turned: Sequence[tuple[ServedFile, JudgedFile]], exposure: Summary) -> str:
    versions = sorted({file.version or file.filename for file, _ in turned})
    what = f"{project} {', '.join(versions[:3])}" + (f" and {len(versions) - 3} more" if len(versions) > 3 else "")
    judged = turned[0][1]
    clients = f"{len(exposure.exposed)} client{'' if len(exposure.exposed) == 1 else 's'}"
    if not judged.refused:
        return f"{what} is served again; {clients} got it before"
    deciding = judged.decision.deciding
    why = f"{deciding.rule}: {deciding.finding.reason}" if deciding else "policy"
    return f"{what} is refused from now on ({why}); {clients} already got it"


def _facts(cause: str, project: str, changed: Sequence[ChangedDecision], exposure: Summary) -> dict[str, Any]:
    clients = exposure.exposed
    return {
        "cause": cause,
        "project": project,
        "now": changed[0].entry.details["to"],
        "files": [
            {
                "index": one.file.index,
                "version": one.file.version,
                "filename": one.file.filename,
                "sha256": one.file.sha256,
                "decision": one.entry.decision,
                "rule": one.entry.rule,
                "reason": one.entry.details.get("reason"),
                "reference": one.entry.reference,
            }
            for one in changed[:MOST_FILES]
        ],
        "files_in_all": len(changed),
        "exposure": {
            "requests": exposure.count(exposed=True),
            "clients_in_all": len(clients),
            "clients": [client_document(client) for client in clients[:MOST_CLIENTS]],
        },
    }
