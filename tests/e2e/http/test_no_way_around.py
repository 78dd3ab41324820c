"""No route gives out a byte of a refused file, however its address is spelt and whatever headers come along."""

import gzip
import itertools
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from pinfold.domain.audit_entry import Actor
from pinfold.domain.target import parse_target
from pinfold.usecases.quarantine import Quarantine

SECRET = b"bytes-that-must-not-leave-the-pinfold"


@pytest.fixture
def overrides(overrides):
    fronted = {
        "server.trusted_proxies": ["127.0.0.1"],
        "indexes.main.anonymous": True,
        "indexes.second.anonymous": True,
    }
    return overrides | fronted | {"indexes.second.policy": "baseline"}


@pytest.fixture
def refused(upstream):
    """A young wheel whose members, metadata and provenance carry a marker, and an old one that is allowed."""
    upstream.add_file("bait", "1.0")
    return upstream.add_file(
        "bait",
        "2.0",
        upload_time=datetime.now(UTC) - timedelta(hours=1),
        files={"bait/secret.py": SECRET},
        requires_dist=[f"other; extra == '{SECRET.decode()}'"],
        provenance=b'{"version": 1, "attestation_bundles": ["' + SECRET + b'"]}',
    )


def spellings(file):
    """Every way that comes to mind of asking for one file, its metadata included."""
    name, sha = file.filename, file.sha256
    folders = ["/files/bait/" + sha, file.path.rpartition("/")[0]]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    prefixes = ["", "/main", "/second", f"/as-of/{now}", f"/second/as-of/{now}", "/as-of/2020-01-01"]
    for prefix, folder in itertools.product(prefixes, folders):
        plain = f"{prefix}{folder}/{name}"
        yield from (plain, plain + ".metadata", plain + "?x=1", plain + "#x", plain + ";x", plain + "/", plain + "/.")
        yield from (f"{prefix}{folder}//{name}", f"{prefix}/{folder}/{name}", f"{prefix}{folder}/./{name}")
        yield from (f"{prefix}{folder}/../{sha}/{name}", f"{prefix}{folder}/%2e%2e/{sha}/{name}")
        yield f"{prefix}{folder}/{''.join(f'%{ord(c):02x}' for c in name)}"
        yield f"{prefix}{folder}%2f{name}"
        yield f"{prefix}{folder}/%2f{name}"
        yield f"{prefix}{folder}/{name}%00"
        yield f"{prefix}{folder}/{name}%0d%0aX-Injected:%201"
        yield f"{prefix}{folder}/{name.upper()}"
        yield f"{prefix}{folder.upper()}/{name}"
        yield f"{prefix}{folder}/{name.replace('-', '_', 1)}"
        yield f"{prefix}{folder}/{quote(name, safe='')}.metadata.metadata"
        yield f"{prefix}{folder}\\{name}"
        yield f"http://files.example{prefix}{folder}/{name}"
    for prefix in ("", "/main", "/second", "/", "/./second"):
        for version in ("2.0", "2", "v2.0", "02.0", "2.0.0", "%32.0", "2.0/.", "1.0/../2.0", "1.0", "0!2.0", "2.0+x"):
            folder = f"{prefix}/integrity/bait/{version}"
            yield from (f"{folder}/{name}/provenance", f"{folder}/{name}/provenance/", f"{folder}//{name}/provenance")
            yield from (f"{folder}/{name}/provenance?x=1", f"{folder}/{name}%2fprovenance", f"{folder}/{name}")
            yield from (
                f"{folder}/{name}/./provenance",
                f"{folder}/{name.upper()}/provenance",
                f"{folder}/{name}%00/provenance",
            )
    for project in ("Bait", "b%61it", "bait.", "other"):
        yield f"/integrity/{project}/2.0/{name}/provenance"
    yield file.provenance_path
    for project in ("Bait", "BAIT", "b%61it", "bait%20", "bait.", "./bait", "other"):
        yield f"/files/{project}/{sha}/{name}"
    yield f"/files/bait/{sha.upper()}/{name}"
    yield f"/files/bait/{'0' * 64}/{name}"
    yield f"/simple/bait/{name}"
    yield f"/simple/bait/../../files/bait/{sha}/{name}"
    yield f"/blobs/sha256/{sha}"
    yield f"/files/bait/{sha}/" + "a" * 5000 + ".whl"


HEADERS = [
    {},
    {"Range": "bytes=0-"},
    {"Range": "bytes=-100"},
    {"Range": "bytes=0-0,5-9"},
    {"If_None_Match": "*"},
    {"If_Range": '"x"', "Range": "bytes=1-"},
    {"Accept_Encoding": "gzip, zstd"},
    {"X_Forwarded_For": "127.0.0.1", "X_Original_URL": "/healthz", "X_Rewrite_URL": "/healthz"},
    {"X_HTTP_Method_Override": "GET", "Expect": "100-continue"},
]


def shown(answer):
    body = answer.body
    if answer.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return body


async def test_no_spelling_of_a_refused_file_gives_a_byte_of_it(pinfold, refused, upstream):
    digest = refused.content[:2000]
    for path in dict.fromkeys(spellings(refused)):
        answer = await pinfold.get(path)
        assert answer.status in {301, 400, 403, 404}, f"{path}: {answer}"
        assert SECRET not in shown(answer), path
        assert digest[:100] not in answer.raw, path
        assert "X-Injected" not in answer.headers, path


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "PROPFIND"]
)
async def test_no_method_and_no_header_opens_a_refused_file(pinfold, refused, method):
    paths = [f"/files/bait/{refused.sha256}/{refused.filename}", refused.path]
    paths += [path + ".metadata" for path in paths]
    paths.append(f"/integrity/bait/2.0/{refused.filename}/provenance")
    for path, headers in itertools.product(paths, HEADERS):
        answer = await pinfold.get(path, method, **headers)
        assert answer.status in {400, 403, 404, 405, 406, 417}, f"{method} {path} {headers}: {answer}"
        assert SECRET not in shown(answer), f"{method} {path} {headers}"


async def test_bytes_that_are_kept_are_refused_as_soon_as_the_release_is(pinfold, upstream):
    file = upstream.add_file("later", "1.0", files={"later/secret.py": SECRET})
    path = f"/files/later/{file.sha256}/{file.filename}"
    served = await pinfold.get(path)
    assert served.status == 200
    assert SECRET in served.body
    quarantine = Quarantine(pinfold.installation.records, pinfold.installation.clock)
    await quarantine.add(parse_target("later"), reason="found out", reference=None, actor=Actor("somebody"))
    for asked in (path, path + ".metadata", file.path):
        for headers in [*HEADERS, {"If_None_Match": f'"{file.sha256}"'}]:
            answer = await pinfold.get(asked, **headers)
            assert answer.status == 403, f"{asked} {headers}: {answer}"
            assert SECRET not in answer.body


async def test_the_page_of_a_refused_file_does_not_promise_its_metadata(pinfold, refused):
    page = await pinfold.get("/simple/bait/", Accept="text/html")
    assert SECRET not in page.body
    (anchor,) = re.findall(rb"<a [^>]*bait-2\.0[^>]*>", page.body)
    assert b"metadata" not in anchor
    assert b"provenance" not in anchor
    assert b"data-yanked" in anchor


async def test_every_route_is_thought_of_here(pinfold):
    known = {
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/_/oidc/audience",
        "/_/oidc/mint-token",
        "/_/oidc/burn-token",
        *(
            prefix + path
            for prefix in ("", "/{index}")
            for path in (
                *(
                    moment + path
                    for moment in ("", "/as-of/{as_of}")
                    for path in (
                        "/simple/",
                        "/simple",
                        "/simple/{project}/",
                        "/simple/{project}",
                        "/files/{project}/{sha256}/{filename}",
                        "/packages/{path}",
                    )
                ),
                "/integrity/{project}/{version}/{filename}/provenance",
                "/legacy/",
                "/legacy",
            )
        ),
    }
    assert {resource.canonical for resource in pinfold.app.router.resources()} == known, (
        "a new route needs its spellings in this module before it is known here"
    )
