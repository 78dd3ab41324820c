"""The README's table of incidents: which rule stops each, when, and which would not have stopped it alone.

`python -m tests.bench.incident_table` writes it anew. It is computed by the decision function from the cases in
`policies/cases/`, with each of baseline's rules in a policy of its own; `tests/e2e/test_incidents.py` shows with real
installers that archives of the same shape meet the same fate.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from pinfold.adapters.filesystem.policy_files import PolicyFiles
from pinfold.domain.decision import Decision
from pinfold.domain.duration import short_duration
from pinfold.policy.cases import Case, FileFacts
from pinfold.policy.engine import Policy, decide
from pinfold.policy.run_cases import evidence_at

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- incidents: begin -->", "<!-- incidents: end -->"
RULES = ("minimum-age", "contents", "provenance-downgrade", "known-malware", "vanished", "private-name")
YEARS_LATER = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Incident:
    """A row: a file that stands for the malicious ones of a case."""

    title: str
    case: str
    filename: str


INCIDENTS = (
    Incident("litellm 1.82.8: a start-up hook", "litellm 1.82.7*", "litellm-1.82.8-*.whl"),
    Incident("litellm 1.82.7: hidden code in a module", "litellm 1.82.7*", "litellm-1.82.7-*.whl"),
    Incident("telnyx 4.87.1: plain code in a module", "telnyx*", "telnyx-4.87.1-*.whl"),
    Incident("ultralytics 8.3.41: built by the real workflow", "*first wave", "ultralytics-8.3.41-*.whl"),
    Incident("ultralytics 8.3.45: uploaded by hand", "*second wave", "ultralytics-8.3.45-*.whl"),
    Incident("dydx-v4-client 1.1.5.post1: a post-release", "dydx*", "*.post1-*.whl"),
    Incident("torchtriton: a private name made public", "torchtriton*confusion", "torchtriton-3*.whl"),
)


def table() -> str:
    """Return the table in Markdown."""
    files = PolicyFiles()
    baseline, cases = files.load("baseline"), files.cases()
    head = ["incident", "baseline, an hour after the upload", *(f"`{rule}` alone" for rule in RULES)]
    rows = [_row(incident, cases, baseline) for incident in INCIDENTS]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def holds(incident: Incident, rule: str | None, after: timedelta) -> bool:
    """Tell whether baseline, or one rule of it alone, refuses an incident's file so long after its upload."""
    files = PolicyFiles()
    baseline = files.load("baseline")
    case, facts = _facts(incident, files.cases())
    return _decided(_alone(baseline, rule) if rule else baseline, case, facts, facts.uploaded + after).refused


def _row(incident: Incident, cases: tuple[Case, ...], baseline: Policy) -> list[str]:
    case, facts = _facts(incident, cases)
    first = _decided(baseline, case, facts, facts.uploaded + timedelta(hours=1))
    told = f"{first.effect.label} by `{first.deciding.rule}`" if first.deciding else "allow"
    return [incident.title, told, *(_cell(_alone(baseline, rule), case, facts) for rule in RULES)]


def _facts(incident: Incident, cases: tuple[Case, ...]) -> tuple[Case, FileFacts]:
    (case,) = (case for case in cases if fnmatchcase(case.name, incident.case))
    (facts,) = (facts for facts in case.files if fnmatchcase(facts.filename, incident.filename))
    return case, facts


def _alone(policy: Policy, rule: str) -> Policy:
    return Policy(rule, rule, tuple(entry for entry in policy.rules if entry.rule.id == rule))


def _cell(policy: Policy, case: Case, facts: FileFacts) -> str:
    """Tell from when and until when a policy refuses a file."""
    start = facts.uploaded + timedelta(minutes=1)
    moments = {start, YEARS_LATER, *(facts.uploaded + timedelta(days=days) for days in (1, 3, 30))}
    moments |= {moment for moment in (facts.vanished, *(each.known for each in case.advisories)) if moment}
    asked = sorted(moment for moment in moments if moment >= start)
    refused = [moment for moment in asked if _decided(policy, case, facts, moment).refused]
    if not refused:
        return "no"
    since = "" if refused[0] == start else f"after {short_duration(refused[0] - facts.uploaded)}"
    if refused[-1] == YEARS_LATER:
        return since or "always"
    ends = asked[asked.index(refused[-1]) + 1]
    until = f"for {short_duration(ends - facts.uploaded)}"
    return f"{since}, until {short_duration(ends - facts.uploaded)}" if since else until


def _decided(policy: Policy, case: Case, facts: FileFacts, at: datetime) -> Decision:
    return decide(policy.for_project(case.project), evidence_at(case, facts, at), (), at)


def main() -> None:
    """Put the table in its place."""
    text = README.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
