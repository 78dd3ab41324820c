"""The command line, run in a folder of its own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.fakes.upstream import FakeUpstream, running_upstream

from pinfold.cli import program

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with an empty data directory in it as a server would have made it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pinfold-data").mkdir()
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    def run(*arguments: str, **options: Any) -> Result:
        result = CliRunner(env={"NO_COLOR": None}).invoke(program, arguments, prog_name="pinfold", **options)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def answer(run: Run) -> Callable[..., Any]:
    """Run a command that succeeds, and return its JSON document."""

    def answer(*arguments: str, exit_code: int = 0) -> Any:
        result = run(*arguments, "--json")
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)

    return answer


@pytest.fixture
def upstream(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeUpstream]:
    """An index that stands for PyPI."""
    with running_upstream() as fake:
        monkeypatch.setenv("PINFOLD_UPSTREAMS__PYPI__URL", fake.url)
        yield fake
