"""Publishing over HTTP: what is accepted is served at once and alone, what is not leaves nothing but an entry."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.in_process import in_process
from tests.e2e.publisher import Publisher
from tests.fakes.sigstore import Break, GitHubIdentity, LocalSigstore
from tests.fakes.uploads import body_of, fields_of
from tests.fakes.upstream import FakeUpstream, build_sdist, build_wheel

from pinfold.domain.access import Role
from pinfold.domain.audit_entry import Actor
from pinfold.domain.target import parse_target
from pinfold.ports.audit_log import AuditQuery
from pinfold.usecases.packages import Packages
from pinfold.usecases.quarantine import Quarantine
from pinfold.usecases.waive import Waive

JSON = "application/vnd.pypi.simple.v1+json"
WHEEL, SDIST = "acme_tool-1.0-py3-none-any.whl", "acme_tool-1.0.tar.gz"


@pytest.fixture(scope="module")
def sigstore(tmp_path_factory):
    return LocalSigstore(tmp_path_factory.mktemp("sigstore"))


@pytest.fixture
async def upstream():
    async with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
async def pinfold(upstream, sigstore, tmp_path):
    overrides = {
        "upstreams.pypi.url": upstream.url,
        "upstreams.pypi.freshness": "0s",
        "sigstore.trusted_root": str(sigstore.trusted_root_path),
        "indexes.main.private": "acme-*",
        "indexes.other.private": "",
        "indexes.prod.packages_from": "main",
        "indexes.sandbox.upstreams": "",
        "publishing.max_file_size": "3MB",
        "publishing.idle_timeout": "1s",
        "feeds.osv.source": "",
    }
    async with in_process(tmp_path / "data", overrides) as pinfold:
        yield pinfold


@pytest.fixture
async def publisher(pinfold):
    return await Publisher.of(pinfold)


async def page(pinfold, project="acme-tool", index=""):
    answer = await pinfold.get(f"{index}/simple/{project}/", Accept=JSON)
    return json.loads(answer.body) if answer.status == 200 else None


async def audited(pinfold, action="file.published"):
    found = await pinfold.installation.audit_log.search(AuditQuery(action=action))
    return [recorded.entry for recorded in found]


def wheel(version="1.0", project="acme-tool", **options):
    return build_wheel(project, version, **options)


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
    (entry,) = await audited(pinfold)
    assert (entry.index, entry.project, entry.version, entry.filename) == ("main", "acme-tool", "1.0", WHEEL)
    assert entry.actor.name == "ci"
    assert entry.actor.installer == "twine"
    (claim,) = await audited(pinfold, "project.claimed")
    assert claim.project == "acme-tool"
    everything = repr(await pinfold.installation.audit_log.search(AuditQuery()))
    assert publisher.token not in everything


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


# What exists already, as PyPI answers it.


async def test_the_very_same_file_again_is_fine(pinfold, publisher):
    await publisher.upload(WHEEL, wheel())
    again = await publisher.upload(WHEEL, wheel())
    assert again.status == 200
    assert len(await audited(pinfold)) == 1
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
    (entry,) = await audited(pinfold, "file.publish-refused")
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
    assert len(await audited(pinfold)) == 1


# Who may.


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


# Names.


async def test_claiming_a_name_that_exists_upstream_warns(pinfold, publisher, upstream):
    upstream.add_file("requests", "2.0")
    answer = await publisher.upload("requests-3.0-py3-none-any.whl", wheel("3.0", "requests"))
    assert answer.status == 200
    assert b"warning: pypi has a project requests, too" in answer.body
    (claim,) = await audited(pinfold, "project.claimed")
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


# Attestations.


async def test_attestations_are_verified_and_served_as_provenance(pinfold, publisher, sigstore):
    content = wheel()
    attestation = sigstore.attest(WHEEL, hashlib.sha256(content).hexdigest(), at=datetime.now(UTC))
    answer = await publisher.upload(WHEEL, content, attestations=json.dumps([attestation]))
    assert answer.status == 200, answer
    (file,) = (await page(pinfold))["files"]
    path = "/" + file["provenance"].partition("://")[2].partition("/")[2]
    provenance = await pinfold.get(path)
    document = json.loads(provenance.body)
    (bundle,) = document["attestation_bundles"]
    assert bundle["attestations"] == [attestation]
    identity = GitHubIdentity()
    assert bundle["publisher"]["kind"] == "GitHub"
    assert bundle["publisher"]["repository"] == identity.publisher()["repository"]
    assert document["version"] == 1
    (entry,) = await audited(pinfold)
    assert entry.details["attested"] is True


@pytest.mark.parametrize(
    "attestations",
    [
        lambda sigstore, sha256: [sigstore.attest(WHEEL, "0" * 64, at=datetime.now(UTC))],
        lambda sigstore, sha256: [sigstore.attest("other-1.0-py3-none-any.whl", sha256, at=datetime.now(UTC))],
        lambda sigstore, sha256: [sigstore.attest(WHEEL, sha256, at=datetime.now(UTC), broken=[Break.SIGNATURE])],
        lambda sigstore, sha256: [sigstore.attest(WHEEL, sha256, at=datetime.now(UTC), broken=[Break.CHAIN])],
        lambda sigstore, sha256: [],
        lambda sigstore, sha256: {},
        lambda sigstore, sha256: [{}],
        lambda sigstore, sha256: [sigstore.attest(WHEEL, sha256, at=datetime.now(UTC))] * 9,
        lambda sigstore, sha256: [[[[]]]],
        lambda sigstore, sha256: "\x00",
    ],
)
async def test_attestations_that_do_not_hold_refuse_the_upload(pinfold, publisher, sigstore, attestations):
    sha256 = hashlib.sha256(wheel()).hexdigest()
    answer = await publisher.upload(WHEEL, wheel(), attestations=json.dumps(attestations(sigstore, sha256)))
    assert answer.status == 400, answer
    assert "attestations" in answer.reason
    assert await page(pinfold) is None


# Policy.


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
    (entry,) = await audited(pinfold, "file.restored")
    assert (entry.index, entry.project, entry.version, entry.filename) == ("main", "acme-tool", "1.0", WHEEL)
    assert (entry.sha256, entry.actor.name) == (hashlib.sha256(content).hexdigest(), "somebody-else")
    assert len(await audited(pinfold)) == 1
    assert (await publisher.upload(WHEEL, content)).body.startswith(b"published before: ")
    assert len(await audited(pinfold, "file.restored")) == 1


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
    assert await audited(pinfold, "file.restored") == []


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
