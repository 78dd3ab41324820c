"""`pinfold alerts`."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.conftest import Run

from pinfold.adapters.sqlite.alerts import put
from pinfold.bootstrap import open_installation
from pinfold.domain.alert import Alert
from pinfold.settings import Settings

NOW = datetime.now(UTC)


@pytest.fixture
def given_up(folder: Path) -> None:
    """An alert that waits for one receiver, and was given up for another."""
    alert = Alert("A-7QK2MXAB", NOW - timedelta(hours=5), "decision.changed", "litellm\x1b[2J is refused", {"a": "b"})

    async def fill() -> None:
        async with open_installation(Settings(data=folder / "pinfold-data")) as installation:
            await installation.ledger.write(lambda database: put(database, alert, ["soc", "chat"]))
            taken = await installation.outbox.take("soc", NOW, NOW + timedelta(minutes=1))
            assert taken is not None
            await installation.outbox.failed(taken.number, "it answered 500", NOW, dead=True)

    asyncio.run(fill())


def test_nothing_pending_is_well(folder: Path, run: Run, answer: Callable[..., Any]) -> None:
    assert run("alerts", "list").stdout == "Every alert was delivered.\n"
    assert answer("alerts", "list") == {"deliveries": []}
    assert run("alerts", "retry").stdout == "Nothing was given up.\n"


@pytest.mark.usefixtures("given_up")
def test_what_was_given_up_is_shown_and_tried_again_when_asked_for(run: Run, answer: Callable[..., Any]) -> None:
    first, second = answer("alerts", "list", exit_code=1)["deliveries"]
    assert (first["receiver"], first["dead"], first["error"]) == ("soc", True, "it answered 500")
    assert (second["receiver"], second["dead"], second["alert"]["facts"]) == ("chat", False, {"a": "b"})
    told = run("alerts", "list").stdout
    assert "given up" in told
    assert "\x1b" not in told
    assert answer("alerts", "retry", "A-UNKNOWN") == {"retried": 0}
    assert answer("alerts", "retry", "a-7qk2mxab") == {"retried": 1}
    assert run("alerts", "list").exit_code == 0
