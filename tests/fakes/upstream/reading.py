"""What tests ask of an upstream over and over."""

from tests.fakes.upstream.catalogue import FakeFile

from pinfold.domain.project import File
from pinfold.ports.upstream import Page, Upstream


async def page_of(upstream: Upstream, project: str) -> Page:
    """Return a project page that is there."""
    page = await upstream.project(project, None)
    assert isinstance(page, Page)
    return page


async def entry_of(upstream: Upstream, file: FakeFile) -> File:
    """Return what its project page says of a file."""
    page = await page_of(upstream, file.project)
    return next(one for one in page.project.files if one.filename == file.filename)


async def read(upstream: Upstream, file: File, first: int = 0) -> bytes:
    """Return a file's bytes, as many as were announced."""
    async with upstream.download(file, first) as download:
        content = b"".join([chunk async for chunk in download.chunks])
    assert download.length in (len(content), None)
    return content
