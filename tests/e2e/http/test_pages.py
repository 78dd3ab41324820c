"""Project pages over the wire: negotiated, conditional, honest about failing upstreams, and judged anew each time."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest
from backports import zstd
from tests.e2e.in_process import in_process
from tests.fakes.upstream import POOR, FakeUpstream, Fault

from pinfold.domain.audit_entry import Actor
from pinfold.domain.target import parse_target
from pinfold.usecases.quarantine import Quarantine

JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture
def overrides(overrides):
    return overrides | {"upstreams.pypi.freshness": "0s"}


async def listed(pinfold, project, index=""):
    answer = await pinfold.get(f"{index}/simple/{project}/", Accept=JSON)
    assert answer.status == 200, answer
    return {file["filename"]: file for file in json.loads(answer.body)["files"]}


async def hold(pinfold, target):
    quarantine = Quarantine(pinfold.installation.records, pinfold.installation.clock)
    return await quarantine.add(parse_target(target), "found bad", None, Actor("somebody"))


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (JSON, JSON),
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+html; charset=utf-8"),
        ("text/html", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        (f"{JSON}, text/html;q=0.1", JSON),
        (f"{JSON};q=0.1, text/html", "text/html; charset=utf-8"),
    ],
)
async def test_a_page_comes_in_the_representation_that_is_asked_for(pinfold, upstream, accept, content_type):
    upstream.add_file("six", "1.0")
    answer = await pinfold.get("/simple/six/", Accept=accept)
    assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)
    assert answer.headers["Vary"] == "Accept, Accept-Encoding"


async def test_a_type_that_does_not_exist_is_not_acceptable(pinfold, upstream):
    upstream.add_file("six", "1.0")
    answer = await pinfold.get("/simple/six/", Accept="image/png")
    assert answer.status == 406
    assert JSON in answer.reason


@pytest.mark.parametrize(("coding", "unpack"), [("gzip", gzip.decompress), ("zstd", zstd.decompress)])
async def test_a_page_is_compressed_for_whoever_asks(pinfold, upstream, coding, unpack):
    upstream.add_file("six", "1.0")
    plain = await pinfold.get("/simple/six/", Accept=JSON)
    packed = await pinfold.get("/simple/six/", Accept=JSON, Accept_Encoding=coding)
    assert packed.headers["Content-Encoding"] == coding
    assert unpack(packed.body) == plain.body
    assert packed.headers["ETag"] != plain.headers["ETag"]


async def test_an_unchanged_page_is_not_sent_again_and_a_new_decision_is_a_change(pinfold, upstream):
    upstream.add_file("six", "1.0")
    etag = (await pinfold.get("/simple/six/")).headers["ETag"]
    again = await pinfold.get("/simple/six/", If_None_Match=etag)
    assert (again.status, again.body) == (304, b"")
    await hold(pinfold, "six")
    changed = await pinfold.get("/simple/six/", If_None_Match=etag)
    assert changed.status == 200
    assert b"found bad" in changed.body


async def test_head_of_a_page_is_its_get_without_the_body(pinfold, upstream):
    upstream.add_file("six", "1.0")
    got, head = await pinfold.get("/simple/six/"), await pinfold.get("/simple/six/", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(got.body))
    assert head.headers["ETag"] == got.headers["ETag"]


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/simple/Foo_Bar/", "../foo-bar/"),
        ("/simple/Foo.Bar", "foo-bar/"),
        ("/simple/foo-bar", "foo-bar/"),
        ("/main/simple/FOO/", "../foo/"),
        ("/simple", "simple/"),
    ],
)
async def test_other_spellings_are_redirected_within_the_index(pinfold, path, location):
    answer = await pinfold.get(path)
    assert (answer.status, answer.headers["Location"]) == (301, location)


@pytest.mark.parametrize(
    "path",
    [
        "/simple/..%2f..%2fetc/",
        "/simple/%2e%2e/",
        "/simple/foo%00/",
        "/simple/foo%0d%0aSet-Cookie:%20x/",
        "/simple//foo/",
        "//simple/foo/",
        "/simple/-foo-/",
        "/simple/f%C3%B6o/",
        "/simple/" + "a" * 300 + "/",
        "/simple/<script>/",
        "/nowhere/simple/six/",
        "/SIMPLE/six/",
        "/nothing",
    ],
)
async def test_odd_paths_are_no_projects(pinfold, upstream, path):
    answer = await pinfold.get(path)
    assert answer.status in {400, 404}
    assert "Set-Cookie" not in answer.headers
    assert "html" not in answer.headers["Content-Type"]
    assert upstream.requests == []


async def test_an_unknown_project_is_not_found_and_not_asked_for_again_at_once(upstream, tmp_path):
    async with in_process(tmp_path / "data", {"upstreams.pypi.url": upstream.url}) as pinfold:
        for _ in range(3):
            answer = await pinfold.get("/simple/nothing/")
            assert answer.status == 404
            assert "has a project nothing" in answer.reason
        assert len(upstream.requests_for("/simple/nothing/")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=403),
        Fault(reset=True),
        Fault(content=b"{"),
        Fault(content=b"<html>", headers={"Content-Type": JSON}),
        Fault(truncate_at=10),
        Fault(redirect_to="/simple/six/"),
    ],
    ids=lambda fault: str({name: value for name, value in vars(fault).items() if value}),
)
async def test_an_upstream_that_fails_is_not_one_that_lacks_the_project(pinfold, upstream, fault):
    upstream.add_file("six", "1.0")
    upstream.befall("/simple/six/", fault)
    answer = await pinfold.get("/simple/six/")
    assert answer.status == 502
    assert answer.reason.startswith("pinfold: ")


async def test_a_known_page_is_served_stale_while_the_upstream_fails_and_judged_as_of_now(pinfold, upstream):
    file = upstream.add_file("six", "1.0")
    await listed(pinfold, "six")
    upstream.befall("/simple/six/", Fault(status=503))
    answer = await pinfold.get("/simple/six/", Accept=JSON)
    assert answer.status == 200
    assert answer.headers["Warning"].startswith("111 ")
    assert "Age" in answer.headers
    await hold(pinfold, "six==1.0")
    assert (await listed(pinfold, "six"))[file.filename]["yanked"].startswith("pinfold: quarantined")
    metrics = (await pinfold.get("/metrics")).body.decode()
    assert 'pinfold_stale_pages_total{upstream="pypi"}' in metrics


async def test_a_file_that_the_upstream_took_away_while_young_is_refused_with_the_reason(pinfold, upstream):
    young = upstream.add_file("bad", "2.0", upload_time=datetime.now(UTC) - timedelta(hours=2))
    upstream.add_file("bad", "1.0")
    await listed(pinfold, "bad")
    upstream.remove_file(young)
    entry = (await listed(pinfold, "bad"))[young.filename]
    assert "by vanished" in entry["yanked"]
    answer = await pinfold.get(f"/files/bad/{young.sha256}/{young.filename}")
    assert (answer.status, "by vanished" in answer.reason) == (403, True)


async def test_an_old_file_that_was_taken_away_is_kept_for_those_who_pin_it(pinfold, upstream):
    old = upstream.add_file("left", "1.0")
    # No later release, which would be inspected ahead: a look at the upstream that began before the removal is shared.
    upstream.add_file("left", "0.9")
    path = f"/files/left/{old.sha256}/{old.filename}"
    assert (await pinfold.get(path)).status == 200
    upstream.remove_file(old)
    assert (await listed(pinfold, "left"))[old.filename]["yanked"] == (
        "removed by the upstream; kept here for those who pin it"
    )
    assert (await pinfold.get(path)).body == old.content


async def test_what_was_vetted_survives_the_quarantine_of_its_project_upstream(pinfold, upstream):
    old = upstream.add_file("held", "1.0")
    young = upstream.add_file("held", "2.0", upload_time=datetime.now(UTC) - timedelta(hours=1))
    assert (await pinfold.get(f"/files/held/{old.sha256}/{old.filename}")).status == 200
    upstream.remove_file(old)
    upstream.remove_file(young)
    upstream.set_status("held", "quarantined", "reported as malware")
    files = await listed(pinfold, "held")
    assert files[old.filename]["yanked"] is False
    assert files[young.filename]["yanked"].startswith("pinfold: ")
    assert (await pinfold.get(f"/files/held/{old.sha256}/{old.filename}")).body == old.content


async def test_new_bytes_under_an_old_name_are_denied_and_the_first_ones_stay(pinfold, upstream):
    file = upstream.add_file("swap", "1.0")
    first, content = file.sha256, file.content
    assert (await pinfold.get(f"/files/swap/{first}/{file.filename}")).status == 200
    upstream.replace_content(file, b"PK other bytes")
    entry = (await listed(pinfold, "swap"))[file.filename]
    assert "denied by hash-changed" in entry["yanked"]
    assert (await pinfold.get(f"/files/swap/{file.sha256}/{file.filename}")).status == 403
    assert (await pinfold.get(f"/files/swap/{first}/{file.filename}")).body == content


async def test_a_private_name_is_never_asked_of_a_public_upstream(upstream, overrides, tmp_path):
    upstream.add_file("acme-tools", "99.0")
    async with FakeUpstream() as corporate:
        ours = corporate.add_file("acme-tools", "1.0")
        overrides |= {
            "upstreams.corp.url": corporate.url,
            "upstreams.corp.private": True,
            "indexes.main.upstreams": ["pypi", "corp"],
            "indexes.main.private": ["acme-*"],
        }
        async with in_process(tmp_path / "data", overrides) as pinfold:
            assert list(await listed(pinfold, "acme-tools")) == [ours.filename]
            missing = await pinfold.get("/simple/acme-unheard-of/")
    assert missing.status == 404
    assert "private to this organisation" in missing.reason
    assert upstream.requests == []


async def test_the_first_upstream_that_has_a_project_provides_it_alone(upstream, overrides, tmp_path):
    async with FakeUpstream() as second:
        mine = upstream.add_file("both", "1.0")
        second.add_file("both", "2.0")
        theirs = second.add_file("theirs", "1.0")
        overrides |= {"upstreams.second.url": second.url, "indexes.main.upstreams": ["pypi", "second"]}
        async with in_process(tmp_path / "data", overrides) as pinfold:
            assert list(await listed(pinfold, "both")) == [mine.filename]
            assert list(await listed(pinfold, "theirs")) == [theirs.filename]
            upstream.befall("/simple/unknown/", Fault(status=500))
            second.add_file("unknown", "1.0")
            # An upstream that fails might have the project: what follows it is not asked in its place.
            assert (await pinfold.get("/simple/unknown/")).status == 502
            assert second.requests_for("/simple/unknown/") == []


async def test_an_index_without_upload_times_is_not_taken_for_old(tmp_path):
    async with FakeUpstream(POOR) as poor:
        file = poor.add_file("six", "1.0")
        async with in_process(tmp_path / "data", {"upstreams.pypi.url": poor.url}) as pinfold:
            entry = (await listed(pinfold, "six"))[file.filename]
            assert "states no upload time" in entry["yanked"]
            assert (await pinfold.get(f"/files/six/{file.sha256}/{file.filename}")).status == 403


async def test_the_list_of_projects(pinfold, upstream):
    upstream.add_file("six", "1.0")
    upstream.add_file("Seven_Up", "1.0")
    answer = await pinfold.get("/simple/", Accept=JSON)
    assert [project["name"] for project in json.loads(answer.body)["projects"]] == ["seven-up", "six"]
    packed = await pinfold.get("/simple/", Accept=JSON, Accept_Encoding="gzip")
    assert gzip.decompress(packed.body) == answer.body
    assert (await pinfold.get("/simple/", Accept=JSON, If_None_Match=packed.headers["ETag"])).status == 304
    assert b'<a href="six/">six</a>' in (await pinfold.get("/simple/")).body


async def test_operators_see_decisions_by_rule_and_effect(pinfold, upstream):
    young = upstream.add_file("six", "2.0", upload_time=datetime.now(UTC))
    await pinfold.get(f"/files/six/{young.sha256}/{young.filename}")
    metrics = (await pinfold.get("/metrics")).body.decode()
    assert 'pinfold_decisions_total{effect="quarantine",index="main",rule="minimum-age"} 1.0' in metrics
    assert 'pinfold_upstream_seconds_count{kind="page",outcome="ok",upstream="pypi"} 1.0' in metrics
    assert (await pinfold.get("/healthz")).status == 200
    assert (await pinfold.get("/readyz")).status == 200


@pytest.mark.parametrize("path", ["/readyz", "/simple/six/", f"/files/six/{'0' * 64}/six-1.tar.gz"])
async def test_why_the_store_fails_is_told_by_the_log_alone(pinfold, tmp_path, path, caplog):
    await pinfold.installation.ledger.close()
    caplog.clear()
    answer = await pinfold.get(path)
    assert answer.status == 503
    assert answer.reason == "pinfold: nothing can be decided or recorded now; the server's log has the details"
    assert json.loads(answer.body)["detail"] == answer.headers["X-Error-Message"] == answer.reason
    assert str(tmp_path).encode() not in answer.raw
    assert f"{tmp_path}/data/ledger.db takes no more work" in caplog.text
