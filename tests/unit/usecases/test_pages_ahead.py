import asyncio
from typing import Any

import pytest

from pinfold.domain.errors import UpstreamError
from pinfold.policy.engine import Policy
from pinfold.usecases import pages_ahead as module
from pinfold.usecases.indexes import Index
from pinfold.usecases.pages_ahead import AT_ONCE, NEEDS, PagesAhead, needed

INDEX = Index("main", (), Policy("test", "digest", ()))


def metadata(*needs: str, body: str = "") -> bytes:
    lines = ["Metadata-Version: 2.4", "Name: widget", *(f"Requires-Dist: {need}" for need in needs), "", body]
    return "\n".join(lines).encode()


class Pages:
    """Judges pages, and waits with each until it may go on."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = asyncio.Event()

    async def judge(self, index: Index, name: str) -> Any:
        self.asked.append(name)
        await self.go.wait()
        if name == "broken":
            raise UpstreamError("the upstream is down")


@pytest.mark.parametrize(
    ("need", "names"),
    [
        ("Six", ["six"]),
        ("zope.interface>=5,<7", ["zope-interface"]),
        ("requests[socks] (>=2)", ["requests"]),
        ("colorama ; sys_platform == 'win32'", []),
        ("pytest; extra == 'test'", []),
        ("six @ https://elsewhere.example/six.whl", []),
        ("-", []),
        ("../../etc", []),
        ("six\r", ["six"]),
    ],
)
def test_what_is_needed_everywhere_is_told(need: str, names: list[str]) -> None:
    assert needed(metadata(need)) == names


def test_each_is_told_once_and_nothing_of_the_description() -> None:
    assert needed(metadata("six", "Six>1", body="Requires-Dist: other")) == ["six"]
    assert needed(metadata("six").replace(b"\n", b"\r\n") + b"\r\nRequires-Dist: other") == ["six"]
    assert needed(b"\xff\xfe") == []


@pytest.mark.parametrize("line", ["a" * 10_000_000, " " * 10_000_000, "-\nRequires-Dist: " * 500_000])
def test_lines_of_any_length_hold_up_nobody(line: str) -> None:
    """With an expression that gives back what it matched, the first would take days."""
    assert needed(metadata(f"{line};", "six")) == []


def test_a_name_of_many_letters_takes_no_longer_than_it_is() -> None:
    assert module._NEEDED.search(b"Requires-Dist: " + b"a" * 1_000_000 + b";\n") is None


def test_a_wheel_that_needs_thousands_is_not_believed() -> None:
    assert len(needed(metadata(*(f"p{number}" for number in range(10_000))))) == NEEDS


async def test_a_few_pages_are_asked_for_at_a_time_and_each_once() -> None:
    pages = Pages()
    ahead = PagesAhead(pages.judge)
    for _ in range(2):
        ahead.expect(INDEX, metadata(*(f"p{number}" for number in range(10))))
    await asyncio.sleep(0.01)
    assert len(pages.asked) == AT_ONCE
    pages.go.set()
    await asyncio.sleep(0.01)
    assert sorted(pages.asked) == sorted(f"p{number}" for number in range(10))
    await ahead.close()


async def test_no_more_than_some_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING", 5)
    pages = Pages()
    ahead = PagesAhead(pages.judge)
    ahead.expect(INDEX, metadata(*(f"p{number}" for number in range(10))))
    pages.go.set()
    await asyncio.sleep(0.01)
    assert len(pages.asked) == 5
    await ahead.close()


async def test_what_fails_is_nobodys_trouble(caplog: pytest.LogCaptureFixture) -> None:
    pages = Pages()
    pages.go.set()
    ahead = PagesAhead(pages.judge)
    ahead.expect(INDEX, metadata("broken", "six"))
    await asyncio.sleep(0.01)
    assert pages.asked == ["broken", "six"]
    assert "the page of broken is not had ahead: the upstream is down" in caplog.text
    await ahead.close()
