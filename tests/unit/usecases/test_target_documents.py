"""Advisories, requirements and locks as targets."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.fakes.audit_log import SERVED, FakeAuditLog

from pinfold.domain.errors import InvalidDocument
from pinfold.usecases.target_documents import parse_targets

NOW = datetime(2026, 3, 25, tzinfo=UTC)
HASH = "c" * 64


def named(text: str, source: str = "requirements.txt") -> list[str]:
    return sorted(map(str, parse_targets(text, source, NOW).targets))


def advisory(**affected: object) -> str:
    package = {"ecosystem": "PyPI", "name": "LiteLLM"}
    return json.dumps(
        {"id": "MAL-2026-1", "modified": "2026-03-24T12:00:00Z", "affected": [{"package": package, **affected}]}
    )


async def resolved(text: str, *versions: str) -> list[str]:
    log = FakeAuditLog()
    for version in versions:
        await log.append(replace(SERVED, version=version))
    return sorted(map(str, await parse_targets(text, "advisory.json", NOW).resolve(log)))


def test_requirements_are_read_with_their_options_left_out() -> None:
    text = f"""
    # locked
    --index-url https://index.example/simple/
    LiteLLM[proxy]==1.82.8 ; python_version > "3.8" \\
        --hash=sha256:{HASH} \\
        --hash=sha256:{HASH}
    requests>=2,<3  # the old one
    zope.interface
    """
    assert named(text) == ["litellm==1.82.8", "requests<3,>=2", "zope-interface"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("-r other.txt", "line 1: -r leads to another file"),
        ("requests\n-c other.txt", "line 2: -c leads to another file"),
        ("requests ==", "line 1"),
        ("a\nhttps://files.example/x-1.tar.gz", "line 2"),
        ("-e .", "line 1: names no project"),
        ("", "names nothing"),
        ("# nothing", "names nothing"),
    ],
)
def test_what_cannot_be_asked_for_is_a_mistake_and_never_left_out(text: str, problem: str) -> None:
    with pytest.raises(InvalidDocument, match=problem):
        parse_targets(text, "requirements.txt", NOW)


def test_a_lock_names_its_packages_from_indexes() -> None:
    text = f"""
    lock-version = "1.0"
    created-by = "test"
    [[packages]]
    name = "litellm"
    version = "1.82.8"
    [[packages.wheels]]
    url = "https://files.example/litellm-1.82.8-py3-none-any.whl"
    hashes = {{ sha256 = "{HASH}" }}
    [[packages]]
    name = "here"
    directory = {{ path = "." }}
    """
    assert named(text, "pylock.toml") == ["litellm==1.82.8"]


@pytest.mark.parametrize(
    ("text", "source"), [("x = ", "pylock.toml"), ("x = 1", "pylock.toml"), ("{", "a.json"), ("[1]", "a.json")]
)
def test_what_is_no_such_document_is_a_mistake(text: str, source: str) -> None:
    with pytest.raises(InvalidDocument):
        parse_targets(text, source, NOW)


async def test_an_advisory_means_what_it_lists_of_what_was_asked_for() -> None:
    text = advisory(versions=["1.82.7", "1.82.8"])
    assert await resolved(text, "1.82.6", "1.82.8") == ["litellm==1.82.8"]


async def test_a_range_takes_in_the_pre_releases_of_its_fix() -> None:
    events = [{"introduced": "1.82.7"}, {"fixed": "1.83"}]
    text = advisory(ranges=[{"type": "ECOSYSTEM", "events": events}])
    assert await resolved(text, "1.82.6", "1.82.7", "1.83rc1", "1.83") == ["litellm==1.82.7", "litellm==1.83rc1"]


async def test_an_advisory_means_the_hashes_that_it_lists_under_whatever_name() -> None:
    indicators = {"indicators": {"package_integrity": [{"hashes": {"sha256": [HASH]}}]}}
    assert await resolved(advisory(database_specific=indicators)) == [f"sha256:{HASH}"]


async def test_several_advisories_may_stand_in_one_document() -> None:
    both = f"[{advisory(versions=['1'])},{advisory(versions=['2'])}]"
    assert await resolved(both, "1", "2", "3") == ["litellm==1", "litellm==2"]
