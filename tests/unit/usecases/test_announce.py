"""What policies and feeds are in force, as the audit log tells it."""

from tests.fakes.alerts import FakeLookBackStore
from tests.fakes.clock import NOON, FakeClock

from pinfold.domain.advisory import Snapshot
from pinfold.domain.audit_entry import SYSTEM, Action, Actor
from pinfold.policy.engine import Policy
from pinfold.ports.look_back import ServedFile
from pinfold.usecases.announce import Announce
from pinfold.usecases.indexes import Index, Indexes

FIRST = Snapshot("osv", "a" * 64, NOON, 100)
SECOND = Snapshot("osv", "b" * 64, NOON, 101)


def indexes(**policies: str) -> Indexes:
    return {name: Index(name, (), Policy("baseline", digest, ())) for name, digest in policies.items()}


async def test_each_policy_is_entered_when_it_is_another_one_and_only_then() -> None:
    store = FakeLookBackStore()
    announce = Announce(store, FakeClock())
    for now in (indexes(main="1", strict="2"), indexes(main="1", strict="2"), indexes(main="3", strict="2")):
        await announce.policies(now)
    told = [(one.action, one.actor, one.index, one.policy_digest, one.details) for one in store.entries]
    assert told == [
        (Action.POLICY_CHANGED, SYSTEM, "main", "1", {"policy": "baseline"}),
        (Action.POLICY_CHANGED, SYSTEM, "strict", "2", {"policy": "baseline"}),
        (Action.POLICY_CHANGED, SYSTEM, "main", "3", {"policy": "baseline", "before": "1"}),
    ]


async def test_each_feed_is_entered_with_what_it_holds_and_held() -> None:
    store = FakeLookBackStore()
    announce = Announce(store, FakeClock())
    for snapshot in (FIRST, FIRST, SECOND, SECOND):
        await announce.feed(snapshot, actor=Actor("alice"))
    assert [(one.action, one.actor.name) for one in store.entries] == [(Action.FEED_CHANGED, "alice")] * 2
    assert store.entries[1].details == {
        "feed": "osv",
        "snapshot": "b" * 64,
        "records": 101,
        "taken_at": NOON,
        "before": "a" * 64,
    }


async def test_a_feed_that_changed_concerns_the_projects_that_it_names() -> None:
    store = FakeLookBackStore()
    store.files = [ServedFile("main", project, "1", f"{project}-1.tar.gz", project * 8) for project in ("six", "idna")]
    announce = Announce(store, FakeClock())
    await announce.feed(FIRST, {"six", "never-served"})
    assert [change.project for change in store.changes.values()] == ["six"]
    await announce.feed(SECOND)
    assert [change.project for change in store.changes.values()] == ["six", "idna", "six"]
