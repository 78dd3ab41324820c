"""Projects are judged once for all who ask of them, and no further than somebody asks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from pinfold.domain.project import File
from pinfold.ports.clock import Clock
from pinfold.usecases.beside_the_loop import TakesLong, here_or_beside
from pinfold.usecases.inspect_ahead import likely_next
from pinfold.usecases.judge_project import judge, judge_seen
from pinfold.usecases.judged_project import JudgedProject
from pinfold.usecases.judgement import Basis
from pinfold.usecases.lru import Recalling
from pinfold.usecases.project_files import ProjectFiles
from pinfold.usecases.single_flight import OneAtATime

BYTES_IN_MEMORY: Final = 4 * 1024 * 1024
"""The budget for judged projects: 19,000 files where all are judged, 35,000 where few are, less four for each that was
asked for lately. Listings, which they hold on to, are in memory of as many files anyway."""

T = TypeVar("T")


class Judging:
    """Answers questions about projects from judgements that stand.

    A question is a function that looks at a judged project, more than once if need be, and changes nothing. What it
    looks at is judged by that, beside the event loop where it takes long, and kept for the next one.
    """

    def __init__(self, clock: Clock, begin: Callable[[JudgedProject, list[File]], None]) -> None:
        """`begin` is told of each project that is judged on new grounds, and of files that will be asked for next."""
        self._clock = clock
        self._begin = begin
        self._memory: Recalling[tuple[str, str], JudgedProject] = Recalling(BYTES_IN_MEMORY)
        self._turns: OneAtATime[tuple[str, str]] = OneAtATime()

    async def ask(self, basis: Basis, question: Callable[[JudgedProject], T]) -> tuple[JudgedProject, T]:
        """Return a project, as it is judged on a basis that was just found, with the answer to a question."""
        asked = self._asked_at_once(basis, question)
        if asked is None:
            async with self._turns.turn((basis.index.name, basis.name)):
                asked = self._asked_at_once(basis, question) or await self._asked(basis, question)
        return asked

    async def ask_more(self, project: JudgedProject, question: Callable[[JudgedProject], T]) -> T:
        """Return the answer to one more question about a project that was judged just now."""
        now = self._clock.now()
        _, answer = await here_or_beside(lambda: _answered(project, question, now))
        if self._memory.peek((project.index.name, project.name)) is project:
            self._keep(project)
        return answer

    def kept(self, basis: Basis) -> JudgedProject | None:
        """Return what was judged before, if nothing that it rests on has changed."""
        found, kept = basis.found, self._memory.get((basis.index.name, basis.name))
        if kept is None or not _still_holds(kept, basis, self._clock.now()):
            return None
        if kept.found != found:
            # Freshness moved on while everything that was judged is the same.
            kept = replace(kept, found=found)
            self._keep(kept)
        return kept

    def _asked_at_once(self, basis: Basis, question: Callable[[JudgedProject], T]) -> tuple[JudgedProject, T] | None:
        """Return the answer of what was judged before, if it stands and that takes no time."""
        kept = self.kept(basis)
        if kept is None:
            return None
        try:
            answer = question(kept)
        except TakesLong:
            return None
        # It takes up more now, or since somebody was granted a file.
        self._keep(kept)
        # What was not looked at before may have changed by itself meanwhile.
        return (kept, answer) if kept.stands_at(self._clock.now()) else None

    async def _asked(self, basis: Basis, question: Callable[[JudgedProject], T]) -> tuple[JudgedProject, T]:
        before, kept, now = self._memory.get((basis.index.name, basis.name)), self.kept(basis), self._clock.now()

        def work() -> tuple[JudgedProject, T, list[File]]:
            project, answer = _answered(kept or _judged_anew(before, basis, now), question, now)
            looks_ahead = project is not kept and basis.found.source.fetch_ahead
            return project, answer, likely_next(project) if looks_ahead else []

        project, answer, files = await here_or_beside(work)
        self._keep(project)
        if project is not kept:
            self._begin(project, files)
        return project, answer

    def _keep(self, project: JudgedProject) -> None:
        self._memory.put((project.index.name, project.name), project, project.weight)


def _answered(project: JudgedProject, question: Callable[[JudgedProject], T], now: datetime) -> tuple[JudgedProject, T]:
    """Answer a question, by a new judgement if something that was not looked at before has changed by itself."""
    answer = question(project)
    if not project.stands_at(now):
        project = _judged(project.basis, now, project.laid_out)
        answer = question(project)
    return project, answer


def _judged_anew(before: JudgedProject | None, basis: Basis, now: datetime) -> JudgedProject:
    """Judge a project on other grounds than before; what that makes no difference to is taken from there."""
    if before is None or before.found.listing is not basis.found.listing:
        return _judged(basis, now)
    return _with_more_seen(before, basis, now) or _judged(basis, now, before.laid_out)


def _judged(basis: Basis, now: datetime, laid_out: ProjectFiles | None = None) -> JudgedProject:
    return judge(basis.index, basis.name, basis.found, basis.grounds, now, laid_out)


def _still_holds(kept: JudgedProject, basis: Basis, now: datetime) -> bool:
    return (
        kept.index is basis.index
        and kept.found.listing is basis.found.listing
        and kept.found.source is basis.found.source
        and kept.grounds.stand_as(basis.grounds)
        and kept.stands_at(now)
    )


def _with_more_seen(before: JudgedProject, basis: Basis, now: datetime) -> JudgedProject | None:
    """Return what was judged before with what was seen in files since, where nothing else has changed."""
    grounds = basis.grounds
    seen_before = replace(basis, grounds=replace(grounds, contents=before.grounds.contents))
    if grounds.contents is None or not _still_holds(before, seen_before, now):
        return None
    return judge_seen(replace(before, found=basis.found), grounds.contents, now)
