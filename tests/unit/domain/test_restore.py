"""Evidence comes back from plain data as it was."""

import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fakes.evidence import evidence_of

from pinfold.domain.evidence import NOT_ASKED_FOR, Evidence, Known, plain
from pinfold.domain.restore import restore_evidence
from pinfold.domain.target import FileTarget, HashTarget, ProjectTarget, ReleaseTarget

st.register_type_strategy(datetime, st.integers(0, 2**32).map(lambda second: datetime.fromtimestamp(second, UTC)))
st.register_type_strategy(Known, lambda kind: st.builds(Known, st.from_type(get_args(kind)[0])))
st.register_type_strategy(
    ReleaseTarget, st.sampled_from([ReleaseTarget("litellm", "==1.82.8"), ReleaseTarget("litellm", "<2,>=1")])
)
st.register_type_strategy(ProjectTarget, st.just(ProjectTarget("litellm")))
st.register_type_strategy(FileTarget, st.just(FileTarget("litellm", "litellm-1.82.8-py3-none-any.whl")))
st.register_type_strategy(HashTarget, st.just(HashTarget("a" * 64)))
st.register_type_strategy(str, st.text(max_size=8))
st.register_type_strategy(float, st.floats(0, 10, width=32))


def stored(evidence: Evidence) -> Any:
    return json.loads(evidence.canonical())


@given(evidence=st.from_type(Evidence))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_evidence_comes_back_as_it_was(evidence: Evidence) -> None:
    """Made from the types themselves, so that an item of evidence that is added one day is held to it as well."""
    restored = restore_evidence(stored(evidence))
    assert restored == evidence
    assert restored.digest() == evidence.digest()


def test_what_was_not_known_when_it_was_stored_has_its_default() -> None:
    data = stored(evidence_of())
    del data["provenance"]
    assert restore_evidence(data) == evidence_of(provenance=NOT_ASKED_FOR)


def test_what_is_not_known_any_more_is_left_out() -> None:
    assert restore_evidence({**stored(evidence_of()), "moon": "full"}) == evidence_of()


@pytest.mark.parametrize(
    "changes",
    [
        {"project": 1},
        {"file": None},
        {"file": {}},
        {"sighting": {"known": {}, "unknown": ""}},
        {"sighting": {}},
        {"private_name": "yes"},
        {"records": [1]},
        {"upstream_status": {"known": {"status": {"marker": "x", "reason": None}, "since": None}}},
    ],
)
def test_what_is_no_evidence_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no "):
        restore_evidence({**stored(evidence_of()), **changes})


def test_no_evidence_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="no Evidence"):
        restore_evidence([plain(evidence_of())])
