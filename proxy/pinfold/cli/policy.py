"""`pinfold policy`: documents, what they mean, and whether they decide as their cases expect."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinfold.cli.invocation import REFUSED, Group, Invocation
from pinfold.cli.replay import replay
from pinfold.cli.terminal import Line, Painted, moment, table
from pinfold.domain.decision import Mode
from pinfold.domain.errors import InvalidPolicy
from pinfold.domain.evidence import plain
from pinfold.domain.names import DEFAULT_INDEX

if TYPE_CHECKING:
    from pinfold.policy.engine import Policy, PolicyRule
    from pinfold.policy.run_cases import CaseResult


@click.group(cls=Group)
def policy() -> None:
    """Check, show, test and replay policy documents."""


policy.add_command(replay)


@policy.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.pass_context
def check(context: click.Context, file: str) -> None:
    """Tell whether FILE, which ends in .toml, is a policy: every mistake, with its line."""
    from pinfold.adapters.filesystem.policy_files import PolicyFiles
    from pinfold.policy.document import policy_data

    invocation = context.ensure_object(Invocation)
    if not file.endswith(".toml"):
        raise click.UsageError(f"{file} is no policy document: their names end in .toml", context)
    try:
        found = PolicyFiles().load(file)
    except InvalidPolicy as error:
        invocation.answer({"source": file, "valid": False, "problems": error.problems}, error.problems)
        context.exit(REFUSED)
    invocation.answer(
        {"source": file, "valid": True, "problems": [], "policy": policy_data(found)},
        [f"{file} is a policy of {len(found.rules)} rules; digest {found.digest}"],
    )


@policy.command()
@click.argument("name", required=False)
@click.pass_obj
def show(invocation: Invocation, name: str | None) -> None:
    """Show a policy, by shipped name or by path, with every default spelled out: that of index main without NAME."""
    from pinfold.adapters.filesystem.policy_files import PolicyFiles
    from pinfold.policy.document import policy_data

    found = PolicyFiles().load(name or invocation.settings().indexes[DEFAULT_INDEX].policy)
    invocation.answer(policy_data(found), _policy(found))


@policy.command()
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.pass_context
def test(context: click.Context, folder: Path | None) -> None:
    """Run the cases in DIR/cases over the policies in DIR and the shipped ones; the shipped cases without DIR."""
    from pinfold.adapters.filesystem.policy_files import PolicyFiles
    from pinfold.policy.run_cases import run_cases

    files = PolicyFiles()
    results = run_cases(files.cases(folder), files.policies(folder))
    passed = all(result.passed for result in results)
    context.ensure_object(Invocation).answer({"passed": passed, "results": plain(results)}, _results(results))
    if not passed:
        context.exit(REFUSED)


def _policy(found: "Policy") -> Iterator[Line]:
    yield [Painted(found.name, bold=True), f"  digest {found.digest}"]
    if found.description:
        yield found.description
    yield ""
    yield from table(["RULE", "FAIL", "UNKNOWN", "PROJECTS", "PARAMS"], [_rule(entry) for entry in found.rules])


def _rule(entry: "PolicyRule") -> list[str]:
    observed = "" if entry.mode is Mode.ENFORCE else " (observed)"
    exceptions = f" except {', '.join(entry.selector.exceptions)}" if entry.selector.exceptions else ""
    params = {key: value for key, value in entry.rule.model_dump(mode="json").items() if value or value is False}
    return [
        entry.rule.id + observed,
        entry.on_fail.label,
        entry.on_unknown.label,
        ", ".join(entry.selector.projects) + exceptions,
        ", ".join(
            f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in params.items()
        ),
    ]


def _results(results: Sequence["CaseResult"]) -> Iterator[Line]:
    failures = [result for result in results if not result.passed]
    for result in failures:
        yield [Painted("FAILED", "red"), f" {result.case}: {result.policy} on {result.filename} at {moment(result.at)}"]
        yield f"  expected {result.expected}"
        yield f"  got      {result.got}" + (f": {result.reason}" if result.reason else "")
    cases = len({result.case for result in results})
    told = f"{len(results)} decisions in {cases} cases: "
    yield [told, Painted(f"{len(failures)} failed", "red") if failures else Painted("all as expected", "green")]
