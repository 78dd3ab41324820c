"""Adding a rule is one new module, its test and its paragraph, and nothing else: this fails when one is missing."""

import re
from pathlib import Path

import pytest

from pinfold.domain.decision import Effect
from pinfold.policy import rules
from pinfold.policy.rule import Rule, known_rules

ROOT = Path(__file__).parents[3]


def ids_of(folder: Path, prefix: str = "") -> set[str]:
    stems = {path.stem for path in folder.glob("*.py")} - {"__init__", "conftest"}
    return {stem.removeprefix(prefix).replace("_", "-") for stem in stems}


def test_rules_are_discovered() -> None:
    assert {"quarantined", "minimum-age", "hash-changed", "vanished", "upstream-status"} <= known_rules().keys()
    assert {"private-name", "file-type"} <= known_rules().keys()


def test_each_rule_is_a_module_of_its_name() -> None:
    assert ids_of(Path(rules.__path__[0])) == known_rules().keys()
    for rule_id, rule in known_rules().items():
        assert rule.__module__ == f"{rules.__name__}.{rule_id.replace('-', '_')}"


def test_each_rule_has_a_test_module_and_each_test_module_a_rule() -> None:
    assert ids_of(Path(__file__).parent / "rules", "test_") == known_rules().keys()


def test_each_rule_has_a_paragraph_with_an_example_and_each_paragraph_a_rule() -> None:
    text = (ROOT / "policies" / "README.md").read_text(encoding="utf-8")
    section = text.split("\n## Rules\n")[1].split("\n## ")[0]
    paragraphs = dict(re.findall(r"^### `([a-z-]+)`\n(.*?)(?=^### |\Z)", section, re.MULTILINE | re.DOTALL))
    assert paragraphs.keys() == known_rules().keys()
    assert len(paragraphs) == section.count("\n### ")
    for rule_id, paragraph in paragraphs.items():
        assert f'id = "{rule_id}"' in paragraph, rule_id
        for param in known_rules()[rule_id].model_fields:
            assert f"`{param}" in paragraph, f"{rule_id} has a param {param} that its paragraph does not explain"


@pytest.mark.parametrize("rule", known_rules().values(), ids=list(known_rules()))
def test_each_rule_says_what_it_does_and_never_lets_go_by_default(rule: type[Rule]) -> None:
    assert rule.__doc__
    assert rule.__doc__.startswith("Refuse ")
    assert rule.on_fail > Effect.ALLOW
    assert rule.on_unknown > Effect.ALLOW
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.id)


@pytest.mark.parametrize("rule", known_rules().values(), ids=list(known_rules()))
def test_each_rule_is_frozen_strict_and_closed_to_unknown_params(rule: type[Rule]) -> None:
    assert rule.model_config["frozen"]
    assert rule.model_config["strict"]
    assert rule.model_config["extra"] == "forbid"
