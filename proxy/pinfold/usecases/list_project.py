"""A judged project as the page of an index: which files it shows, and what it says of each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from weakref import ref

from msgspec import structs
from packaging.version import Version

from pinfold.domain.names import FileKind
from pinfold.domain.project import File, StatusMarker
from pinfold.index.page import ListedFile, ListedProject
from pinfold.index.render import html_entry, html_page, json_entry, json_page
from pinfold.usecases.indexes import Refusals
from pinfold.usecases.judged_files import JudgedFile
from pinfold.usecases.judged_project import JudgedProject
from pinfold.usecases.wheel_metadata import is_promised

Digests = dict[str, str | None]
"""Of metadata that was found out here, by wheel hash; None for a wheel that has none."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a page is rendered: what it says of each file by itself, and the whole."""

    entry: Callable[[ListedFile], bytes]
    page: Callable[[ListedProject, Iterable[bytes]], bytes]


JSON: Final = Form(json_entry, json_page)
HTML: Final = Form(html_entry, html_page)


class Entries:
    """What a page says in one form of files that nothing is held against, by their positions on the upstream's page.

    This is the same whatever they are judged by, for as long as listing, metadata and root stay the same. They do not
    keep the listing in memory, which has room for other ones than they have.
    """

    def __init__(self, project: JudgedProject, metadata: Digests) -> None:
        self._listing = ref(project.found.listing)
        self._metadata = metadata
        self.rendered: list[bytes | None] = [None] * len(project.files)

    def are_of(self, project: JudgedProject, metadata: Digests) -> bool:
        """Tell whether what they were made of is the same."""
        return self._listing() is project.found.listing and self._metadata is metadata

    @property
    def weight(self) -> int:
        """How many bytes they are."""
        return sum(len(entry) for entry in self.rendered if entry is not None)


@dataclass(frozen=True, slots=True)
class Lister:
    """Lists judged projects; for thousands of files that takes too long for the event loop."""

    metadata: Digests
    root: str | None
    """The index's outside address, without which a page says nothing of provenance."""
    still_here: set[str]
    """Which of the files that the upstream took away are kept here, by hash."""

    def render(self, project: JudgedProject, form: Form, entries: Entries, *, only_shown: bool = False) -> bytes | None:
        """Return the project's page, and remember entries; None where it shows no file, and there is no project.

        With `only_shown` the page lists no versions but those that it shows files of, and has to show one.
        """
        shown: list[bytes] = []
        of_shown: set[str] = set()
        rendered = entries.rendered
        for position, judged in enumerate(project.files):
            if judged.refused or judged.vanished:
                if not self._is_shown(project, judged):
                    continue
                entry = form.entry(self._opposed(project, judged))
            else:
                entry = rendered[position] or form.entry(self._unopposed(project, judged.file))
                rendered[position] = entry
            shown.append(entry)
            if judged.file.version:
                of_shown.add(judged.file.version)
        if not shown and (only_shown or project.found.listing.missing):
            return None
        upstream = project.found.listing.project
        versions = (*upstream.versions, *sorted(of_shown.difference(upstream.versions), key=Version))
        page = ListedProject(
            name=project.name,
            versions=tuple(version for version in versions if version in of_shown) if only_shown else versions,
            status=upstream.status,
            tracks=upstream.tracks,
            alternate_locations=upstream.alternate_locations,
        )
        return form.page(page, shown)

    def _is_shown(self, project: JudgedProject, judged: JudgedFile) -> bool:
        """Tell whether a file is shown that is refused, or was taken away by the upstream."""
        if judged.refused:
            return project.index.refusals is Refusals.EXPLAIN
        return judged.file.sha256 in self.still_here

    def _opposed(self, project: JudgedProject, judged: JudgedFile) -> ListedFile:
        """List a file that is refused, of which nothing is promised, or was taken away by the upstream."""
        listed = self._unopposed(project, judged.file)
        if judged.refused:
            yanked, is_unattested = project.refusal_of(judged), judged.file.provenance is True
            return structs.replace(listed, yanked=yanked, core_metadata=False, provenance=is_unattested)
        if project.found.listing.project.status.marker is StatusMarker.QUARANTINED:
            return listed
        return structs.replace(listed, yanked="removed by the upstream; kept here for those who pin it")

    def _unopposed(self, project: JudgedProject, file: File) -> ListedFile:
        return ListedFile(
            file=file,
            # Relative, so that it holds behind any front and under any index's own address.
            url=f"../../files/{project.name}/{file.sha256}/{file.filename}",
            yanked=file.yanked,
            core_metadata=self._advertised(file) if file.kind is FileKind.WHEEL else False,
            provenance=self._provenance(project, file),
        )

    def _advertised(self, wheel: File) -> str | bool:
        """Return what a page may promise of a wheel's metadata: only what will be served."""
        if wheel.sha256 in self.metadata and is_promised(wheel, self.metadata[wheel.sha256]):
            return self.metadata[wheel.sha256] or False
        return wheel.core_metadata or True

    def _provenance(self, project: JudgedProject, file: File) -> str | bool:
        """Return where this index serves a file's provenance: an absolute address, as PEP 740 wants it.

        The upstream's word that there is none is passed on.
        """
        if not isinstance(file.provenance, str):
            return file.provenance
        if self.root is None or file.version is None:
            return False
        return f"{self.root}/integrity/{project.name}/{file.version}/{file.filename}/provenance"
