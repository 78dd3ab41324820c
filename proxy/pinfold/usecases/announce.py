"""What is in force from now on, in the audit log: each policy and each feed, once for all processes."""

from collections.abc import Collection

from pinfold.domain.advisory import Snapshot
from pinfold.domain.audit_entry import SYSTEM, Action, Actor, Entry
from pinfold.ports.clock import Clock
from pinfold.ports.look_back import LookBackStore
from pinfold.usecases.indexes import Indexes


class Announce:
    """Enters other policies and feeds than those that were entered last; what was served is then judged again.

    What was entered last is kept with the log: several workers that start at once enter a change once, and what one had
    no time to enter is made up for. Every method raises StoreError.
    """

    def __init__(self, store: LookBackStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def policies(self, indexes: Indexes) -> None:
        """Enter the policies that the indexes have from now on."""
        for index in indexes.values():
            entry = Entry(
                Action.POLICY_CHANGED,
                self._clock.now(),
                SYSTEM,
                index=index.name,
                policy_digest=index.policy.digest,
                details={"policy": index.policy.name},
            )
            await self._store.announce(entry, index.name, index.policy.digest)

    async def feed(self, snapshot: Snapshot, projects: Collection[str] | None = None, actor: Actor = SYSTEM) -> None:
        """Enter the contents that a feed has from now on, which say other things of these projects; None: of any."""
        details = {
            "feed": snapshot.feed,
            "snapshot": snapshot.sha256,
            "records": snapshot.records,
            "taken_at": snapshot.taken_at,
        }
        entry = Entry(Action.FEED_CHANGED, self._clock.now(), actor, details=details)
        await self._store.announce(entry, snapshot.feed, snapshot.sha256, projects)
