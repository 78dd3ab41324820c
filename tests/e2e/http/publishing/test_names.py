"""Names that are claimed: nobody outside hears them, and nobody here loses one unawares."""

from tests.e2e.http.publishing.acme_tool import WHEEL, page, wheel
from tests.e2e.publisher import Publisher


async def test_claiming_a_name_that_exists_upstream_warns(pinfold, publisher, upstream):
    upstream.add_file("requests", "2.0")
    answer = await publisher.upload("requests-3.0-py3-none-any.whl", wheel("3.0", "requests"))
    assert answer.status == 200
    assert b"warning: pypi has a project requests, too" in answer.body
    (claim,) = await pinfold.audited("project.claimed")
    assert claim.details["namesakes"] == ["pypi"]
    assert (await page(pinfold, "requests"))["versions"] == ["3.0"]
    assert (await page(pinfold, "requests", "/other"))["versions"] == ["2.0"]


async def test_who_may_publish_on_one_index_takes_no_name_away_from_another(pinfold, upstream):
    upstream.add_file("requests", "2.0")
    assert await page(pinfold, "requests")
    upstream.requests.clear()
    publisher = await Publisher.of(pinfold, "sandbox", indexes=("sandbox",))
    answer = await publisher.upload("requests-3.0-py3-none-any.whl", wheel("3.0", "requests"), "/sandbox/legacy/")
    assert b"warning: pypi has a project requests, too" in answer.body
    assert upstream.requests == []
    assert (await page(pinfold, "requests"))["versions"] == ["2.0"]
    assert (await page(pinfold, "requests", "/sandbox"))["versions"] == ["3.0"]


async def test_a_reserved_name_is_not_told_to_anybody(pinfold, publisher, upstream):
    upstream.add_file("acme-tool", "9.9")
    answer = await publisher.upload(WHEEL, wheel())
    assert b"warning" not in answer.body
    for index in ("", "/prod", "/other", "/main"):
        await page(pinfold, index=index)
    await pinfold.get(f"/packages/aa/bb/{WHEEL}")
    assert upstream.requests == []


async def test_a_name_is_asked_for_once_and_never_after_it_was_claimed(pinfold, publisher, upstream):
    answer = await publisher.upload("widget-1.0-py3-none-any.whl", wheel(project="widget"))
    assert b"warning" not in answer.body
    asked = [request.path for request in upstream.requests]
    assert len(asked) == 1
    upstream.add_file("widget", "9.9")
    await publisher.upload("widget-1.1-py3-none-any.whl", wheel("1.1", "widget"))
    for index in ("", "/other", "/prod"):
        found = await page(pinfold, "widget", index)
        assert found is None or found["versions"] == ["1.0", "1.1"]
    assert [request.path for request in upstream.requests] == asked


async def test_what_one_index_keeps_to_itself_another_does_not_tell(pinfold, publisher, upstream):
    upstream.add_file("acme-tool", "9.9")
    for path in ("/other/legacy/", "/legacy/", "/prod/legacy/"):
        answer = await publisher.upload(WHEEL, wheel(), path)
        assert answer.status == 200
        assert b"warning" not in answer.body
    await publisher.upload("widget-1.0-py3-none-any.whl", wheel(project="widget"))
    asked = len(upstream.requests)
    await publisher.upload("widget-1.0-py3-none-any.whl", wheel(project="widget"), "/other/legacy/")
    assert len(upstream.requests) == asked == 1


async def test_an_upstream_that_cannot_be_asked_is_warned_of(pinfold, publisher, upstream):
    await upstream.__aexit__(None, None, None)
    answer = await publisher.upload("widget-1.0-py3-none-any.whl", wheel(project="widget"))
    await upstream.__aenter__()
    assert answer.status == 200
    assert b"could not be asked" in answer.body
