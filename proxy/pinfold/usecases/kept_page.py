"""A rendered page as it is kept: with all that it was made of but the files."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self
from weakref import ref

from pinfold.domain.listing import Listing
from pinfold.index.negotiate import Encoding, Representation
from pinfold.ports.shared_pages import SharedPage
from pinfold.usecases.judged_project import JudgedProject
from pinfold.usecases.judgement import Basis, Judgement
from pinfold.usecases.list_project import Digests

PAGE_BYTES = 1024
"""What a page counts besides its body: it is kept with what it was judged on, though not with its files."""
FINDING_BYTES = 1024
"""What it counts for each file that was verified or inspected."""


class PageKey(NamedTuple):
    """What a rendered page is kept by."""

    index_name: str
    project: str
    representation: Representation
    encoding: Encoding
    root: str | None
    state: int | None = None
    """Of the project as of a moment; None for the page as it is."""


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """One representation of a page in one encoding, ready to be sent."""

    body: bytes
    etag: str
    """Quoted; covers content, decisions, representation and encoding, since it is made of the very bytes."""


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A rendered page with all that it was made of but the files, which stand for as long as their judgement does."""

    page: RenderedPage
    judgement: Judgement
    metadata: Digests
    until: datetime
    """When it may say something else, as far as time alone changes that."""
    unopposed: "ref[Listing] | None"
    """The listing that it shows all files of, and holds nothing against, whatever they are judged on."""

    @classmethod
    def of_another(cls, shared: SharedPage, basis: Basis, metadata: Digests) -> Self:
        """Return a page that another process made of the very same."""
        return cls(
            page=RenderedPage(shared.body, shared.etag),
            judgement=Judgement.of(basis, shared.changes_at, shared.to_verify),
            metadata=metadata,
            until=shared.until,
            unopposed=ref(basis.found.listing) if shared.is_unopposed else None,
        )

    def for_others(self) -> SharedPage:
        """Return what other processes need of it."""
        return SharedPage(
            body=self.page.body,
            etag=self.page.etag,
            until=self.until,
            changes_at=self.judgement.changes_at,
            is_unopposed=self.unopposed is not None,
            to_verify=self.judgement.to_verify,
        )

    @property
    def weight(self) -> int:
        """How many bytes it takes up, about."""
        return len(self.page.body) + PAGE_BYTES + FINDING_BYTES * self.judgement.grounds.size

    def says_all_of(self, project: JudgedProject) -> bool:
        """Tell whether a project that was judged anew would be rendered the same, as far as its files go."""
        return self.unopposed is not None and self.unopposed() is project.found.listing and project.is_unopposed
