import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.evidence import UPLOADED, evidence_of

from pinfold.domain.decision import Effect, Mode
from pinfold.domain.errors import InvalidPolicy
from pinfold.policy.document import parse_policy, policy_data
from pinfold.policy.engine import Policy, decide
from pinfold.policy.rule import known_rules
from pinfold.policy.rules.minimum_age import MinimumAge


def parsed(text: str, source: str = "policies/mine.toml") -> Policy:
    return parse_policy(text, source)


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidPolicy) as raised:
        parsed(text)
    assert raised.value.source == "policies/mine.toml"
    return raised.value.problems


def rule(lines: str) -> str:
    return f'[[rule]]\nid = "minimum-age"\n{lines}\n'


AGE = rule("params = { days = 3 }")
EFFECTS = "'warn', 'quarantine' or 'deny'"
KINDS = "'wheel', 'sdist' or 'other'"
BAD_GLOB = "matches no project name: write a name, where * stands for any characters and ? for one"
KNOWN = ", ".join(sorted(known_rules()))


class TestReading:
    def test_document_says_what_its_rules_do(self) -> None:
        policy = parsed(
            'name = "house"\ndescription = "ours"\n'
            + rule(
                'match = { projects = ["*"], except = ["Acme_*"] }\nparams = { days = 3 }\n'
                'on_fail = "deny"\non_unknown = "warn"\nmode = "observe"'
            )
        )
        assert (policy.name, policy.description) == ("house", "ours")
        entry = policy.rules[-1]
        assert entry.rule == MinimumAge(days=3)
        assert (entry.on_fail, entry.on_unknown, entry.mode) == (Effect.DENY, Effect.WARN, Mode.OBSERVE)
        assert entry.selector.admits("litellm")
        assert not entry.selector.admits("acme-core")

    def test_name_comes_from_the_source_where_the_document_has_none(self) -> None:
        assert parsed(AGE, "/etc/pinfold/House_1.toml").name == "House_1"
        assert parsed(AGE, "<stdin>").name == "<stdin>"

    @pytest.mark.parametrize("rule_id", known_rules())
    def test_what_a_document_leaves_out_is_the_rules_default(self, rule_id: str) -> None:
        params = {"minimum-age": "{ days = 3 }", "file-type": '{ refuse = ["sdist"] }'}.get(rule_id, "{}")
        policy = parsed(f'[[rule]]\nid = "{rule_id}"\nparams = {params}\n')
        entry = next(entry for entry in policy.rules if entry.rule.id == rule_id)
        assert (entry.on_fail, entry.on_unknown) == (entry.rule.on_fail, entry.rule.on_unknown)
        assert entry.mode is Mode.ENFORCE
        assert entry.selector.admits("litellm")

    def test_params_may_be_a_table_of_their_own(self) -> None:
        assert parsed(rule("[rule.params]\ndays = 3")).digest == parsed(AGE).digest

    def test_same_rule_may_stand_twice_with_other_params_or_projects(self) -> None:
        for other in (rule("params = { days = 7 }"), rule('params = { days = 3 }\nmatch = { projects = ["a*"] }')):
            assert [entry.rule.id for entry in parsed(AGE + other).rules[2:]] == ["minimum-age"] * 2


class TestImpliedRules:
    def test_pins_and_quarantine_records_hold_in_every_policy(self) -> None:
        implied = parsed(AGE).rules[:2]
        assert [(entry.rule.id, entry.on_fail, entry.mode) for entry in implied] == [
            ("pinned", Effect.QUARANTINE, Mode.ENFORCE),
            ("quarantined", Effect.DENY, Mode.ENFORCE),
        ]
        assert all(entry.selector.admits("anything") for entry in implied)

    def test_naming_the_rule_replaces_the_implied_one(self) -> None:
        policy = parsed(AGE + '[[rule]]\nid = "quarantined"\non_fail = "quarantine"\n')
        assert [(entry.rule.id, entry.on_fail) for entry in policy.rules] == [
            ("pinned", Effect.QUARANTINE),
            ("minimum-age", Effect.QUARANTINE),
            ("quarantined", Effect.QUARANTINE),
        ]


class TestProblems:
    def test_every_mistake_is_told_at_once_with_its_place_in_the_order_of_the_text(self) -> None:
        text = """nam = "x"
[[rule]]
id = "minimum-age"
match = { project = ["*"], except = ["acme-", 3] }
params = { days = "three", hour = 1 }
on_fail = "refuse"
mode = "enforced"

[[rule]]
id = "minimum-agee"
parms = { days = 3 }

[[rule]]
id = "file-type"
[rule.params]
allow = ["weel"]
"""
        assert problems(text) == [
            "policies/mine.toml:1: nam: there is no such key; did you mean name?",
            f"policies/mine.toml:4: rule 1 (minimum-age): match.except: 'acme-' {BAD_GLOB}",
            "policies/mine.toml:4: rule 1 (minimum-age): match.except: must be a text in quotes, found 3",
            "policies/mine.toml:4: rule 1 (minimum-age): match.project: there is no such key; did you mean projects?",
            'policies/mine.toml:5: rule 1 (minimum-age): params.days: must be a number, found "three"',
            "policies/mine.toml:5: rule 1 (minimum-age): params.hour: there is no such key; did you mean hours?",
            f'policies/mine.toml:6: rule 1 (minimum-age): on_fail: must be {EFFECTS}, found "refuse"',
            "policies/mine.toml:7: rule 1 (minimum-age): mode: must be 'enforce' or 'observe', found \"enforced\"",
            "policies/mine.toml:10: rule 2 (minimum-agee): id: there is no such rule; did you mean minimum-age?",
            "policies/mine.toml:11: rule 2 (minimum-agee): parms: there is no such key; did you mean params?",
            f'policies/mine.toml:16: rule 3 (file-type): params.allow: must be {KINDS}, found "weel"',
        ]

    def test_message_of_the_error_holds_them_all(self) -> None:
        with pytest.raises(InvalidPolicy) as raised:
            parsed(rule("mode = 1\non_fail = 2"))
        assert str(raised.value).splitlines() == [
            "policies/mine.toml: 3 problem(s)",
            *(f"  {problem}" for problem in raised.value.problems),
        ]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "1: rule: is missing"),
            ("# nothing\n", "1: rule: is missing"),
            ("rule = []", "1: rule: must not be empty"),
            ("rule = [3]", "1: rule: must be a table, found 3"),
            ("rule = 3", "1: rule: must be a list, found 3"),
            (
                '[rule]\nid = "vanished"',
                "1: rule: write each rule as a table of its own, under [[rule]] in double brackets",
            ),
            ("[[rule]]", "1: rule 1: id: is missing"),
            ("[[rule]]\nid = 3", "2: rule 1: id: must be a text in quotes, found 3"),
            ('[[rule]]\nid = "x"', f"2: rule 1 (x): id: there is no such rule; known: {KNOWN}"),
            (rule(""), "1: rule 1 (minimum-age): params: set days or hours: without them the rule refuses nothing"),
            (rule("params = 3"), "3: rule 1 (minimum-age): params: must be a table, found 3"),
            (
                rule("params = { days = -1 }"),
                "3: rule 1 (minimum-age): params.days: must be greater than or equal to 0, found -1",
            ),
            (
                rule("params = { days = nan }"),
                "3: rule 1 (minimum-age): params.days: must be a finite number, found NaN",
            ),
            (rule("params = { days = true }"), "3: rule 1 (minimum-age): params.days: must be a number, found true"),
            (
                rule('params = { days = 3, clock = "moon" }'),
                "3: rule 1 (minimum-age): params.clock: must be 'upload-time' or 'first-seen', found \"moon\"",
            ),
            (
                rule("params = { days = 3, overrides = { 'a$' = 1 } }"),
                f"3: rule 1 (minimum-age): params.overrides.\"a$\": 'a$' {BAD_GLOB}",
            ),
            (AGE + "match = 3", "4: rule 1 (minimum-age): match: must be a table, found 3"),
            (AGE + 'match = { projects = "*" }', '4: rule 1 (minimum-age): match.projects: must be a list, found "*"'),
            (AGE + "match = { projects = [] }", "4: rule 1 (minimum-age): match.projects: must not be empty"),
            (
                AGE + 'match = { except = ["*"] }',
                '4: rule 1 (minimum-age): match: except = ["*"] leaves the rule no project: take the rule out instead',
            ),
            (AGE + AGE, "4: rule 2 (minimum-age): repeats rule 1, for the same projects with the same params"),
            (
                AGE + AGE + 'mode = "observe"',
                "4: rule 2 (minimum-age): repeats rule 1, for the same projects with the same params",
            ),
        ],
    )
    def test_each_mistake_has_its_sentence(self, text: str, problem: str) -> None:
        assert problems(text) == [f"policies/mine.toml:{problem}"]

    @pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "x" * 65, "\u00e9"])
    def test_names_are_plain_words(self, name: str) -> None:
        (problem,) = problems(f'name = "{name}"\n{AGE}')
        assert problem.startswith("policies/mine.toml:1: name: ")

    def test_nothing_allows(self) -> None:
        place, effects = "policies/mine.toml:4: rule 1 (minimum-age)", 'must be "warn", "quarantine" or "deny"'
        (on_fail,) = problems(AGE + 'on_fail = "allow"')
        assert on_fail == f"{place}: on_fail: {effects}: to leave projects out use match.except, or a waiver"
        (on_unknown,) = problems(AGE + 'on_unknown = "allow"')
        assert on_unknown == f"{place}: on_unknown: {effects}: what is not known is never a pass, but may be a warning"

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("x = ", ":1: is not TOML: "),
            ("\n\n[[rule]\n", ":3: is not TOML: "),
            ("a = 1\na = 2\n", ":2: is not TOML: "),
            ('x = """never closed\n\n', ":1: is not TOML: "),
            ("x = " + "9" * 5000, ": cannot be read as TOML: "),
            ("x = " + "[" * 5000, ": cannot be read as TOML: "),
            ("x = 2026-13-45T00:00:00Z", ":1: is not TOML: "),
            ("\x00", ":1: is not TOML: "),
        ],
    )
    def test_what_is_not_toml_is_told_with_its_line(self, text: str, problem: str) -> None:
        (found,) = problems(text)
        assert found.startswith("policies/mine.toml" + problem)

    def test_hostile_text_cannot_write_to_the_terminal(self) -> None:
        escape = '"\\u001b]0;owned\\u0007\\n\\u007f\\u202e"'
        text = f"{escape} = 1\n[[rule]]\nid = {escape}\n[[rule]]\nid = 'vanished'\nmode = {escape}\n{escape} = {escape}"
        found = problems(text)
        assert len(found) == 4
        assert all(problem.isprintable() and problem.isascii() for problem in found)

    def test_long_values_are_cut_short(self) -> None:
        (problem,) = problems(AGE + f'mode = "{"x" * 10_000}"')
        assert len(problem) < 250

    @given(st.text(max_size=60) | st.text('[]{}="rule id.\n#3', max_size=60))
    def test_any_text_is_a_policy_or_a_list_of_problems(self, text: str) -> None:
        try:
            found = [entry.rule.id for entry in parsed(text).rules]
        except InvalidPolicy as error:
            found = error.problems
        assert found


class TestDigest:
    SHORT = (
        'name = "one"\ndescription = "d"\n'
        '[[rule]]\nid = "minimum-age"\nparams = { days = 3, overrides = { b = 7, a = 1 } }\n'
        '[[rule]]\nid = "file-type"\nparams = { refuse = ["sdist", "other"] }\nmatch = { projects = ["b", "a"] }\n'
    )
    LONG = """
# The same, at length.
name = "two"

[[rule]]
id = "quarantined"

[[rule]]
mode = "enforce"
on_unknown = "quarantine"
on_fail = "quarantine"
match = { except = [], projects = ["*"] }
id = "minimum-age"
  [rule.params]
  hours = 0
  days = 3.0
  clock = "upload-time"
  private_origins = "pass"
  overrides = { a = 1.0, B = 7 }

[[rule]]
id = "file-type"
match = { projects = ["A", "b", "a"], except = [] }
params = { allow = [], refuse = ["other", "sdist"] }
on_fail = "deny"
"""

    def test_layout_order_of_keys_and_spelled_out_defaults_do_not_count(self) -> None:
        assert parsed(self.SHORT).digest == parsed(self.LONG).digest

    def test_it_is_the_same_on_every_machine(self) -> None:
        sdists = '[[rule]]\nid = "file-type"\nparams = { refuse = ["sdist", "other"] }\n'
        assert parsed(sdists).digest == "d6ea7d95287615dfa464463139117bb01f3fdaf7f6268e0c1668816aac078b8a"

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("days = 3", "days = 4"),
            ("b = 7", "b = 8"),
            ('"sdist", "other"', '"sdist"'),
            ('["b", "a"]', '["b"]'),
            ('id = "file-type"', 'id = "file-type"\nmode = "observe"'),
            ('id = "file-type"', 'id = "file-type"\non_fail = "warn"'),
            ('id = "file-type"', 'id = "file-type"\non_unknown = "warn"'),
        ],
    )
    def test_whatever_decides_counts(self, old: str, new: str) -> None:
        assert old in self.SHORT
        assert parsed(self.SHORT).digest != parsed(self.SHORT.replace(old, new)).digest

    def test_order_of_rules_counts_since_it_chooses_the_reason_that_is_told(self) -> None:
        vanished = '[[rule]]\nid = "vanished"\n'
        assert parsed(AGE + vanished).digest != parsed(vanished + AGE).digest

    @given(st.randoms(use_true_random=False))
    def test_shuffled_keys_and_globs_mean_the_same(self, shuffling: random.Random) -> None:
        keys = ['id = "minimum-age"', "params = { hours = 1, days = 3 }", 'on_fail = "deny"', 'mode = "observe"']
        globs = ['"a*"', '"b"', '"C.d"', '"a*"']
        shuffling.shuffle(globs)
        keys.append(f"match = {{ projects = [{', '.join(globs)}] }}")
        baseline = parsed("[[rule]]\n" + "\n".join(sorted(keys)).replace(", ".join(globs), '"a*", "b", "c-d"'))
        shuffling.shuffle(keys)
        assert parsed("[[rule]]\n" + "\n".join(keys)).digest == baseline.digest

    def test_decisions_carry_it(self) -> None:
        policy = parsed(AGE)
        decision = decide(policy.for_project("litellm"), evidence_of(), (), UPLOADED)
        assert decision.policy_digest == policy.digest


def test_data_spells_every_default_out() -> None:
    data = policy_data(parsed(AGE))
    assert data["name"] == "mine"
    assert data["digest"] == parsed(AGE).digest
    assert data["rules"] == [
        {
            "id": "pinned",
            "match": {"projects": ["*"], "except": []},
            "params": {},
            "on_fail": "quarantine",
            "on_unknown": "quarantine",
            "mode": "enforce",
        },
        {
            "id": "quarantined",
            "match": {"projects": ["*"], "except": []},
            "params": {},
            "on_fail": "deny",
            "on_unknown": "quarantine",
            "mode": "enforce",
        },
        {
            "id": "minimum-age",
            "match": {"projects": ["*"], "except": []},
            "params": {
                "days": 3.0,
                "hours": 0.0,
                "clock": "upload-time",
                "overrides": {},
                "private_origins": "pass",
                "fixes": "hold",
            },
            "on_fail": "quarantine",
            "on_unknown": "quarantine",
            "mode": "enforce",
        },
    ]
