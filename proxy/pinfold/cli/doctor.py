"""`pinfold doctor`: whether everything that Pinfold needs is there, each with what to do about it."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pinfold.cli.invocation import REFUSED, Command, Invocation
from pinfold.cli.terminal import Line, Painted
from pinfold.domain.errors import InvalidSettings

if TYPE_CHECKING:
    from pinfold.cli.checks import Check

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(cls=Command)
@click.pass_context
def doctor(context: click.Context) -> None:
    """Look at configuration, policies, data, trust root, upstreams and clock: exit code 1 where something fails."""
    invocation = context.ensure_object(Invocation)
    checks = _examine(invocation)
    healthy = not _fails(checks)
    invocation.answer({"healthy": healthy, "checks": [asdict(check) for check in checks]}, _lines(checks))
    if not healthy:
        context.exit(REFUSED)


def _examine(invocation: Invocation) -> list["Check"]:
    from pinfold.cli.checks import (
        Check,
        State,
        check_access,
        check_data,
        check_front,
        check_policies,
        check_sources,
        check_trust_root,
    )
    from pinfold.cli.running_checks import check_installation

    try:
        settings = invocation.settings()
    except InvalidSettings as error:
        return [Check("configuration", State.FAIL, problem, "correct it first") for problem in error.problems]
    checks = [
        check_sources(invocation.config),
        *check_policies(settings),
        *check_access(settings),
        *check_front(settings),
        *check_data(settings.data),
    ]
    if _fails(checks):
        return [*checks, Check("upstreams", State.WARN, "not asked", "correct what fails first")]
    return [*checks, *asyncio.run(check_trust_root(settings)), *asyncio.run(check_installation(settings))]


def _fails(checks: Sequence["Check"]) -> bool:
    return any(check.state == "fail" for check in checks)


def _lines(checks: Sequence["Check"]) -> Iterator[Line]:
    width = max(len(check.subject) for check in checks)
    for check in checks:
        yield [Painted(f"{check.state:4}", _COLOURS[check.state]), f"  {check.subject:{width}}  {check.found}"]
        if check.advice:
            yield f"{'':4}  {'':{width}}  -> {check.advice}"
