"""Files are judged once they are looked at, each once, and many of them never on the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from time import sleep

import pytest
from tests.fakes.clock import NOON
from tests.fakes.evidence import a_file, evidence_of

from pinfold.domain.decision import Decision, Effect
from pinfold.usecases.beside_the_loop import TakesLong, beside_the_loop, here_or_beside
from pinfold.usecases.judged_files import JudgedFile, JudgedFiles
from pinfold.usecases.project_files import IN_THREAD_ABOVE

LONG = IN_THREAD_ABOVE + 1


def a_judged_file(position: int, changes_at: datetime | None = None) -> JudgedFile:
    file = a_file(sha256=f"{position:064}")
    return JudgedFile(file, evidence_of, Decision(Effect.ALLOW, (), "", changes_at=changes_at))


class Judge:
    """Remembers at which positions it was asked for files, the later of which change the sooner."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, positions: Sequence[int]) -> list[JudgedFile]:
        self.asked += positions
        return [a_judged_file(position, NOON - timedelta(hours=position)) for position in positions]


@pytest.fixture
def judge() -> Judge:
    return Judge()


def files_of(judge: Judge, count: int) -> JudgedFiles:
    return JudgedFiles([None] * count, judge)


def test_each_is_judged_once_when_it_is_looked_at(judge: Judge) -> None:
    files = files_of(judge, 4)
    assert (len(files), files.judged, files.changes_at, judge.asked) == (4, 0, None, [])
    assert files[2] is files[2] is files[-2]
    assert (files.judged, files.changes_at, judge.asked) == (1, NOON - timedelta(hours=2), [2])
    assert list(files) == list(files)
    assert (files.are_all_judged, files.changes_at, judge.asked) == (True, NOON - timedelta(hours=3), [2, 0, 1, 3])


def test_what_is_to_be_judged_once_more_is_judged_by_another(judge: Judge) -> None:
    files = files_of(judge, 3)
    first, second = files[0], files[1]
    again = files.but([1], other := Judge())
    # The other one may go by how it was judged before.
    assert (again.judged, again.changes_at, again[0] is first) == (1, NOON - timedelta(hours=1), True)
    assert again[1] is not second
    assert (len(list(again)), other.asked, judge.asked) == (3, [1, 2], [0, 1])
    assert files[1] is second


def test_threads_that_look_at_one_find_the_same(judge: Judge) -> None:
    def giving_way(positions: Sequence[int]) -> list[JudgedFile]:
        sleep(0.01)
        return judge(positions)

    files = JudgedFiles([None] * LONG, giving_way)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: list(files), range(8)))
    assert len({tuple(map(id, each)) for each in found}) == 1
    assert judge.asked == list(range(LONG))


LOOKS: dict[str, Callable[[JudgedFiles], object]] = {
    "one": lambda files: files[0],
    "all": list,
    "for something": lambda files: next((each for each in files if each.refused), None),
    "for one": lambda files: a_judged_file(0) in files,
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
async def test_of_many_none_is_judged_on_the_event_loop(judge: Judge, look: Callable[[JudgedFiles], object]) -> None:
    files = files_of(judge, LONG)
    with pytest.raises(TakesLong):
        look(files)
    assert not judge.asked
    await beside_the_loop(lambda: look(files))
    assert judge.asked
    look(files)


async def test_few_are(judge: Judge) -> None:
    assert len(list(files_of(judge, IN_THREAD_ABOVE))) == len(judge.asked) == IN_THREAD_ABOVE


async def test_what_takes_long_is_done_beside_the_loop_and_all_else_here(judge: Judge) -> None:
    def look(files: JudgedFiles) -> bool:
        files[0]
        try:
            return asyncio.get_running_loop() is not None
        except RuntimeError:
            return False

    short, long = files_of(judge, 1), files_of(judge, LONG)
    assert [await here_or_beside(lambda: look(short)), await here_or_beside(lambda: look(long))] == [True, False]
    assert await here_or_beside(lambda: look(long)), "what was judged already takes no time"
