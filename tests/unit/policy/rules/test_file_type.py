import pytest
from pydantic import ValidationError
from tests.fakes.evidence import UPLOADED, a_file, evidence_of

from pinfold.domain.decision import PASS, Effect, Outcome
from pinfold.domain.names import FileKind
from pinfold.policy.rules.file_type import FileType


def found(rule: FileType) -> set[FileKind]:
    """The kinds that a rule refuses."""
    return {kind for kind in FileKind if rule.judge(evidence_of(a_file(kind=kind)), UPLOADED) is not PASS}


def test_only_refused_kinds_fail() -> None:
    assert found(FileType.model_validate({"refuse": ["sdist"]})) == {FileKind.SDIST}
    assert found(FileType.model_validate({"refuse": ["sdist", "other"]})) == {FileKind.SDIST, FileKind.OTHER}


def test_only_allowed_kinds_pass() -> None:
    assert found(FileType.model_validate({"allow": ["wheel"]})) == {FileKind.SDIST, FileKind.OTHER}
    assert found(FileType.model_validate({"allow": ["wheel", "sdist", "other"]})) == set()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (FileKind.WHEEL, "the policy takes no wheels"),
        (FileKind.SDIST, "the policy takes no sdists"),
        (FileKind.OTHER, "the policy takes no files that are neither wheel nor sdist"),
    ],
)
def test_reason_names_the_kind(kind: FileKind, reason: str) -> None:
    finding = FileType.model_validate({"refuse": [kind.value]}).judge(evidence_of(a_file(kind=kind)), UPLOADED)
    assert (finding.outcome, finding.reason) == (Outcome.FAIL, reason)
    assert FileType.on_fail is Effect.DENY


def test_order_and_repetition_of_kinds_mean_nothing() -> None:
    one = FileType.model_validate({"refuse": ["sdist", "other", "sdist"]})
    assert one == FileType.model_validate({"refuse": ["other", "sdist"]})
    assert one.model_dump_json() == FileType.model_validate({"refuse": ["other", "sdist"]}).model_dump_json()


@pytest.mark.parametrize(
    "params",
    [{}, {"allow": []}, {"allow": ["wheel"], "refuse": ["sdist"]}, {"allow": ["weel"]}, {"allow": "wheel"}],
)
def test_params_that_mean_nothing_are_refused(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FileType.model_validate(params)
