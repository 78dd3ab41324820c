"""nginx sends what Pinfold has judged and recorded, and nothing else; by the configuration that is shipped."""

import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.e2e.clients import Pip, Uv
from tests.e2e.nginx import free_port, nginx
from tests.e2e.server import PinfoldServer
from tests.fakes.upstream import FakeFile, FakeUpstream, Fault

SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx" / "pinfold-files.conf"
TOLD = "X-Accel-Redirect"
STRANGER = "127.0.0.2"
"""Not among the trusted proxies."""
CONFIG = """
[server]
trusted_proxies = ["127.0.0.1"]
front_files = "/_pinfold_blobs/"
[upstreams.pypi]
url = "{url}"
freshness = "0s"
[indexes.main]
anonymous = true
[indexes.unwary]
anonymous = true
policy = "unwary.toml"
"""
UNWARY = '[[rule]]\nid = "private-name"\non_fail = "deny"\n'
"""Inspects nothing."""


class Answer:
    """What came of a request, with its whole body."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()


def ask(url: str, path: str, *, source: str = "127.0.0.1", method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, source_address=(source, 0), timeout=30)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return Answer(connection.getresponse())
    finally:
        connection.close()


@pytest.fixture
def pinfold(upstream: FakeUpstream, tmp_path: Path) -> Iterator[PinfoldServer]:
    (tmp_path / "pinfold").mkdir()
    (tmp_path / "pinfold" / "unwary.toml").write_text(UNWARY)
    with PinfoldServer(tmp_path / "pinfold", CONFIG.format(url=upstream.url)) as server:
        yield server


@pytest.fixture
def front(pinfold: PinfoldServer, tmp_path: Path) -> Iterator[str]:
    """nginx before Pinfold, without TLS."""
    folder, port, shipped = tmp_path / "nginx", free_port(), SHIPPED.read_text()
    folder.mkdir()
    assert "/var/lib/pinfold/blobs/" in shipped
    server = f"""
        server {{
            listen 127.0.0.1:{port};
            proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr;
            proxy_buffering off;
            location / {{ proxy_pass {pinfold.url}; }}
            {shipped.replace("/var/lib/pinfold/blobs/", f"{pinfold.data}/blobs/")}
        }}
        """
    with nginx(folder, port, server):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def kept(upstream: FakeUpstream, pinfold: PinfoldServer) -> FakeFile:
    """A file that is here and judged for good: somebody asked Pinfold itself for it."""
    file = upstream.add_file("widget", "1.0", files={"widget/noise.bin": bytes(range(256)) * 1000})
    assert ask(pinfold.url, path_of(file), source=STRANGER).body == file.content
    return file


def path_of(file: FakeFile) -> str:
    return f"/files/{file.project}/{file.sha256}/{file.filename}"


def senders(server: PinfoldServer) -> list[tuple[str, str | None]]:
    """Return what the log says was served, oldest first: which part, and by whom if not by Pinfold."""
    served = reversed(server.audited("--action", "file.served"))
    return [(entry["details"].get("part", "all"), entry["details"].get("sent_by")) for entry in served]


def test_nginx_sends_what_pinfold_recorded_first(front: str, pinfold: PinfoldServer, kept: FakeFile) -> None:
    answer = ask(front, path_of(kept))
    assert (answer.status, answer.body) == (200, kept.content)
    assert answer.headers["ETag"] == f'"{kept.sha256}"'
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert TOLD not in answer.headers
    assert senders(pinfold) == [("all", None), ("all", "front")]


def test_the_order_to_nginx_is_made_of_the_hash_alone_and_carries_no_bytes(
    pinfold: PinfoldServer, kept: FakeFile
) -> None:
    for path in (path_of(kept), kept.path):
        answer = ask(pinfold.url, f"{path}?x=/etc/passwd", X_Accel_Redirect="/etc/passwd", X_Original_URI="/etc/passwd")
        assert answer.headers.get_all(TOLD) == [f"/_pinfold_blobs/sha256/{kept.sha256}"]
        assert answer.body == b""


def test_a_part_is_sent_by_nginx_and_the_log_says_which_was_asked_for(
    front: str, pinfold: PinfoldServer, kept: FakeFile
) -> None:
    part = ask(front, path_of(kept), Range="bytes=100-299")
    assert (part.status, part.body) == (206, kept.content[100:300])
    assert part.headers["Content-Range"] == f"bytes 100-299/{len(kept.content)}"
    beyond = ask(front, path_of(kept), Range=f"bytes={len(kept.content)}-")
    assert beyond.status == 416
    assert senders(pinfold)[1:] == [("bytes=100-299", "front"), (f"bytes={len(kept.content)}-", "front")]


def test_conditions_are_judged_by_pinfold_and_not_by_nginx(front: str, pinfold: PinfoldServer, kept: FakeFile) -> None:
    etag = f'"{kept.sha256}"'
    part = ask(front, path_of(kept), Range="bytes=0-9", If_Range=etag)
    assert (part.status, part.body) == (206, kept.content[:10])
    other = ask(front, path_of(kept), Range="bytes=0-9", If_Range='"other"')
    assert (other.status, other.body) == (200, kept.content)
    assert ask(front, path_of(kept), If_None_Match=etag).status == 304
    dated = ask(front, path_of(kept)).headers.get("Last-Modified", "Sun, 22 Nov 2026 00:00:00 GMT")
    assert ask(front, path_of(kept), If_Modified_Since=dated).body == kept.content
    assert {sent_by for part, sent_by in senders(pinfold) if part != "all"} == {None}


def test_whoever_is_no_trusted_front_gets_the_bytes_from_pinfold(pinfold: PinfoldServer, kept: FakeFile) -> None:
    answer = ask(pinfold.url, path_of(kept), source=STRANGER, X_Forwarded_For="127.0.0.1")
    assert (answer.status, answer.body) == (200, kept.content)
    assert TOLD not in answer.headers
    assert senders(pinfold)[-1] == ("all", None)


def test_what_is_not_here_yet_is_sent_by_pinfold_and_only_then_by_nginx(
    front: str, pinfold: PinfoldServer, upstream: FakeUpstream
) -> None:
    file = upstream.add_file("gadget", "1.0")
    for _ in range(2):
        assert ask(front, path_of(file)).body == file.content
    assert senders(pinfold) == [("all", None), ("all", "front")]


def test_what_is_here_but_not_inspected_is_sent_by_pinfold(
    front: str, pinfold: PinfoldServer, upstream: FakeUpstream
) -> None:
    file = upstream.add_file("gadget", "1.0")
    for path in (f"/unwary{path_of(file)}", f"/unwary{path_of(file)}", path_of(file), path_of(file)):
        assert ask(front, path).body == file.content
    assert senders(pinfold) == [("all", None), ("all", "front"), ("all", None), ("all", "front")]


def test_what_is_inspected_and_found_bad_is_never_left_to_nginx(
    front: str, pinfold: PinfoldServer, upstream: FakeUpstream
) -> None:
    file = upstream.add_file("gadget", "1.0", files={"../../outside.py": b""})
    assert ask(front, f"/unwary{path_of(file)}").body == file.content
    for _ in range(2):
        answer = ask(front, path_of(file))
        assert (answer.status, TOLD in answer.headers) == (403, False)


def test_an_upstream_orders_nothing(front: str, pinfold: PinfoldServer, upstream: FakeUpstream) -> None:
    file, order = upstream.add_file("gadget", "1.0"), Fault(headers={TOLD: "/_pinfold_blobs/../ledger.db"})
    for where in (file, file.metadata_path, upstream.page_path("gadget")):
        upstream.befall(where, order)
    for path, sent in {"/simple/gadget/": b"gadget", f"{path_of(file)}.metadata": b"Name: gadget"}.items():
        assert sent in ask(front, path).body
        assert TOLD not in ask(pinfold.url, path).headers
    assert ask(front, path_of(file)).body == file.content


def test_what_is_refused_now_is_not_sent_though_it_is_here(front: str, pinfold: PinfoldServer, kept: FakeFile) -> None:
    assert ask(front, path_of(kept)).status == 200
    pinfold.run("quarantine", "add", "widget==1.0", "--reason", "stolen")
    wait_for_refusal(front, path_of(kept))
    refused = ask(front, path_of(kept), Range="bytes=0-9")
    assert (refused.status, TOLD in refused.headers) == (403, False)
    assert kept.content[:10] not in refused.body


@pytest.mark.parametrize(
    "path",
    [
        "/_pinfold_blobs/sha256/{sha256}",
        "/_pinfold_blobs/",
        "/%5Fpinfold_blobs/sha256/{sha256}",
        "//_pinfold_blobs/sha256/{sha256}",
        "/simple/../_pinfold_blobs/sha256/{sha256}",
        "/_pinfold_blobs/../keys/audit",
        "/_pinfold_blobs../keys/audit",
        "/_pinfold_blobs/..%2fledger.db",
        "/_pinfold_blobs/%2e%2e/ledger.db",
    ],
)
def test_nobody_asks_nginx_for_the_folder_or_for_what_lies_beside_it(front: str, kept: FakeFile, path: str) -> None:
    asked = path.format(sha256=kept.sha256)
    answer = ask(front, asked, X_Accel_Redirect=path_of(kept))
    assert answer.status in (400, 404)
    assert kept.content[:64] not in answer.body


def test_a_blob_that_is_gone_is_not_made_up(front: str, pinfold: PinfoldServer, kept: FakeFile) -> None:
    assert ask(front, path_of(kept)).status == 200
    (blob,) = pinfold.data.glob(f"blobs/sha256/{kept.sha256}")
    blob.unlink()
    answer = ask(front, path_of(kept))
    assert (answer.status, answer.body == kept.content) in [(200, True), (404, False)]


@pytest.mark.parametrize("installer", [Pip, Uv])
def test_installers_notice_nothing(front: str, kept: FakeFile, tmp_path: Path, installer: type[Pip] | type[Uv]) -> None:
    outcome = installer(tmp_path / installer.name).install(f"{front}/simple/", "widget")
    assert outcome.installed == {"widget": "1.0"}, str(outcome)


def wait_for_refusal(url: str, path: str) -> None:
    deadline = time.monotonic() + 10
    while ask(url, path).status != 403:
        assert time.monotonic() < deadline, "what is held goes on being served"
        time.sleep(0.05)
