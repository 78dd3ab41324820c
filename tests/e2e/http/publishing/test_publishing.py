"""Publishing over HTTP: what is accepted is served at once, and alone under its name."""

import hashlib
import json
from datetime import UTC, datetime

from tests.e2e.http.publishing.acme_tool import JSON, SDIST, WHEEL, page, wheel
from tests.fakes.upstream import build_sdist


async def test_a_published_wheel_is_listed_at_once_with_all_that_there_is_to_say(pinfold, publisher):
    content = wheel(requires_python=">=3.8")
    before = datetime.now(UTC)
    answer = await publisher.upload(WHEEL, content)
    assert answer.status == 200, answer
    listed = await page(pinfold)
    (file,) = listed["files"]
    assert listed["versions"] == ["1.0"]
    assert file["filename"] == WHEEL
    assert file["hashes"] == {"sha256": hashlib.sha256(content).hexdigest()}
    assert file["size"] == len(content)
    assert file["requires-python"] == ">=3.8"
    assert file["yanked"] is False
    assert before <= datetime.fromisoformat(file["upload-time"]) <= datetime.now(UTC)
    assert file["provenance"] is None
    served = await pinfold.get(file["url"].removeprefix("../.."))
    assert served.status == 200
    assert served.body == content
    metadata = await pinfold.get(file["url"].removeprefix("../..") + ".metadata")
    assert b"Name: acme-tool" in metadata.body
    assert file["core-metadata"] == {"sha256": hashlib.sha256(metadata.body).hexdigest()}


async def test_an_sdist_is_published_too(pinfold, publisher):
    content = build_sdist("acme-tool", "1.0")
    assert (await publisher.upload(SDIST, content)).status == 200
    assert (await publisher.upload(WHEEL, wheel())).status == 200
    assert [file["filename"] for file in (await page(pinfold))["files"]] == [SDIST, WHEEL]


async def test_the_page_of_what_is_published_here_is_asked_for_each_time(pinfold, publisher):
    await publisher.upload(WHEEL, wheel())
    answer = await pinfold.get("/simple/acme-tool/", Accept=JSON)
    assert answer.headers["Cache-Control"] == "max-age=0"
    again = await pinfold.get("/simple/acme-tool/", Accept=JSON, If_None_Match=answer.headers["ETag"])
    assert again.status == 304


async def test_publishing_is_audited_with_who_did_it_and_no_secret(pinfold, publisher):
    await publisher.upload(WHEEL, wheel())
    (entry,) = await pinfold.audited("file.published")
    assert (entry.index, entry.project, entry.version, entry.filename) == ("main", "acme-tool", "1.0", WHEEL)
    assert entry.actor.name == "ci"
    assert entry.actor.installer == "twine"
    (claim,) = await pinfold.audited("project.claimed")
    assert claim.project == "acme-tool"
    assert publisher.token not in repr(await pinfold.audited())


async def test_the_index_is_named_by_the_path(pinfold, publisher):
    assert (await publisher.upload(WHEEL, wheel(), "/other/legacy/")).status == 200
    assert await page(pinfold) is None
    assert len((await page(pinfold, index="/other"))["files"]) == 1
    assert (await publisher.upload(WHEEL, wheel(), "/nowhere/legacy/")).status in (403, 404)


async def test_an_index_shows_the_packages_of_another(pinfold, publisher, upstream):
    upstream.add_file("acme-tool", "9.9")
    await publisher.upload(WHEEL, wheel())
    assert (await page(pinfold, index="/prod"))["versions"] == ["1.0"]
    names = json.loads((await pinfold.get("/prod/simple/", Accept=JSON, Accept_Encoding="identity")).body)
    assert {"name": "acme-tool"} in names["projects"]


async def test_the_list_of_projects_has_a_new_one_at_once(pinfold, publisher, upstream):
    upstream.add_file("six", "1.0")
    for project in ("acme-tool", "acme-more"):
        name = project.replace("-", "_")
        await publisher.upload(f"{name}-1.0-py3-none-any.whl", wheel(project=project))
        names = json.loads((await pinfold.get("/simple/", Accept=JSON, Accept_Encoding="identity")).body)
        assert {"name": project} in names["projects"]
        assert {"name": "six"} in names["projects"]
