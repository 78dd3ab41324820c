"""Temporary files of tests: in memory where that can be, although pytest asked for their folder before."""

import os
import tempfile
from pathlib import Path

import pytest
from tests import scratch


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is taken for one in memory."""
    monkeypatch.setattr(scratch, "memory", lambda: tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", "/elsewhere")
    return tmp_path


def test_they_are_made_in_memory_here_and_in_what_is_started(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    scratch.work_in_memory()
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(memory)


@pytest.mark.usefixtures("memory")
def test_they_are_made_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"TMPDIR": "/asked/for"})
    scratch.work_in_memory()
    assert (tempfile.tempdir, os.environ["TMPDIR"]) == ("/elsewhere", "/asked/for")
