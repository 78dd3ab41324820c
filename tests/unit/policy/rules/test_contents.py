from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import ValidationError
from tests.fakes.evidence import UPLOADED, a_file, evidence_of

from pinfold.domain.decision import PASS, Effect, Finding, Outcome
from pinfold.domain.evidence import Evidence, Known, Need, Unknown
from pinfold.domain.inspection import Inspection, Kind, Observation
from pinfold.policy.engine import PolicyRule
from pinfold.policy.rules.contents import Contents

HOUR = timedelta(hours=1)
VETTED = UPLOADED + timedelta(days=30)
HOOK = Observation(Kind.NEW_START_UP_HOOK, "runs at every interpreter start: import os", "litellm_init.pth", 1)
HIDDEN = Observation(Kind.NEW_OPAQUE_CODE, "decodes and executes 34,628 bytes", "litellm/proxy.py", 7)
BINARY = Observation(Kind.NEW_BINARY, "an ELF binary", "litellm/fast.so")
ESCAPE = Observation(Kind.PATH_ESCAPE, "leaves its folder", "../evil.py")
CLAIM = Observation(Kind.RECORD_MISMATCH, "has another hash than RECORD says", "litellm/a.py")
SHORT = Observation(Kind.TOO_LARGE, "not inspected to the end: more than 100000 entries")
BEFORE = "litellm-1.82.6-py3-none-any.whl"


def seen(*observations: Observation, news: tuple[Observation, ...] | None = (), **more: object) -> Evidence:
    inspection = Inspection(inspector=1, observations=observations, previous=BEFORE, news=news)
    return evidence_of(inspection=Known(replace(inspection, **more)))  # type: ignore[arg-type]


def judge(evidence: Evidence, at=UPLOADED + HOUR, **params: object) -> Finding:
    return Contents.model_validate(params).judge(evidence, at)


def test_a_clean_archive_passes() -> None:
    assert judge(seen()) is PASS


def test_what_is_not_inspected_is_pending() -> None:
    finding = judge(evidence_of(inspection=Unknown("not inspected yet")))
    assert finding == Finding(Outcome.UNKNOWN, "not inspected yet", pending=True)
    assert Contents.needs == {Need.INSPECTION}


@pytest.mark.parametrize(
    ("observation", "grade"),
    [
        (ESCAPE, Effect.DENY),
        (CLAIM, Effect.DENY),
        (HOOK, Effect.QUARANTINE),
        (HIDDEN, Effect.QUARANTINE),
        (BINARY, Effect.WARN),
    ],
)
def test_each_observation_has_its_grade(observation: Observation, grade: Effect) -> None:
    by_itself, new = judge(seen(observation)), judge(seen(news=(observation,)))
    assert (by_itself.outcome, by_itself.at_most) == (new.outcome, new.at_most) == (Outcome.FAIL, grade)


def test_the_reason_names_file_line_and_what_is_there_gravest_first() -> None:
    finding = judge(seen(news=(BINARY, HIDDEN, HOOK)))
    assert finding.reason == (
        "new-start-up-hook: litellm_init.pth line 1 runs at every interpreter start: import os; 1 more; "
        "unlike litellm-1.82.6-py3-none-any.whl"
    )
    assert judge(seen(ESCAPE, news=(HOOK,))).reason == "path-escape: ../evil.py leaves its folder"


def test_without_an_earlier_release_the_reason_says_so() -> None:
    assert judge(seen(news=(HOOK,), previous=None)).reason.endswith("; and no earlier release to compare")


def test_what_may_be_new_is_pending_until_it_can_be_told() -> None:
    finding = judge(seen(news=None))
    assert (finding.outcome, finding.pending) == (Outcome.UNKNOWN, True)
    assert finding.reason == "not compared with litellm-1.82.6-py3-none-any.whl yet"


def test_a_denial_does_not_wait_for_the_comparison() -> None:
    assert judge(seen(ESCAPE, news=None)).at_most is Effect.DENY


def test_an_archive_that_was_not_inspected_to_its_end_is_unknown_and_looked_at_again_later() -> None:
    again_at = UPLOADED + 2 * HOUR
    finding = judge(seen(SHORT, news=(HOOK,), again_at=again_at))
    assert finding == Finding(
        Outcome.UNKNOWN, "too-large: not inspected to the end: more than 100000 entries", changes_at=again_at
    )
    assert judge(seen(SHORT, again_at=again_at), again_at).pending
    assert judge(seen(SHORT, ESCAPE, again_at=again_at)).outcome is Outcome.FAIL


@pytest.mark.parametrize("observation", [CLAIM, SHORT])
def test_after_the_vetted_age_false_claims_and_what_is_unknown_warn(observation: Observation) -> None:
    young, old = (judge(seen(observation), at, vetted_days=30) for at in (VETTED - HOUR, VETTED))
    assert (young.at_most, young.changes_at) == (Effect.DENY, VETTED)
    assert (old.at_most, old.changes_at) == (Effect.WARN, None)


def test_after_the_vetted_age_news_warn_and_need_not_be_compared() -> None:
    young, old = (judge(seen(news=(HOOK,)), at, vetted_days=30) for at in (VETTED - HOUR, VETTED))
    assert (young.at_most, old.at_most) == (Effect.QUARANTINE, Effect.WARN)
    assert judge(seen(news=None), VETTED, vetted_days=30) is PASS


def test_what_escapes_or_lies_to_tools_is_denied_at_any_age() -> None:
    hidden = Observation(Kind.HIDDEN_ENTRY, "between two entries")
    for observation in (ESCAPE, hidden):
        assert judge(seen(observation), VETTED + timedelta(days=4000), vetted_days=30).at_most is Effect.DENY


def test_without_an_upload_time_nothing_is_ever_vetted() -> None:
    evidence = evidence_of(a_file(upload_time=None), inspection=Known(Inspection(1, news=(HOOK,))))
    assert judge(evidence, VETTED, vetted_days=30).at_most is Effect.QUARANTINE


def test_an_upload_time_at_the_end_of_time_is_no_crash() -> None:
    file = a_file(upload_time=UPLOADED.replace(year=9999, month=12, day=31))
    assert judge(evidence_of(file, inspection=Known(Inspection(1, news=(HOOK,)))), vetted_days=30).changes_at is None


def test_kinds_can_be_left_out_everywhere_or_in_some_projects() -> None:
    evidence = seen(SHORT, news=(HOOK, BINARY))
    assert judge(evidence, ignore=["new-start-up-hook", "new-binary", "too-large"]) is PASS
    assert judge(evidence, ignore=["too-large"], ignore_in={"Lite*": ["new-start-up-hook"]}).at_most is Effect.WARN
    assert (
        judge(evidence, ignore=["too-large"], ignore_in={"other": ["new-start-up-hook"]}).at_most is Effect.QUARANTINE
    )


@pytest.mark.parametrize(
    "params", [{"vetted_days": 0}, {"ignore": ["hooks"]}, {"ignore_in": {"a b": []}}, {"ignore": "new-binary"}]
)
def test_what_makes_no_sense_is_refused(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Contents.model_validate(params)


def test_the_grade_is_the_most_that_a_policy_makes_of_it() -> None:
    entry = PolicyRule(Contents(), on_fail=Effect.DENY, on_unknown=Effect.QUARANTINE)
    effects = [
        entry.effect_of(judge(evidence), frozenset())
        for evidence in (seen(ESCAPE), seen(news=(HOOK,)), seen(news=None))
    ]
    assert effects == [Effect.DENY, Effect.QUARANTINE, Effect.QUARANTINE]
    assert entry.effect_of(judge(seen(news=None)), frozenset(Need)) is Effect.WARN
