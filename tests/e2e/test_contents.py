"""Archives at work: what real pip and uv get, and are told, when what is in an archive speaks against it."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.clients import Pip, Uv

from pinfold.usecases.file_download import JUDGED_FIRST

NOW = datetime.now(UTC)
CONFIG = """
[upstreams.pypi]
url = "{upstream}"
freshness = "0s"
[indexes.contents]
policy = "{policy}"
"""
POLICY = """
[[rule]]
id = "contents"
params = { vetted_days = 30 }
"""
HOOK = {"widget_init.pth": b"import os  # in the incident, this line ran at every start of the interpreter\n"}


@pytest.fixture
def config(upstream, tmp_path):
    (tmp_path / "contents.toml").write_text(POLICY)
    return CONFIG.format(upstream=upstream.url, policy=tmp_path / "contents.toml")


def told(outcome):
    return " ".join(outcome.output.split())


def test_a_new_start_up_hook_is_refused_with_the_reason(server, upstream, tmp_path):
    upstream.add_file("widget", "1.0", upload_time=NOW - timedelta(days=90))
    upstream.add_file("widget", "1.1", upload_time=NOW - timedelta(days=5), files=HOOK)
    outcome = Pip(tmp_path / "pinned").install(server.simple("contents"), "widget==1.1")
    assert outcome.status != 0
    assert "quarantined by contents: new-start-up-hook: widget_init.pth line 1" in told(outcome), str(outcome)
    assert "unlike widget-1.0-py3-none-any.whl; last good 1.0; ref D-" in told(outcome)
    again = Pip(tmp_path / "again").install(server.simple("contents"), "widget")
    assert again.installed == {"widget": "1.0"}, str(again)


@pytest.mark.parametrize("client", [Pip, Uv], ids=lambda client: client.name)
def test_who_meets_a_large_bad_file_first_is_told_why_when_the_broken_download_is_resumed(
    client, server, upstream, tmp_path
):
    upstream.add_file("widget", "1.0", upload_time=NOW - timedelta(days=90))
    large = {"widget/data.bin": hashlib.shake_128(b"data").digest(2 * JUDGED_FIRST)}
    upstream.add_file("widget", "1.1", upload_time=NOW - timedelta(days=5), files=large | HOOK)
    outcome = client(tmp_path / "pinned").install(server.simple("contents"), "widget==1.1")
    assert outcome.installed == {}, str(outcome)
    assert "quarantined by contents: new-start-up-hook: widget_init.pth line 1" in told(outcome), str(outcome)
