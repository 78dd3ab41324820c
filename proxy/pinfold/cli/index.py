"""`pinfold index`: the views that clients point at."""

from typing import Any

import click

from pinfold.cli.invocation import Group, Invocation
from pinfold.cli.terminal import table
from pinfold.domain.names import DEFAULT_INDEX


@click.group(cls=Group)
def index() -> None:
    """Show the indexes that clients point at."""


@index.command("list")
@click.pass_obj
def list_(invocation: Invocation) -> None:
    """Show every index: its address, policy, upstreams, private names, pin set, and whether everybody may read it."""
    from pinfold.adapters.filesystem.policy_files import PolicyFiles

    policies, whole = PolicyFiles(), invocation.settings()
    found: list[dict[str, Any]] = []
    for name, settings in whole.indexes.items():
        policy = policies.load(settings.policy)
        found.append(
            {
                "name": name,
                "path": "/simple/" if name == DEFAULT_INDEX else f"/{name}/simple/",
                "policy": policy.name,
                "policy_digest": policy.digest,
                "upstreams": list(settings.upstreams),
                "packages_from": list(settings.packages_from),
                "private": list(settings.private),
                "refusals": settings.refusals,
                "pins": settings.pins,
                "anonymous": name in whole.open_indexes,
            }
        )
    rows = [
        [
            one["name"],
            one["path"],
            f"{one['policy']} {one['policy_digest'][:12]}",
            ", ".join([*one["packages_from"], *one["upstreams"]]) or "-",
            ", ".join(one["private"]) or "-",
            one["refusals"],
            one["pins"] or "-",
            "anybody" if one["anonymous"] else "token",
        ]
        for one in found
    ]
    headings = ["INDEX", "PATH", "POLICY", "UPSTREAMS", "PRIVATE NAMES", "REFUSALS", "PINS", "READ BY"]
    invocation.answer({"indexes": found}, table(headings, rows))
