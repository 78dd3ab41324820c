from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.evidence import SEEN, SHA256, a_file, a_sighting, evidence_of
from tests.unit.policy.scripted import HOUR, a_waiver, decided, entry, failing_policies, moments, waivers_of

from pinfold.domain.decision import Decision
from pinfold.domain.evidence import Evidence, Known, Origin, StatusSighting, Unknown
from pinfold.domain.project import StatusMarker, UpstreamStatus
from pinfold.domain.records import QuarantineRecord, RecordState, Waiver
from pinfold.domain.target import HashTarget
from pinfold.policy.engine import PolicyRule
from pinfold.policy.rules.hash_changed import HashChanged
from pinfold.policy.rules.minimum_age import MinimumAge
from pinfold.policy.rules.private_name import PrivateName
from pinfold.policy.rules.quarantined import Quarantined
from pinfold.policy.rules.upstream_status import UpstreamStatus as UpstreamStatusRule
from pinfold.policy.rules.vanished import Vanished


def outline(decision: Decision) -> object:
    """What must stay the same until a decision changes; reasons may count the hours."""
    verdicts = [(one.rule, one.finding.outcome, one.effect, one.counts, one.waiver) for one in decision.verdicts]
    return decision.effect, verdicts


REAL_RULES = [
    entry(Quarantined()),
    entry(PrivateName()),
    entry(HashChanged()),
    entry(Vanished()),
    entry(UpstreamStatusRule()),
    entry(MinimumAge(days=3)),
    entry(MinimumAge(hours=30, clock="first-seen", private_origins="judge")),
]
real_evidence = st.builds(
    evidence_of,
    st.builds(a_file, upload_time=st.none() | moments),
    origin=st.builds(Origin, st.just("pypi"), st.booleans()),
    private_name=st.booleans(),
    sighting=st.one_of(
        st.just(Unknown("never seen")),
        st.builds(Known, st.builds(a_sighting, first_seen=moments, vanished_at=st.none() | moments)),
    ),
    upstream_status=st.builds(
        Known,
        st.builds(StatusSighting, st.sampled_from(StatusMarker).map(UpstreamStatus), st.none() | moments),
    ),
    records=st.lists(
        st.builds(
            QuarantineRecord,
            st.just("Q-1"),
            st.just(HashTarget(SHA256)),
            st.just("held"),
            st.none(),
            st.just("alice"),
            st.just(SEEN),
            st.sampled_from(RecordState),
        ),
        max_size=2,
    ).map(tuple),
)
real_waivers = st.lists(
    st.builds(
        a_waiver,
        st.sampled_from([one.rule.id for one in REAL_RULES]),
        moments,
        st.integers(1, 100).map(lambda hours: hours * HOUR),
    ),
    max_size=2,
)


class TestMomentOfChange:
    """A passing finding has no moment of change: no rule turns against a file by time alone."""

    @given(failing_policies, waivers_of, moments, st.floats(0, 1, exclude_max=True))
    def test_scripted_decision_holds_until_it_says_that_it_changes(
        self, entries: list[PolicyRule], waivers: list[Waiver], at: datetime, part: float
    ) -> None:
        self.check(entries, waivers, at, part, evidence_of())

    @given(real_evidence, real_waivers, moments, st.floats(0, 1, exclude_max=True))
    def test_real_decision_holds_until_it_says_that_it_changes(
        self, evidence: Evidence, waivers: list[Waiver], at: datetime, part: float
    ) -> None:
        self.check(REAL_RULES, waivers, at, part, evidence)

    @staticmethod
    def check(
        entries: Sequence[PolicyRule], waivers: Sequence[Waiver], at: datetime, part: float, evidence: Evidence
    ) -> None:
        decision = decided(entries, waivers, at, evidence)
        assert decision.changes_at is None or decision.changes_at > at
        end = decision.changes_at or at + timedelta(days=5000)
        last = end - timedelta(microseconds=1)
        for moment in (at + (end - at) * part, last):
            assert outline(decided(entries, waivers, min(moment, last), evidence)) == outline(decision)

    def test_young_file_comes_of_age_when_it_says_so(self) -> None:
        rules = [entry(MinimumAge(days=3))]
        decision = decided(rules)
        assert decision.refused
        assert decision.changes_at is not None
        assert not decided(rules, at=decision.changes_at).refused
