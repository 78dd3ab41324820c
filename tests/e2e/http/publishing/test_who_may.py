"""Who may publish, and what."""

import pytest
from tests.e2e.http.publishing.acme_tool import WHEEL, page, wheel
from tests.e2e.publisher import Publisher
from tests.fakes.uploads import body_of, fields_of

from pinfold.domain.access import Role


async def test_nobody_publishes_without_a_token(pinfold, publisher, upstream):
    nobody = Publisher(pinfold, "")
    answer = await nobody.send(body_of(fields_of(WHEEL, wheel()), WHEEL, wheel()), Authorization="")
    assert answer.status in (401, 403)
    wrong = await Publisher(pinfold, "pinfold_" + "a" * 66).upload(WHEEL, wheel())
    assert wrong.status in (401, 403)
    reader = await Publisher.of(pinfold, "reader", Role.READER)
    assert (await reader.upload(WHEEL, wheel())).status == 403
    assert await page(pinfold) is None


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ({"projects": ("acme-*",)}, True),
        ({"projects": ("acme-other",)}, False),
        ({"indexes": ("other",)}, False),
        ({"indexes": ("main",), "projects": ("acme-tool",)}, True),
    ],
)
async def test_a_token_publishes_what_it_is_for(pinfold, scope, allowed):
    publisher = await Publisher.of(pinfold, **scope)
    answer = await publisher.upload(WHEEL, wheel())
    assert answer.status == (200 if allowed else 403), answer
    assert (await page(pinfold) is not None) is allowed


async def test_the_project_that_counts_is_the_one_that_is_published(pinfold):
    publisher = await Publisher.of(pinfold, projects=("acme-mine",))
    for changes in ({"name": "acme-mine"}, {"name": "acme_tool"}):
        assert (await publisher.upload(WHEEL, wheel(), **changes)).status in (400, 403)
    content = body_of({}, WHEEL, wheel()).replace(b"--b0undary--\r\n", b"")
    late = (
        content
        + body_of(fields_of(WHEEL, wheel()), "x", b"").partition(
            b'--b0undary\r\nContent-Disposition: form-data; name="content"'
        )[0]
    )
    assert (await publisher.send(late + b"--b0undary--\r\n")).status == 403
    assert await page(pinfold) is None
