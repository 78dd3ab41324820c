"""Indexes as of a moment: what was uploaded later is not there, and what is there is judged as of now."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.clients import EVERY_CLIENT, Pip, Uv
from tests.e2e.in_process import in_process
from tests.e2e.server import PinfoldServer
from tests.fakes.upstream import POOR, FakeUpstream, running_upstream

from pinfold.domain.audit_entry import Actor
from pinfold.domain.target import parse_target
from pinfold.usecases.quarantine import Quarantine

JSON = "application/vnd.pypi.simple.v1+json"


def day(number: int) -> datetime:
    return datetime(2024, 3, number, 12, tzinfo=UTC)


@pytest.fixture
def overrides(overrides):
    return overrides | {"upstreams.pypi.freshness": "0s", "indexes.hiding.refusals": "hide"}


@pytest.fixture
def running(tmp_path):
    """An upstream and a server in threads and processes of their own, for installers, which block."""
    with running_upstream() as upstream:
        config = f'[upstreams.pypi]\nurl = "{upstream.url}"\n'
        with PinfoldServer(tmp_path / "pinfold", config) as server:
            yield upstream, server


@pytest.fixture
def releases(upstream):
    """Three releases on the 1st, the 5th and the 9th, and a wheel that joined the first on the 9th."""
    return [
        upstream.add_file("six", "1.0", upload_time=day(1), sdist=True),
        upstream.add_file("six", "2.0", upload_time=day(5)),
        upstream.add_file("six", "1.0", upload_time=day(9)),
        upstream.add_file("six", "3.0", upload_time=day(9)),
    ]


async def page(pinfold, moment, index="", project="six"):
    return await pinfold.get(f"{index}/as-of/{moment}/simple/{project}/", Accept=JSON)


async def listed(pinfold, moment, index="", project="six"):
    answer = await page(pinfold, moment, index, project)
    assert answer.status == 200, answer
    return [file["filename"] for file in json.loads(answer.body)["files"]]


SDIST, SECOND, WHEEL, THIRD = (
    "six-1.0.tar.gz",
    *(f"six-{version}-py3-none-any.whl" for version in ("2.0", "1.0", "3.0")),
)


@pytest.mark.parametrize(
    ("moment", "files"),
    [
        ("2024-03-02", [SDIST]),
        ("2024-03-05", [SDIST]),
        ("2024-03-06", [SDIST, SECOND]),
        ("2024-03-05T12:00:00Z", [SDIST, SECOND]),
        ("2024-03-05T11:59:59.999999Z", [SDIST]),
        ("2024-03-05T13:59:59+02:00", [SDIST]),
        ("2024-03-05T14:00:00%2B02:00", [SDIST, SECOND]),
        ("2024-03-10", [SDIST, SECOND, WHEEL, THIRD]),
    ],
)
@pytest.mark.parametrize("index", ["", "/main"])
async def test_a_page_has_what_was_uploaded_by_then_and_no_more(pinfold, releases, moment, files, index):
    assert await listed(pinfold, moment, index) == files
    versions = json.loads((await page(pinfold, moment, index)).body)["versions"]
    assert set(versions) == {name.split("-")[1].removesuffix(".tar.gz") for name in files}


async def test_a_project_that_did_not_exist_yet_is_not_there(pinfold, releases):
    answer = await page(pinfold, "2024-02-29")
    assert answer.status == 404
    assert answer.reason == "pinfold: index main had no file of six at 2024-02-29 00:00 UTC"


@pytest.mark.parametrize(
    "moment",
    ["2024-3-1", "yesterday", "20240301", "2024-W10", "2024-02-30", "2024-03-01T12", "2024-03-01T12:00:00",
     "2024-03-01%2012:00:00Z", "2024-03-01T12:00:00Z%00", "%0d%0aX-Injected:%201", "0000-00-00", "-2024-03-01",
     "0001-01-01T00:00:00+23:59", "%D9%A2024-03-01", "2024-03-01T25:00:00Z"],
)  # fmt: skip
async def test_nonsense_is_told_what_a_moment_is(pinfold, releases, moment):
    six = releases[0]
    for path in ("simple/", "simple/six/", f"files/six/{six.sha256}/{six.filename}", six.path[1:]):
        answer = await pinfold.get(f"/as-of/{moment}/{path}")
        assert answer.status == 400, (path, answer)
        assert "is no moment: write /as-of/2026-03-01/" in answer.reason
        assert "X-Injected" not in answer.headers


async def test_the_future_has_not_come_yet(pinfold, releases):
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    assert (await page(pinfold, tomorrow)).status == 400
    assert "has not come yet" in (await page(pinfold, "9999-12-31")).reason
    assert len(await listed(pinfold, datetime.now(UTC).strftime("%Y-%m-%d"))) == 4


async def test_a_files_address_checks_the_time_too(pinfold, releases):
    old, new = releases[0], releases[3]
    for file, status in ((old, 200), (new, 404)):
        for path in (f"files/six/{file.sha256}/{file.filename}", file.path[1:]):
            answer = await pinfold.get(f"/main/as-of/2024-03-06/{path}")
            assert answer.status == status, (path, answer)
            assert (file.content in answer.raw) is (status == 200)
    metadata = await pinfold.get(f"/as-of/2024-03-06/files/six/{new.sha256}/{new.filename}.metadata")
    assert metadata.status == 404
    assert metadata.reason == f"pinfold: index main had no file {new.filename} at 2024-03-06 00:00 UTC"
    assert {entry.details["as_of"] for entry in await pinfold.audited("file.served")} == {"2024-03-06T00:00:00+00:00"}


async def test_todays_decisions_hold(pinfold, releases):
    quarantine = Quarantine(pinfold.installation.records, pinfold.installation.clock)
    await quarantine.add(parse_target("six==2.0"), "found bad since", None, Actor("somebody"))
    files = {file["filename"]: file for file in json.loads((await page(pinfold, "2024-03-06")).body)["files"]}
    assert "found bad since" in files[SECOND]["yanked"]
    assert "last good 1.0;" in files[SECOND]["yanked"]
    assert files[SDIST]["yanked"] is False
    assert await listed(pinfold, "2024-03-06", "/hiding") == [SDIST]
    second = releases[1]
    refused = await pinfold.get(f"/as-of/2024-03-06/files/six/{second.sha256}/{second.filename}")
    assert refused.status == 403
    assert "last good 1.0;" in refused.reason


async def test_pages_of_one_state_share_an_etag_and_others_do_not(pinfold, releases):
    etags = {
        moment: (await page(pinfold, moment)).headers["ETag"] for moment in ("2024-03-06", "2024-03-07", "2024-03-10")
    }
    assert etags["2024-03-06"] == etags["2024-03-07"] != etags["2024-03-10"]
    again = await pinfold.get(
        "/as-of/2024-03-08/simple/six/", Accept=JSON, If_None_Match=etags["2024-03-06"]
    )  # fmt: skip
    assert again.status == 304
    present = await pinfold.get("/simple/six/", Accept=JSON)
    assert len(json.loads(present.body)["files"]) == 4


async def test_the_etag_changes_with_a_decision(pinfold, releases):
    before = (await page(pinfold, "2024-03-06")).headers["ETag"]
    quarantine = Quarantine(pinfold.installation.records, pinfold.installation.clock)
    await quarantine.add(parse_target("six==2.0"), "found bad since", None, Actor("somebody"))
    assert (await page(pinfold, "2024-03-06")).headers["ETag"] != before


async def test_without_upload_times_a_file_was_there_when_it_was_first_seen_here(tmp_path):
    async with FakeUpstream(POOR) as upstream:
        upstream.add_file("six", "1.0")
        async with in_process(tmp_path / "data", {"upstreams.pypi.url": upstream.url}) as pinfold:
            assert (await page(pinfold, "2024-03-06")).status == 404
            now = datetime.now(UTC)
            assert await listed(pinfold, now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")) == [WHEEL]


async def test_what_the_upstream_took_away_before_was_not_there_and_what_went_later_was(pinfold, upstream):
    kept, gone = (
        upstream.add_file("six", "1.0", upload_time=day(1)),
        upstream.add_file("six", "2.0", upload_time=day(1)),
    )
    await pinfold.get(f"/files/six/{gone.sha256}/{gone.filename}")
    upstream.remove_file(gone)
    assert len(await listed(pinfold, "2024-03-06")) == 2
    after = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert await listed(pinfold, after) == [kept.filename]


async def test_the_list_of_projects_and_redirects_stay_below_the_moment(pinfold, releases):
    names = await pinfold.get("/main/as-of/2024-03-06/simple/", Accept=JSON)
    assert [project["name"] for project in json.loads(names.body)["projects"]] == ["six"]
    for path, to in (("simple", "simple/"), ("simple/Six/", "../six/"), ("simple/six", "six/")):
        answer = await pinfold.get(f"/main/as-of/2024-03-06/{path}")
        assert (answer.status, answer.headers["Location"]) == (301, to)


@pytest.mark.parametrize("installer", EVERY_CLIENT, ids=lambda client: client.name)
def test_real_installers_rebuild_an_old_state(installer, running, tmp_path):
    upstream, server = running
    for number, (library, tool) in enumerate([("1.0", "1.0"), ("2.0", "1.1"), ("3.0", "2.0")]):
        upstream.add_file("library", library, upload_time=day(1 + 4 * number))
        upstream.add_file("tool", tool, upload_time=day(2 + 4 * number), requires_dist=["library"])
    outcome = installer(tmp_path / "client").install(f"{server.url}/main/as-of/2024-03-08/simple/", "tool")
    assert outcome.status == 0, str(outcome)
    assert outcome.installed == {"tool": "1.1", "library": "2.0"}, str(outcome)


def test_uv_tells_what_is_wrong_with_a_moment_and_pip_finds_nothing(running, tmp_path):
    _, server = running
    for installer, told in ((Uv, "400"), (Pip, "No matching distribution found")):
        outcome = installer(tmp_path / installer.name).install(f"{server.url}/as-of/2024-3-8/simple/", "tool")
        assert outcome.status != 0
        assert told in outcome.output, str(outcome)
