"""The command line, run in a folder of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.fakes.upstream import FakeUpstream, running_upstream

from pinfold.cli import program

Run = Callable[..., Result]


@dataclass
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    address: str
    announced: str

    def listens(self) -> bool:
        """Tell whether connections are accepted."""
        host, _, port = self.address.removeprefix("http://").rpartition(":")
        with socket.socket() as client:
            return client.connect_ex((host, int(port))) == 0

    def status(self, path: str) -> int:
        """Return what a request is answered with."""
        try:
            with urllib.request.urlopen(self.address + path, timeout=20) as response:
                response.read()
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


Serving = Callable[..., AbstractContextManager[Server]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with an empty data directory in it as a server would have made it."""
    monkeypatch.chdir(tmp_path)
    # OSV's own feed is out of reach for a test; one that is about feeds names its own.
    monkeypatch.setenv("PINFOLD_FEEDS__OSV__SOURCE", "")
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


@pytest.fixture
def serving(folder: Path) -> Serving:
    """Serve in the current folder on any free port, until the context is left."""

    @contextmanager
    def serving(*options: str) -> Iterator[Server]:
        command = [sys.executable, "-m", "pinfold", "serve", "--port", "0", *options]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder, env=os.environ) as process:
            assert process.stderr is not None
            # A worker may have something to log before all of them are up.
            first = next(line for line in process.stderr if " serves " in line)
            banner = [first, process.stderr.readline(), process.stderr.readline()]
            server = Server(process, banner[0].partition("serves ")[2].partition("/simple/")[0], "".join(banner))
            try:
                yield server
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=30)

    return serving
