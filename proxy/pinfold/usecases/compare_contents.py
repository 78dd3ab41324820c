"""Reports become evidence: each is compared with an earlier release that this index lets through."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from pinfold.domain.evidence import Item, Known, Unknown
from pinfold.domain.inspection import Inspection, Observation, Report
from pinfold.domain.project import File
from pinfold.inspection import compare
from pinfold.ports.report_store import Inspected
from pinfold.usecases.inspections import Contents
from pinfold.usecases.previous_releases import PreviousReleases
from pinfold.usecases.project_files import ProjectFiles
from pinfold.usecases.provenances import FileKey, key_of

_NOT_YET = Unknown("not inspected yet")


@dataclass(frozen=True)
class ProjectInspections:
    """What is known of the content of a project's files in one index, for policies that ask for it."""

    contents: Contents
    known: Mapping[FileKey, Item[Inspection]] = field(default_factory=dict)

    @property
    def alike(self) -> Unknown | None:
        """What is known of each file, where that is the same for want of any inspection."""
        return None if self.known or self.contents.inspected else _NOT_YET

    def of(self, file: File) -> Item[Inspection]:
        """Return what is known of one file's content; what its page lists no more is compared with nothing."""
        key = key_of(file)
        if (known := self.known.get(key)) is not None:
            return known
        inspected = self.contents.inspected.get(key)
        return Known(_evidence(inspected, None, _grave(inspected.report))) if inspected else _NOT_YET

    def failing(self, file: File, why: Unknown) -> Self:
        """Return the same with one file of which nothing could be found out."""
        return replace(self, known={**self.known, key_of(file): why})


class Comparison:
    """Compares the inspected files of a project, earlier releases first.

    `is_allowed` tells of a position among the files whether this index lets it through, and `is_settled` whether the
    inspection of it has led to a judgement: what is compared with must not itself wait for being compared.
    """

    def __init__(
        self,
        project: ProjectFiles,
        contents: Contents,
        is_allowed: Callable[[int], bool],
        is_settled: Callable[[int], bool],
    ) -> None:
        self._project = project
        self._contents = contents
        self._is_allowed = is_allowed
        self._is_settled = is_settled
        self._inspected = inspected_in(project, contents)
        self._among_inspected = PreviousReleases(project.files, self._inspected)

    def order(self) -> list[int]:
        """Return the positions of the files that were inspected, in the order in which they must be compared."""
        return self._project.releases.order(self._inspected)

    def inspection_of(self, position: int) -> Inspection:
        """Return the evidence that a report leads to."""
        file = self._project.files[position]
        inspected = self._contents.inspected[key_of(file)]
        return _evidence(inspected, *self._news(file, inspected.report))

    def _news(self, file: File, report: Report) -> tuple[str | None, tuple[Observation, ...] | None]:
        """Return what is new, and against which file.

        An earlier file that was inspected will do as long as nothing grave is new against it; before something is held
        against a release, the one right before it has to be known.
        """
        files = self._project.files
        nearest = next(filter(self._is_allowed, self._project.releases.before(file)), None)
        known = filter(self._is_allowed, self._among_inspected.before(file))
        other = next(filter(self._is_settled, known), None)
        if other is not None:
            news = tuple(compare(report, self._contents.inspected[key_of(files[other])].report))
            if other == nearest or not any(each.grade.refuses for each in news):
                return files[other].filename, news
        grave = _grave(report)
        return (files[nearest].filename, None) if nearest is not None and grave else (None, grave)


def inspected_in(project: ProjectFiles, contents: Contents) -> list[int]:
    """Return the positions of the files of a project that were inspected."""
    named = ((project.named(filename), sha256) for filename, sha256 in contents.inspected)
    return sorted(at for at, sha256 in named if at is not None and project.files[at].sha256 == sha256)


def _grave(report: Report) -> tuple[Observation, ...]:
    return tuple(trait.observation for trait in report.grave_traits)


def _evidence(inspected: Inspected, previous: str | None, news: tuple[Observation, ...] | None) -> Inspection:
    report = inspected.report
    return Inspection(report.inspector, report.observations, inspected.again_at, previous, news)
