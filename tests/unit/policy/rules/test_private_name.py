from tests.fakes.evidence import UPLOADED, evidence_of

from pinfold.domain.decision import PASS, Effect, Outcome
from pinfold.domain.evidence import Origin
from pinfold.policy.rules.private_name import PrivateName


def test_private_name_from_a_public_upstream_fails() -> None:
    finding = PrivateName().judge(evidence_of(project="acme-core", private_name=True), UPLOADED)
    assert finding.outcome is Outcome.FAIL
    assert finding.reason == "acme-core is a name of this organisation, which the upstream pypi may not provide"
    assert PrivateName.on_fail is Effect.DENY


def test_private_name_from_an_own_upstream_passes() -> None:
    evidence = evidence_of(project="acme-core", private_name=True, origin=Origin("ours", private=True))
    assert PrivateName().judge(evidence, UPLOADED) is PASS


def test_public_name_passes_from_anywhere() -> None:
    assert PrivateName().judge(evidence_of(), UPLOADED) is PASS
    assert PrivateName().judge(evidence_of(origin=Origin("ours", private=True)), UPLOADED) is PASS
