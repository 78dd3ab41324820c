from tests.fakes.evidence import OTHER_SHA256, SHA256, UPLOADED, a_file, evidence_of

from pinfold.domain.decision import PASS, Effect, Outcome
from pinfold.domain.evidence import Known, Unknown
from pinfold.domain.pins import Pin, Pinning, ProjectPins
from pinfold.policy.rules.pinned import Pinned


def finding(pinning, **changes):
    return Pinned().judge(evidence_of(pinning=pinning, **changes), UPLOADED)


def test_an_index_without_pins_is_not_limited() -> None:
    assert finding(None) is PASS


def test_a_pinned_file_passes() -> None:
    assert finding(Known(Pinning("prod", pinned=True, releases=("1.82.8",)))) is PASS


def test_another_file_is_refused_with_the_way_to_a_pin() -> None:
    found = finding(Known(Pinning("prod", pinned=False, releases=("1.82.6",))))
    assert found.outcome is Outcome.FAIL
    assert found.reason == "pin set prod holds litellm 1.82.6 only; pinfold pin import prod LOCKFILE changes that"
    many = finding(Known(Pinning("prod", pinned=False, releases=("5", "4", "3", "2"))))
    assert "litellm 5, 4, 3 and 1 more only" in many.reason


def test_a_project_outside_the_set_is_refused() -> None:
    assert finding(Known(Pinning("prod", pinned=False))).reason.startswith("pin set prod does not hold litellm;")


def test_a_missing_set_admits_nothing() -> None:
    found = finding(Unknown("there is no pin set prod yet"))
    assert (found.outcome, found.reason) == (Outcome.UNKNOWN, "there is no pin set prod yet")
    assert Pinned.on_unknown is Effect.QUARANTINE


def test_every_policy_has_the_rule() -> None:
    assert Pinned.implied


def test_bytes_are_pinned_with_their_name_and_version_where_the_lock_tells_them() -> None:
    file = a_file()
    for pin, pinned in [
        (Pin("litellm", "1.82.8", SHA256), True),
        (Pin("litellm", "1.82.8", SHA256, file.filename), True),
        (Pin("litellm", "1.82.8", OTHER_SHA256, file.filename), False),
        (Pin("litellm", "1.82.8", SHA256, "litellm-1.82.8.tar.gz"), False),
        (Pin("litellm", "1.82.7", SHA256), False),
    ]:
        assert ProjectPins("prod", (pin,)).of(file).pinned is pinned, pin
    nameless = ProjectPins("prod", (Pin("litellm", "1.82.8", SHA256),))
    assert nameless.of(a_file(version=None, filename="litellm-odd.egg")).pinned
