"""Whether an index would serve every file of a lock, and what else it would."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import groupby
from typing import Any

from packaging.version import Version

from pinfold.domain.errors import UpstreamError
from pinfold.domain.names import parse_version
from pinfold.domain.pins import Pin, in_order
from pinfold.ports.blobs import Blobs
from pinfold.usecases.decide import Gate
from pinfold.usecases.indexes import Index
from pinfold.usecases.judged_files import JudgedFile
from pinfold.usecases.judged_project import JudgedProject
from pinfold.usecases.settle import judged_for_good

AT_ONCE = 8
"""Projects that are looked at at a time: upstreams are asked politely."""

Progress = Callable[[int, int], None]
"""Told how many projects were looked at so far, and how many there are."""


class Answer(StrEnum):
    """What an index would do with a locked file."""

    SERVED = "served"
    REFUSED = "refused"
    MISSING = "missing"
    """There is no such file, or no more."""
    UNKNOWN = "unknown"
    """The upstream fails, so that nobody can tell."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One locked file."""

    pin: Pin
    answer: Answer
    why: str = ""
    rule: str | None = None
    """The rule that refuses it."""
    to_inspect: bool = False
    """It was never inspected: that is done when somebody first asks for it."""


@dataclass(frozen=True)
class CheckedRelease:
    """The locked files of one release."""

    project: str
    version: str
    files: tuple[CheckedFile, ...]
    nearest: str | None = None
    """Where not every file is served: the newest release before this one that is served whole, or the next after it."""

    @cached_property
    def failing(self) -> tuple[CheckedFile, ...]:
        """The files that would not be served."""
        return tuple(file for file in self.files if file.answer is not Answer.SERVED)


class CheckLock:
    """Asks the gate for every file of a lock, as requests for them would."""

    def __init__(self, gate: Gate, blobs: Blobs) -> None:
        self._gate = gate
        self._blobs = blobs

    async def check(self, index: Index, pins: Iterable[Pin], progress: Progress) -> list[CheckedRelease]:
        """Return what would become of each file, by release. Raises StoreError."""
        by_project = {name: list(group) for name, group in groupby(in_order(pins), key=lambda pin: pin.project)}
        turns, done = asyncio.Semaphore(AT_ONCE), 0

        async def check(name: str, pins: Sequence[Pin]) -> list[CheckedRelease]:
            nonlocal done
            async with turns:
                checked = await self._project(index, name, pins)
            done += 1
            progress(done, len(by_project))
            return checked

        checked = await asyncio.gather(*(check(name, pins) for name, pins in by_project.items()))
        return [release for releases in checked for release in releases]

    async def _project(self, index: Index, name: str, pins: Sequence[Pin]) -> list[CheckedRelease]:
        try:
            project = await self._gate.judge_project(index, name)
        except UpstreamError as error:
            return _all_alike(pins, Answer.UNKNOWN, str(error))
        if project is None:
            return _all_alike(pins, Answer.MISSING, f"no upstream of index {index.name} has a project {name}")
        gone = {judged.file.sha256 for judged in project.files if judged.vanished}
        kept = await self._blobs.among(gone) if gone else gone
        checked = [await self._file(project, pin, gone - kept) for pin in pins]
        # What was established for single files may have changed what stands of the others.
        project = await self._gate.judge_project(index, name) or project
        return [
            CheckedRelease(name, version, files, _nearest(project, version, files))
            for version, files in _by_version(checked)
        ]

    async def _file(self, project: JudgedProject, pin: Pin, lost: set[str]) -> CheckedFile:
        judged = _find(project, pin)
        if judged is None:
            return CheckedFile(pin, Answer.MISSING, f"{project.name} has no such file")
        try:
            judged = await judged_for_good(self._gate, project, judged)
        except UpstreamError as error:
            return CheckedFile(pin, Answer.UNKNOWN, str(error))
        if judged.refused:
            deciding = judged.decision.deciding
            rule = deciding.rule if deciding else None
            return CheckedFile(pin, Answer.REFUSED, f"{rule}: {deciding.finding.reason}" if deciding else "", rule)
        if pin.sha256 in lost:
            return CheckedFile(pin, Answer.MISSING, "the upstream took it away, and it is not kept here")
        return CheckedFile(pin, Answer.SERVED, to_inspect=project.awaits_inspection(judged))


def report_document(index: Index, releases: Sequence[CheckedRelease]) -> dict[str, Any]:
    """Return what was found out as plain data."""
    return {
        "index": index.name,
        "served": not any(release.failing for release in releases),
        "releases": [
            {
                "project": release.project,
                "version": release.version,
                "served": not release.failing,
                "nearest": release.nearest,
                "files": [
                    {
                        "filename": file.pin.filename,
                        "sha256": file.pin.sha256,
                        "answer": file.answer.value,
                        "rule": file.rule,
                        "why": file.why or None,
                        "to_inspect": file.to_inspect,
                    }
                    for file in release.files
                ],
            }
            for release in releases
        ],
    }


def _find(project: JudgedProject, pin: Pin) -> JudgedFile | None:
    if pin.filename is not None and (found := project.find(pin.filename, pin.sha256)) is not None:
        return found if pin.admits(found.file) else None
    return next((judged for judged in project.files if pin.admits(judged.file)), None)


def _all_alike(pins: Sequence[Pin], answer: Answer, why: str) -> list[CheckedRelease]:
    checked = [CheckedFile(pin, answer, why) for pin in pins]
    return [CheckedRelease(pins[0].project, version, files) for version, files in _by_version(checked)]


def _by_version(files: Iterable[CheckedFile]) -> list[tuple[str, tuple[CheckedFile, ...]]]:
    return [(version, tuple(group)) for version, group in groupby(files, key=lambda file: file.pin.version)]


def _nearest(project: JudgedProject, version: str, files: Sequence[CheckedFile]) -> str | None:
    wanted = parse_version(version)
    if wanted is None or all(file.answer is Answer.SERVED for file in files):
        return None
    whole: dict[Version, bool] = {}
    for judged in project.files:
        parsed = parse_version(judged.file.version) if judged.file.version and not judged.vanished else None
        if parsed is not None:
            whole[parsed] = whole.get(parsed, True) and not judged.refused and judged.file.yanked is None
    offered = [
        each for each, is_whole in whole.items() if is_whole and (wanted.is_prerelease or not each.is_prerelease)
    ]
    before, after = [each for each in offered if each < wanted], [each for each in offered if each > wanted]
    return str(max(before)) if before else str(min(after)) if after else None
