"""`pinfold feed`: where advisories come from, and how old they are."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from pinfold.cli.invocation import REFUSED, Group, Invocation
from pinfold.cli.parameters import operating_system_user
from pinfold.cli.terminal import Painted, Progress, Text, table
from pinfold.domain.errors import FeedError, InvalidSettings
from pinfold.domain.evidence import plain
from pinfold.domain.suggestion import suggestion

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation
    from pinfold.ports.advisories import FeedState
    from pinfold.usecases.refresh_feed import Refreshed
    from pinfold.usecases.watch_feeds import Feed


@click.group(cls=Group)
def feed() -> None:
    """Refresh the advisory feeds, or tell how old they are."""


@feed.command()
@click.argument("name", required=False)
@click.option("--anew", is_flag=True, help="Read the whole feed, and compare it with nothing that was there before.")
@click.pass_context
def sync(context: click.Context, name: str | None, *, anew: bool) -> None:
    """Refresh all feeds, or the one that is named: exit code 1 where one fails, and what was there before stays."""
    invocation = context.ensure_object(Invocation)
    results = invocation.run(lambda installation: _sync(installation, name, anew=anew), may_begin=True)
    invocation.answer({"feeds": results}, table(["FEED", "RECORDS", "SNAPSHOT", "WHAT CHANGED"], map(_synced, results)))
    if any(result["error"] for result in results):
        context.exit(REFUSED)


@feed.command()
@click.pass_context
def status(context: click.Context) -> None:
    """Show each feed's source, snapshot and age: exit code 1 where one was never loaded, or is stale."""
    invocation = context.ensure_object(Invocation)
    found = invocation.run(_status, may_begin=True)
    headings = ["FEED", "STATE", "RECORDS", "SNAPSHOT", "TAKEN (UTC)", "CONFIRMED (UTC)", "SOURCE"]
    invocation.answer({"feeds": found}, [*table(headings, map(_row, found)), *_problems(found)])
    if any(one["state"] != "current" for one in found):
        context.exit(REFUSED)


async def _sync(installation: "Installation", name: str | None, *, anew: bool) -> list[dict[str, Any]]:
    results, actor = [], operating_system_user()
    for one in _chosen(installation.feeds, name):
        with installation.turns.take(one.name) as ours:
            if not ours:
                results.append(_result(one.name, None, "another process is refreshing it"))
                continue
            progress = Progress(one.name)
            try:
                refreshed = await installation.refresh_feed.refresh(one.source, progress, anew=anew, actor=actor)
                results.append(_result(one.name, refreshed, None))
            except FeedError as error:
                results.append(_result(one.name, None, str(error)))
            finally:
                progress.end()
    return results


async def _status(installation: "Installation") -> list[dict[str, Any]]:
    from pinfold.usecases.watch_feeds import is_stale

    found = []
    for one in installation.feeds:
        state = await installation.advisories.state(one.name)
        word = "never loaded" if state.snapshot is None else "current"
        if is_stale(one, state, installation.clock):
            word = "stale"
        found.append(_document(one, state, word))
    return found


def _document(feed: "Feed", state: "FeedState", word: str) -> dict[str, Any]:
    return {
        "name": feed.name,
        "state": word,
        "source": feed.source.address,
        "interval_seconds": int(feed.interval.total_seconds()),
        "snapshot": plain(state.snapshot),
        "checked_at": plain(state.checked_at),
        "whole_at": plain(state.whole_at),
        "newest": plain(state.newest),
        "skipped": state.skipped,
        "failed_at": plain(state.failed_at),
        "failure": state.failure or None,
    }


def _chosen(feeds: Sequence["Feed"], name: str | None) -> Sequence["Feed"]:
    if not feeds:
        raise InvalidSettings(["no feed is configured: set [feeds.osv] source"])
    if name is None:
        return feeds
    chosen = [one for one in feeds if one.name == name]
    if not chosen:
        raise InvalidSettings([f"there is no [feeds.{name}]{suggestion(name, (one.name for one in feeds))}"])
    return chosen


def _result(name: str, refreshed: "Refreshed | None", error: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "error": error,
        "changed": refreshed.changed if refreshed else False,
        "whole": refreshed.whole if refreshed else False,
        "skipped": refreshed.skipped if refreshed else 0,
        "snapshot": plain(refreshed.snapshot) if refreshed else None,
    }


def _synced(result: dict[str, Any]) -> list[Text]:
    if result["error"]:
        return [result["name"], "", "", Painted(f"failed: {result['error']}", "red")]
    how = "read as a whole" if result["whole"] else "changes"
    told = how if result["changed"] else "nothing"
    skipped = f", {result['skipped']} unreadable" if result["skipped"] else ""
    return [result["name"], str(result["snapshot"]["records"]), result["snapshot"]["sha256"][:12], told + skipped]


def _row(one: dict[str, Any]) -> list[Text]:
    snapshot = one["snapshot"] or {"records": "", "sha256": "", "taken_at": ""}
    colour = "green" if one["state"] == "current" else "yellow"
    return [
        one["name"],
        Painted(one["state"], colour),
        str(snapshot["records"]),
        snapshot["sha256"][:12],
        snapshot["taken_at"][:16].replace("T", " "),
        (one["checked_at"] or "")[:16].replace("T", " "),
        one["source"],
    ]


def _problems(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    if not found:
        yield "no feed is configured: set [feeds.osv] source"
    for one in found:
        if one["failure"]:
            yield f"{one['name']}: failed at {one['failed_at'][:16].replace('T', ' ')} UTC: {one['failure']}"
