"""What is answered from memory is counted, logged and decided like everything else."""

import http.client
import json
import re
import time
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.server import PinfoldServer
from tests.fakes.upstream import running_upstream

ASKED = 50


def test_requests_from_memory_are_counted_logged_and_end_with_the_decision(tmp_path: Path) -> None:
    with ExitStack() as stack, running_upstream() as upstream:
        upstream.add_file("six", "1.0")
        with PinfoldServer(tmp_path, f'[upstreams.pypi]\nurl = "{upstream.url}"\n') as server:
            connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=20)
            stack.callback(connection.close)
            pages = [_page(connection) for _ in range(ASKED)]
            assert len(set(pages)) == 1
            assert pages[0].startswith(b"{")
            assert b'"yanked":false' in pages[0]
            quarantined = time.monotonic()
            server.run("quarantine", "add", "six", "--reason", "for a test")
            while b'"yanked":false' in _page(connection):
                assert time.monotonic() < quarantined + 10
                pages.append(b"")
            pages.append(b"")
            connection.request("GET", "/metrics")
            metrics = connection.getresponse().read().decode()
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if '"request"' in line]
    told = re.search(
        r'pinfold_request_seconds_count\{method="GET",route="/simple/\{project\}/",status="200"\} (\S+)', metrics
    )
    assert told is not None
    assert int(float(told[1])) == len(pages)
    ours = [line for line in lines if line["path"] == "/simple/six/"]
    assert len(ours) == len(pages)
    assert len({json.dumps({**line, "ms": 0, "time": 0, "bytes": 0}) for line in ours}) == 1


def test_what_is_lent_from_one_client_to_another_is_logged_as_the_others(tmp_path: Path) -> None:
    with ExitStack() as stack, running_upstream() as upstream:
        upstream.add_file("six", "1.0")
        with PinfoldServer(tmp_path, f'[upstreams.pypi]\nurl = "{upstream.url}"\n') as server:
            for address in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
                where = server.url.removeprefix("http://")
                connection = http.client.HTTPConnection(where, timeout=20, source_address=(address, 0))
                stack.callback(connection.close)
                assert _page(connection).startswith(b"{")
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if '"request"' in line]
    assert [line["address"] for line in lines] == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    assert len({json.dumps({**line, "ms": 0, "time": 0, "address": ""}) for line in lines}) == 1


def _page(connection: http.client.HTTPConnection) -> bytes:
    connection.request("GET", "/simple/six/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    return connection.getresponse().read()


def test_metadata_from_memory_ends_with_the_decision(tmp_path: Path) -> None:
    with ExitStack() as stack, running_upstream() as upstream:
        file = upstream.add_file("six", "1.0")
        with PinfoldServer(tmp_path, f'[upstreams.pypi]\nurl = "{upstream.url}"\n') as server:
            connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=20)
            stack.callback(connection.close)
            path = f"/files/six/{file.sha256}/{file.filename}.metadata"
            assert {_get(connection, path) for _ in range(ASKED)} == {(200, file.metadata)}
            server.run("quarantine", "add", "six", "--reason", "for a test")
            quarantined = time.monotonic()
            while _get(connection, path)[0] == 200:
                assert time.monotonic() < quarantined + 10
            assert _get(connection, path)[0] == 403


def test_repeated_downloads_are_each_counted_logged_and_recorded_and_end_with_the_decision(tmp_path: Path) -> None:
    with ExitStack() as stack, running_upstream() as upstream:
        file = upstream.add_file("six", "1.0")
        with PinfoldServer(tmp_path, f'[upstreams.pypi]\nurl = "{upstream.url}"\n') as server:
            connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=20)
            stack.callback(connection.close)
            path = f"/files/six/{file.sha256}/{file.filename}"
            assert {_get(connection, path) for _ in range(ASKED)} == {(200, file.content)}
            connection.request("GET", "/metrics")
            metrics = connection.getresponse().read().decode()
            server.run("quarantine", "add", "six", "--reason", "for a test")
            quarantined, more = time.monotonic(), 0
            while _get(connection, path)[0] == 200:
                more += 1
                assert time.monotonic() < quarantined + 10
            found = server.run("audit", "search", "--action", "file.served", "--limit", "10000", "--json")
            server.run("audit", "verify")
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if '"request"' in line]
    entries = json.loads(found)["entries"]
    assert len(entries) == ASKED + more
    assert len({each["seq"] for each in entries}) == ASKED + more
    assert {(each["entry"]["filename"], each["entry"]["decision"]) for each in entries} == {(file.filename, "warn")}
    served = [line for line in lines if line["path"] == path and line["status"] == 200]
    assert len(served) == ASKED + more
    assert {line["bytes"] for line in served} == {len(file.content)}
    decided = re.findall(r'pinfold_decisions_total\{effect="warn",.*\} (\S+)', metrics)
    # The first one was judged once more when its contents had been seen.
    assert sum(map(float, decided)) == ASKED + 1


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read()
