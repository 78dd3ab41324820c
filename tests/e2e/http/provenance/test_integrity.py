"""Provenance over HTTP: PyPI's answers at absolute addresses."""

import json
import re

import pytest
from pypi_simple import ProjectPage
from pypi_simple.pep691 import Project
from tests.e2e.http.addresses import integrity
from tests.e2e.http.provenance.attested import JSON, entries
from tests.e2e.in_process import in_process

INTEGRITY = "application/vnd.pypi.integrity.v1+json"


def page_request(host):
    lines = ["GET /simple/widget/ HTTP/1.1", f"Host: {host}", f"Accept: {JSON}", "Accept-Encoding: identity"]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


async def test_provenance_is_served_as_its_upstream_made_it_under_every_index(pinfold, release):
    file = release("1.0")
    for prefix in ("", "/main", "/age"):
        answer = await pinfold.get(prefix + integrity(file))
        assert (answer.status, answer.body) == (200, file.provenance)
        assert answer.headers["Content-Type"] == INTEGRITY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = await pinfold.get(integrity(file), If_None_Match=answer.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    head = await pinfold.get(integrity(file), "HEAD")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", INTEGRITY),
        ("application/*", INTEGRITY),
        (f"application/json;q=0.5, {INTEGRITY}", INTEGRITY),
        ("application/json", "application/json"),
        (f"application/json, {INTEGRITY};q=0.1", "application/json"),
    ],
)
async def test_clients_choose_what_it_is_called(accept, content_type, pinfold, release):
    answer = await pinfold.get(integrity(release("1.0")), Accept=accept)
    assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)


async def test_what_is_not_there_is_said_in_pypis_words(pinfold, release):
    bare = release("1.0", None)
    answer = await pinfold.get(integrity(bare))
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json")
    assert json.loads(answer.body) == {"message": f"No provenance available for {bare.filename}"}
    html = await pinfold.get(integrity(release("1.1")), Accept="text/html")
    assert (html.status, json.loads(html.body)) == (406, {"message": "Request not acceptable"})
    for path in (
        "/integrity/widget/9.9/widget-9.9-py3-none-any.whl/provenance",
        integrity(bare).replace("1.0", "1.1", 1),
    ):
        assert (await pinfold.get(path)).status == 404


async def test_the_same_release_in_other_words_is_the_same(pinfold, release):
    file = release("1.0")
    for path in (
        integrity(file).replace("/widget/", "/Widget/"),
        integrity(file).replace("/1.0/", "/1.0.0/").replace("1.0.0", "v1.0"),
    ):
        assert (await pinfold.get(path)).status == 200, path


async def test_pages_name_provenance_by_absolute_addresses_that_clients_take(pinfold, release):
    attested, bare = release("1.0"), release("2.0", None)
    answer = await pinfold.get("/simple/widget/", Accept=JSON, Accept_Encoding="identity")
    page = ProjectPage.from_json_data(json.loads(answer.body), "http://localhost/simple/widget/")
    assert [package.provenance_url for package in page.packages] == [
        f"http://localhost{integrity(attested)}",
        None,
    ]
    assert Project.model_validate_json(answer.body).files[1].provenance is None
    html = await pinfold.get("/age/simple/widget/", Accept="text/html", Accept_Encoding="identity")
    assert re.findall(rb'data-provenance="([^"]*)"', html.body) == [
        f"http://localhost/age{integrity(attested)}".encode()
    ]
    assert (await entries(pinfold))[bare.filename]["provenance"] is None


@pytest.fixture
async def behind_a_front(overrides, tmp_path):
    """A server that may be reached by any name."""
    overrides |= {"server.trusted_proxies": ["192.0.2.1"], "indexes.main.anonymous": True}
    async with in_process(tmp_path / "data", overrides) as pinfold:
        yield pinfold


async def test_an_address_belongs_to_the_host_that_was_asked(behind_a_front, release):
    release("1.0")
    urls = set()
    for host in ("a.example", "b.example:8080", "a.example"):
        answer = await behind_a_front.send(page_request(host))
        (entry,) = json.loads(answer.body)["files"]
        assert entry["provenance"].startswith(f"http://{host}/integrity/")
        urls.add(entry["provenance"])
    assert len(urls) == 2


@pytest.mark.parametrize(
    "host", ['a"><script>', "a b", "user@evil.example", "evil.example/path", "a%0d", "", "x" * 300, "é"]
)
async def test_a_host_that_is_none_gets_no_address(host, behind_a_front, release):
    release("1.0")
    answer = await behind_a_front.send(page_request(host))
    assert answer.status in {200, 400}
    if answer.status == 200:
        (entry,) = json.loads(answer.body)["files"]
        assert "provenance" not in entry or re.fullmatch(r"http://[A-Za-z0-9.:-]+/integrity/.*", entry["provenance"])


async def test_the_configured_address_counts_whatever_the_client_says(overrides, release, tmp_path):
    file = release("1.0")
    overrides |= {"server.base_url": "https://pypi.acme.example/mirror/"}
    overrides |= {"indexes.main.anonymous": True, "indexes.age.anonymous": True}
    async with in_process(tmp_path / "data", overrides) as pinfold:
        found = await entries(pinfold)
        assert found[file.filename]["provenance"] == f"https://pypi.acme.example/mirror{integrity(file)}"
        found = await entries(pinfold, "/age")
        assert found[file.filename]["provenance"] == f"https://pypi.acme.example/mirror/age{integrity(file)}"


async def test_a_refused_file_has_no_provenance_here(pinfold, release):
    file = release("1.0", days=0.1)
    for prefix in ("", "/age"):
        answer = await pinfold.get(prefix + integrity(file))
        assert answer.status == 403
        assert "minimum-age" in answer.reason
        assert "provenance" not in (await entries(pinfold, prefix))[file.filename]
