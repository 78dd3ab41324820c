"""Policy documents: from TOML that a person reads in a review to a policy."""

import hashlib
import json
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pinfold.domain.decision import Effect, Mode
from pinfold.domain.errors import InvalidPolicy
from pinfold.domain.suggestion import suggestion
from pinfold.policy.engine import Policy, PolicyRule, Selector
from pinfold.policy.rule import Glob, Rule, known_rules
from pinfold.policy.toml_document import Table, TomlDocument


def _failing(word: object) -> object:
    if word == "allow":
        raise ValueError('must be "warn", "quarantine" or "deny": to leave projects out use match.except, or a waiver')
    return word


def _unknowing(word: object) -> object:
    if word == "allow":
        raise ValueError(
            'must be "warn", "quarantine" or "deny": what is not known is never a pass, but may be a warning'
        )
    return word


def _array_of_tables(value: object) -> object:
    if isinstance(value, dict):
        raise ValueError("write each rule as a table of its own, under [[rule]] in double brackets")
    return _filled(value)


def _filled(value: object) -> object:
    if value == []:
        raise ValueError("must not be empty")
    return value


def _as_set(globs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(globs)))


_Word = Literal["warn", "quarantine", "deny"]
_Globs = Annotated[tuple[Glob, ...], Field(strict=False), AfterValidator(_as_set)]


class _Match(Table):
    projects: Annotated[_Globs, BeforeValidator(_filled)] = ("*",)
    exceptions: _Globs = Field(default=(), alias="except")

    @model_validator(mode="after")
    def _leaves_something(self) -> "_Match":
        if "*" in self.exceptions:
            raise ValueError('except = ["*"] leaves the rule no project: take the rule out instead')
        return self


class _RuleTable(Table):
    id: str
    match: _Match = _Match()
    params: Any = None
    on_fail: Annotated[_Word, BeforeValidator(_failing)] | None = None
    on_unknown: Annotated[_Word, BeforeValidator(_unknowing)] | None = None
    mode: Annotated[Mode, Field(strict=False)] = Mode.ENFORCE

    def of(self, rule: Rule) -> PolicyRule:
        """Return the rule as the table sets it up; what the table does not say is the rule's own default."""
        return PolicyRule(
            rule=rule,
            on_fail=Effect[self.on_fail.upper()] if self.on_fail else rule.on_fail,
            on_unknown=Effect[self.on_unknown.upper()] if self.on_unknown else rule.on_unknown,
            selector=Selector(self.match.projects, self.match.exceptions),
            mode=self.mode,
        )


class _Document(Table):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = None
    description: str = ""
    rule: Annotated[tuple[_RuleTable, ...], Field(strict=False), BeforeValidator(_array_of_tables)]


def parse_policy(text: str, source: str) -> Policy:
    """Return the policy that a document states; `source` is what to call the document, most often its path.

    Raises InvalidPolicy with every mistake and its line. A document without rules is a mistake too: it would let
    everything through.
    """
    document = TomlDocument(text, source, InvalidPolicy)
    header = document.read(_Document, document.tables)
    rules = _read_rules(document)
    if header is None or None in rules:
        document.fail()
    entries = [table.of(rule) for table, rule in zip(header.rule, rules, strict=True) if rule is not None]
    _reject_repetitions(document, entries)
    stated = {entry.rule.id for entry in entries}
    implied = [
        PolicyRule(rule(), rule.on_fail, rule.on_unknown)
        for rule in known_rules().values()
        if rule.implied and rule.id not in stated
    ]
    return _policy(header.name or PurePath(source).stem, header.description, (*implied, *entries))


def policy_data(policy: Policy) -> dict[str, Any]:
    """Return a policy as plain data for JSON, with every default spelled out."""
    return {
        "name": policy.name,
        "description": policy.description,
        "digest": policy.digest,
        "rules": [_meaning(entry) for entry in policy.rules],
    }


def _read_rules(document: TomlDocument) -> list[Rule | None]:
    tables = document.tables.get("rule")
    return [
        _read_rule(document, table, "rule", position)
        for position, table in enumerate(tables if isinstance(tables, list) else ())
        if isinstance(table, dict)
    ]


def _read_rule(document: TomlDocument, table: dict[str, Any], *place: str | int) -> Rule | None:
    rule_id = table.get("id")
    if not isinstance(rule_id, str):
        return None
    rule = known_rules().get(rule_id)
    if rule is None:
        document.reject(f"there is no such rule{suggestion(rule_id, known_rules())}", *place, "id")
        return None
    return document.read(rule, table.get("params", {}), *place, "params")


def _reject_repetitions(document: TomlDocument, entries: list[PolicyRule]) -> None:
    """Refuse a rule that is set up twice alike; with other params or projects it may well stand twice."""
    for later, entry in enumerate(entries):
        for earlier, other in enumerate(entries[:later]):
            if (entry.rule, entry.selector) == (other.rule, other.selector):
                document.reject(
                    f"repeats rule {earlier + 1}, for the same projects with the same params", "rule", later
                )
    if not document.is_sound:
        document.fail()


def _policy(name: str, description: str, entries: tuple[PolicyRule, ...]) -> Policy:
    meaning = [_meaning(entry) for entry in entries]
    canonical = json.dumps(meaning, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return Policy(name, hashlib.sha256(canonical.encode()).hexdigest(), entries, description)


def _meaning(entry: PolicyRule) -> dict[str, Any]:
    return {
        "id": entry.rule.id,
        "match": {"projects": list(entry.selector.projects), "except": list(entry.selector.exceptions)},
        "params": entry.rule.model_dump(mode="json"),
        "on_fail": entry.on_fail.label,
        "on_unknown": entry.on_unknown.label,
        "mode": entry.mode.value,
    }
