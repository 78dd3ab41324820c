"""What exists already is answered as PyPI answers it, and brings back the bytes that were lost."""

import asyncio
import hashlib

import pytest
from tests.e2e.http.publishing.acme_tool import SDIST, WHEEL, page, wheel
from tests.e2e.publisher import Publisher
from tests.fakes.upstream import build_sdist, build_wheel

from pinfold.domain.audit_entry import Actor
from pinfold.domain.target import parse_target
from pinfold.usecases.packages import Packages


async def test_the_very_same_file_again_is_fine(pinfold, publisher):
    await publisher.upload(WHEEL, wheel())
    again = await publisher.upload(WHEEL, wheel())
    assert again.status == 200
    assert len(await pinfold.audited("file.published")) == 1
    assert len((await page(pinfold))["files"]) == 1


@pytest.mark.parametrize("filename", [WHEEL, "Acme_Tool-1.0.0-py3-none-any.whl", "acme_tool-1.0-PY3-none-any.whl"])
async def test_other_bytes_under_a_name_however_spelt_already_exist(pinfold, publisher, filename):
    await publisher.upload(WHEEL, wheel())
    other = build_wheel("acme-tool", "1.0", files={"acme_tool/other.py": b"x = 1\n"})
    answer = await publisher.upload(filename, other)
    assert answer.status == 400
    assert "File already exists" in answer.reason
    (file,) = (await page(pinfold))["files"]
    assert file["hashes"]["sha256"] == hashlib.sha256(wheel()).hexdigest()
    (entry,) = await pinfold.audited("file.publish-refused")
    assert "already exists" in entry.details["reason"]


async def test_there_is_one_sdist_to_a_release(pinfold, publisher):
    await publisher.upload(SDIST, build_sdist("acme-tool", "1.0"))
    answer = await publisher.upload("acme-tool-1.0.0.zip", b"PK")
    assert answer.status == 400


async def test_of_two_uploads_at_once_one_wins_and_the_other_hears_so(pinfold, publisher):
    contents = [build_wheel("acme-tool", "1.0", files={"acme_tool/n.py": b"n = %d\n" % number}) for number in range(4)]
    answers = await asyncio.gather(*(publisher.upload(WHEEL, content) for content in contents))
    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400]
    winner = next(content for content, answer in zip(contents, answers, strict=True) if answer.status == 200)
    (file,) = (await page(pinfold))["files"]
    assert file["hashes"]["sha256"] == hashlib.sha256(winner).hexdigest()
    assert all("already exists" in answer.reason for answer in answers if answer.status == 400)


async def test_the_same_upload_twice_at_once_is_one(pinfold, publisher):
    answers = await asyncio.gather(*(publisher.upload(WHEEL, wheel()) for _ in range(3)))
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert len(await pinfold.audited("file.published")) == 1


async def test_bytes_that_are_damaged_are_not_served_and_not_lost(pinfold, publisher):
    await publisher.upload(WHEEL, wheel())
    (file,) = (await page(pinfold))["files"]
    path = await pinfold.installation.blobs.find(file["hashes"]["sha256"])
    path.chmod(0o600)
    path.write_bytes(b"damaged")
    answer = await pinfold.get(file["url"].removeprefix("../.."))
    assert answer.status == 502
    assert "restore the blob" in answer.reason
    assert path.with_name(f"{path.name}.damaged").read_bytes() == b"damaged"


def lose(path):
    path.unlink()


def damage(path):
    path.chmod(0o600)
    path.write_bytes(b"damaged")


@pytest.mark.parametrize("befall", [lose, damage])
async def test_the_very_same_file_again_brings_lost_bytes_back_and_changes_nothing_else(pinfold, publisher, befall):
    blobs, content = pinfold.installation.blobs, wheel()
    await publisher.upload(WHEEL, content)
    before = await page(pinfold)
    (file,) = before["files"]
    url = file["url"].removeprefix("../..")
    for sha256 in (file["hashes"]["sha256"], file["core-metadata"]["sha256"]):
        befall(await blobs.find(sha256))
    assert (await pinfold.get(url)).status == 502
    other = await Publisher.of(pinfold, "somebody-else")
    again = await other.upload(WHEEL, content)
    assert again.status == 200
    assert again.body.decode() == f"restored: {WHEEL} sha256:{hashlib.sha256(content).hexdigest()}\n"
    assert await page(pinfold) == before
    assert (await pinfold.get(url)).body == content
    metadata = await pinfold.get(url + ".metadata")
    assert hashlib.sha256(metadata.body).hexdigest() == file["core-metadata"]["sha256"]
    (entry,) = await pinfold.audited("file.restored")
    assert (entry.index, entry.project, entry.version, entry.filename) == ("main", "acme-tool", "1.0", WHEEL)
    assert (entry.sha256, entry.actor.name) == (hashlib.sha256(content).hexdigest(), "somebody-else")
    assert len(await pinfold.audited("file.published")) == 1
    assert (await publisher.upload(WHEEL, content)).body.startswith(b"published before: ")
    assert len(await pinfold.audited("file.restored")) == 1


async def test_lost_bytes_are_brought_back_by_nothing_but_the_very_same(pinfold, publisher):
    await publisher.upload(WHEEL, wheel())
    (file,) = (await page(pinfold))["files"]
    (await pinfold.installation.blobs.find(file["hashes"]["sha256"])).unlink()
    other = build_wheel("acme-tool", "1.0", files={"acme_tool/other.py": b"x = 1\n"})
    assert (await publisher.upload(WHEEL, other)).status == 400
    assert (await publisher.upload(WHEEL, wheel(), sha256_digest="0" * 64)).status == 400
    stranger = await Publisher.of(pinfold, "stranger", projects=("acme-other",))
    assert (await stranger.upload(WHEEL, wheel())).status == 403
    assert (await pinfold.get(file["url"].removeprefix("../.."))).status == 502
    assert await pinfold.audited("file.restored") == []


async def test_what_was_deleted_is_not_brought_back(pinfold, publisher):
    await publisher.upload(WHEEL, wheel())
    (file,) = (await page(pinfold))["files"]
    packages = Packages(pinfold.installation.published, pinfold.installation.clock)
    await packages.delete("main", parse_target("acme-tool"), "held a password", Actor("kim"))
    path = await pinfold.installation.blobs.find(file["hashes"]["sha256"])
    path.unlink()
    answer = await publisher.upload(WHEEL, wheel())
    assert (answer.status, "since been deleted" in answer.reason) == (400, True)
    assert not path.exists()
