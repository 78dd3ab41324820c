import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.domain.decision import (
    MAX_REASON,
    PASS,
    Decision,
    Effect,
    Finding,
    Mode,
    Outcome,
    Verdict,
    reference,
    refusal_line,
)


def refused(reason: str = "uploaded 3 h ago, needs 3 d", effect: Effect = Effect.QUARANTINE) -> Decision:
    verdicts = (
        Verdict("quarantined", PASS, Effect.ALLOW),
        Verdict("minimum-age", Finding(Outcome.FAIL, reason), effect),
    )
    return Decision(effect, verdicts, "policy")


def test_effects_are_ordered_and_the_two_worst_refuse() -> None:
    assert Effect.ALLOW < Effect.WARN < Effect.QUARANTINE < Effect.DENY
    assert [effect.refuses for effect in Effect] == [False, False, True, True]
    assert [effect.label for effect in Effect] == ["allow", "warn", "quarantine", "deny"]


class TestDeciding:
    def test_allowed_file_has_no_deciding_verdict(self) -> None:
        assert Decision(Effect.ALLOW, (Verdict("x", PASS, Effect.ALLOW),), "policy").deciding is None

    def test_observed_verdict_never_decides(self) -> None:
        fail = Finding(Outcome.FAIL, "no")
        observed = Verdict("observed", fail, Effect.QUARANTINE, Mode.OBSERVE)
        enforced = Verdict("enforced", fail, Effect.QUARANTINE)
        decision = Decision(Effect.QUARANTINE, (observed, enforced), "policy")
        assert decision.deciding is enforced


class TestReference:
    def test_same_decision_on_same_evidence_has_the_same_reference(self) -> None:
        assert reference(refused(), "evidence") == reference(refused(), "evidence")

    def test_reference_is_short_and_can_be_read_out(self) -> None:
        ref = reference(refused(), "evidence")
        assert len(ref) == 9
        assert set(ref[2:]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")

    def test_other_policy_evidence_or_rule_has_another(self) -> None:
        other_rule = Decision(Effect.DENY, (Verdict("vanished", Finding(Outcome.FAIL), Effect.DENY),), "policy")
        other_policy = Decision(Effect.QUARANTINE, refused().verdicts, "other")
        refs = {
            reference(refused(), "evidence"),
            reference(refused(), "other"),
            reference(other_policy, "evidence"),
            reference(other_rule, "evidence"),
        }
        assert len(refs) == 4


class TestRefusalLine:
    def test_it_says_what_why_what_instead_and_where_to_ask(self) -> None:
        assert refusal_line(refused(), last_good="1.82.6", ref="D-7QK2M") == (
            "pinfold: quarantined by minimum-age: uploaded 3 h ago, needs 3 d; last good 1.82.6; ref D-7QK2M"
        )
        assert refusal_line(refused("no", Effect.DENY), last_good=None, ref="D-1") == (
            "pinfold: denied by minimum-age: no; ref D-1"
        )

    @pytest.mark.parametrize("effect", [Effect.ALLOW, Effect.WARN])
    def test_served_files_have_none(self, effect: Effect) -> None:
        with pytest.raises(ValueError, match="only a refused file"):
            refusal_line(refused(effect=effect), last_good=None, ref="D-1")

    @given(st.text(max_size=400))
    def test_it_is_one_line_of_printable_ascii_whatever_the_reason(self, reason: str) -> None:
        line = refusal_line(refused(reason), last_good="1.82.6", ref="D-7QK2M")
        assert line.isascii()
        assert line.isprintable()
        assert len(line) <= MAX_REASON + 80
        assert line.endswith("; last good 1.82.6; ref D-7QK2M")

    def test_header_and_terminal_injection_become_spaces(self) -> None:
        line = refusal_line(refused("a\r\nSet-Cookie: x\x1b[31m\u2028b"), last_good=None, ref="D-1")
        assert line == "pinfold: quarantined by minimum-age: a Set-Cookie: x [31m b; ref D-1"
