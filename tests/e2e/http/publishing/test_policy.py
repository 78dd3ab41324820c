"""What the policy would not let out is not let in."""

from datetime import UTC, datetime, timedelta

from tests.e2e.http.publishing.acme_tool import WHEEL, page, wheel
from tests.fakes.upstream import build_wheel

from pinfold.domain.audit_entry import Actor
from pinfold.domain.target import parse_target
from pinfold.usecases.quarantine import Quarantine
from pinfold.usecases.waive import Waive


async def test_what_the_policy_would_not_let_out_is_not_let_in(pinfold, publisher):
    hook = {"acme_tool.pth": b"import os; os.system('true')\n"}
    answer = await publisher.upload(WHEEL, build_wheel("acme-tool", "1.0", files=hook))
    assert answer.status == 400
    assert "contents" in answer.reason
    assert await page(pinfold) is None


async def test_a_waiver_lets_in_what_is_meant(pinfold, publisher):
    hook = {"acme_tool.pth": b"import os; os.system('true')\n"}
    content = build_wheel("acme-tool", "1.0", files=hook)
    waive = Waive(pinfold.installation.records, pinfold.installation.clock)
    expires = datetime.now(UTC) + timedelta(days=1)
    await waive.add(parse_target("acme-tool==1.0"), "contents", "ours", expires, Actor("kim"))
    assert (await publisher.upload(WHEEL, content)).status == 200
    (file,) = (await page(pinfold))["files"]
    assert (await pinfold.get(file["url"].removeprefix("../.."))).body == content


async def test_what_waits_for_nothing_but_time_is_let_in_and_held(pinfold, publisher, tmp_path):
    await Quarantine(pinfold.installation.records, pinfold.installation.clock).add(
        parse_target("acme-tool"), "looked into", None, Actor("kim")
    )
    assert (await publisher.upload(WHEEL, wheel())).status == 200
    (file,) = (await page(pinfold))["files"]
    assert "quarantined" in file["yanked"]
    assert (await pinfold.get(file["url"].removeprefix("../.."))).status == 403


async def test_a_release_is_compared_with_the_one_before(pinfold, publisher):
    assert (await publisher.upload(WHEEL, wheel())).status == 200
    hook = {"acme_tool.pth": b"import os; os.system('true')\n"}
    later = build_wheel("acme-tool", "1.1", files=hook)
    answer = await publisher.upload("acme_tool-1.1-py3-none-any.whl", later)
    assert answer.status == 400
    assert f"unlike {WHEEL}" in answer.reason
