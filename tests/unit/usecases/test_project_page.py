"""What rendered pages cost memory; what they say is tested over HTTP."""

import pytest
from tests.e2e.in_process import in_process
from tests.fakes.upstream import FakeUpstream

from pinfold.index.negotiate import Encoding, Representation
from pinfold.usecases import project_page


async def test_a_page_counts_for_the_files_that_it_keeps_in_memory(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_page, "BYTES_IN_MEMORY", 3 * project_page.FILE_BYTES + 1024)
    async with FakeUpstream() as upstream:
        for project in ("one", "other"):
            upstream.add_file(project, "1.0")
            upstream.add_file(project, "2.0")
        async with in_process(tmp_path / "data", {"upstreams.pypi.url": upstream.url}) as pinfold:
            pages, index = pinfold.installation.pages, pinfold.installation.indexes["main"]

            async def page_of(project: str) -> project_page.RenderedPage:
                answer = await pages.get(index, project, Representation.JSON, Encoding.GZIP)
                assert answer is not None
                return answer.page

            first = await page_of("one")
            assert await page_of("one") is first
            assert len(first.body) < project_page.FILE_BYTES, "the bodies alone would have room side by side"
            await page_of("other")
            assert await page_of("one") is not first
