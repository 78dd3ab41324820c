"""Uploads that mean harm by their names and forms: each is answered with what is wrong, and leaves nothing behind."""

import asyncio
import gzip
import itertools
import json
import time

import pytest
from tests.e2e.http.publishing.hostile.archives import GOOD, METADATA, WHEEL, with_recorded_metadata
from tests.e2e.publisher import Publisher
from tests.fakes.uploads import BOUNDARY, CONTENT_TYPE, body_of, fields_of, part

from pinfold.domain.audit_entry import Actor
from pinfold.usecases.tokens import Tokens

JSON = "application/vnd.pypi.simple.v1+json"
END = f"--{BOUNDARY}--\r\n".encode()


def head_of(publisher: Publisher, length: int) -> bytes:
    return (
        f"POST /legacy/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {publisher.token}\r\n"
        f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


# File names.

NAMES = [
    "../acme_tool-1.0-py3-none-any.whl",
    "/etc/acme_tool-1.0-py3-none-any.whl",
    "..\\acme_tool-1.0-py3-none-any.whl",
    "acme_tool-1.0-py3-none-any.whl/../../x.whl",
    "acme_tool-1.0-py3-none-any.whl\\0.whl",
    "acme_tool-1.0-py3-none-any.whl ",
    "acme_tool-1.0-py3-none-any.whl%00",
    "acme_tool\u202e-1.0-py3-none-any.whl",
    "\u0430cme_tool-1.0-py3-none-any.whl",
    "acme_tool-1.0-py3-none-any.whl<script>",
    "acme_tool-1.0-py3-none-any.exe",
    "acme_tool-1.0-py3-none-any.whl.exe",
    "acme_tool-1.0.tar.bz2",
    "acme_tool-1.0-py3-none-any",
    "acme_tool--py3-none-any.whl",
    "a" * 300 + "-1.0-py3-none-any.whl",
    ".whl",
    "",
    "CON-1.0-py3-none-any.whl",
    "\udcff-1.0-py3-none-any.whl",
]


@pytest.mark.parametrize("filename", NAMES)
async def test_no_file_name_leads_anywhere(publisher, nothing_stays, filename):
    answer = await publisher.send(body_of(fields_of(WHEEL, GOOD), filename, GOOD))
    assert answer.status == 400, answer
    assert "\n" not in answer.reason
    assert answer.reason.isascii()


@pytest.mark.parametrize(
    "disposition",
    [
        'form-data; name="content"; filename="a.whl"; filename="acme_tool-1.0-py3-none-any.whl"',
        "form-data; name=\"content\"; filename*=utf-8''..%2Facme_tool-1.0-py3-none-any.whl",
        "form-data; name=\"content\"; filename*=nonsense''acme%FF",
        'form-data; name="content"',
        'form-data; name=content; filename="\\"',
        'form-data; name="content"; filename="acme_tool-1.0-py3-none-any.whl\x7f"',
        'form-data; name="con\x00tent"; filename="x"',
        "form-data",
        "",
        ";;;=;",
        "attachment; filename=x",
    ],
)
async def test_no_disposition_leads_anywhere(publisher, nothing_stays, disposition):
    head = body_of(fields_of(WHEEL, GOOD), WHEEL, b"").partition(
        b'--b0undary\r\nContent-Disposition: form-data; name="content"'
    )[0]
    answer = await publisher.send(head + part(disposition, GOOD) + END)
    assert answer.status == 400, answer


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "acme-other"},
        {"name": "acme"},
        {"name": "requests"},
        {"name": ""},
        {"name": None},
        {"name": "acme_tool\r\nX-Injected: 1"},
        {"name": "../acme"},
        {"name": "\u0430cme-tool"},
        {"version": "1.1"},
        {"version": "1.0.post1"},
        {"version": ""},
        {"version": None},
        {"version": "1.0<script>"},
        {"version": "9" * 4000},
        {"filetype": "sdist"},
        {"filetype": "bdist_egg"},
        {"requires_python": ">=3.99"},
        {"requires_python": "nonsense"},
        {"sha256_digest": "0" * 64},
        {"md5_digest": "0" * 32},
        {"blake2_256_digest": "x"},
        {":action": "doc_upload"},
        {":action": None},
        {"protocol_version": "2"},
        {"name": "x" * 5000},
        {"attestations": "[" * 100_000},
    ],
)
async def test_a_form_that_contradicts_its_file_is_refused(publisher, nothing_stays, changes):
    answer = await publisher.upload(WHEEL, GOOD, **changes)
    assert answer.status in (400, 413), answer
    assert "X-Injected" not in answer.headers


# What is around the file.


async def test_a_file_beyond_the_limit_is_not_taken_in(publisher, nothing_stays):
    answer = await publisher.upload(WHEEL, GOOD + b"\0" * 2_000_000)
    assert answer.status == 413, answer


async def test_thousands_of_parts_are_not_read(publisher, nothing_stays):
    fields = itertools.chain(fields_of(WHEEL, GOOD).items(), (("classifiers", "x") for _ in range(5000)))
    assert (await publisher.send(body_of(list(fields), WHEEL, GOOD))).status == 413


async def test_a_thousand_classifiers_are_fine(publisher):
    fields = itertools.chain(fields_of(WHEEL, GOOD).items(), (("classifiers", "x" * 80) for _ in range(1000)))
    assert (await publisher.send(body_of(list(fields), WHEEL, GOOD))).status == 200


@pytest.mark.parametrize(
    "field", [("description", "x" * 9_000_000), ("name", "y" * 100_000), ("attestations", "z" * 1_000_000)]
)
async def test_fields_have_limits(publisher, nothing_stays, field):
    fields = [field, *(pair for pair in fields_of(WHEEL, GOOD).items() if pair[0] != field[0])]
    answer = await publisher.send(body_of(fields, WHEEL, GOOD))
    assert answer.status == 413, answer


async def test_headers_of_a_part_have_limits(publisher, nothing_stays):
    flood = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 8000) for number in range(120))
    body = b"".join(b"--b0undary\r\n" + flood + b"\r\nx\r\n" for _ in range(12))
    assert (await publisher.send(body + END)).status in (400, 413)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ("multipart/form-data; boundary=" + "x" * 80, 400),
        ("multipart/mixed; boundary=b0undary", 400),
        ("application/json", 400),
        ("application/x-www-form-urlencoded", 400),
        ("nonsense", 400),
        ("multipart/form-data; boundary=other", 400),
    ],
)
async def test_a_body_that_is_no_form_is_refused(publisher, nothing_stays, content_type, status):
    body = body_of(fields_of(WHEEL, GOOD), WHEEL, GOOD)
    answer = await publisher.send(body, **{"Content-Type": content_type})
    assert answer.status == status, answer


async def test_a_part_within_a_part_is_refused(publisher, nothing_stays):
    inner = b'--inner\r\nContent-Disposition: form-data; name="name"\r\n\r\nacme-tool\r\n--inner--\r\n'
    nested = part('form-data; name="content"', inner, "multipart/mixed; boundary=inner")
    assert (await publisher.send(nested + END)).status == 400


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "x-gzip"])
async def test_an_encoded_part_is_refused(publisher, nothing_stays, encoding):
    body = body_of(fields_of(WHEEL, GOOD), WHEEL, GOOD)
    odd = body.replace(b"Content-Type: application/octet-stream", f"Content-Transfer-Encoding: {encoding}".encode())
    assert (await publisher.send(odd)).status == 400


@pytest.mark.parametrize("name", ["name", "version", "content", "sha256_digest"])
async def test_what_is_said_twice_is_refused(publisher, nothing_stays, name):
    body = body_of(fields_of(WHEEL, GOOD), WHEEL, GOOD)
    again = part(f'form-data; name="{name}"; filename="{WHEEL}"', GOOD if name == "content" else b"acme-tool")
    assert (await publisher.send(body.replace(END, again + END))).status == 400


async def test_an_upload_that_stands_still_is_ended(pinfold, publisher, nothing_stays):
    body = body_of(fields_of(WHEEL, GOOD), WHEEL, GOOD)
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", pinfold.port)
    writer.write(head_of(publisher, len(body)) + body[:-200])
    assert b" 408 " in await reader.readline()
    assert time.monotonic() - began < 10
    writer.transport.abort()


async def test_a_token_that_is_revoked_while_a_file_arrives_publishes_nothing(pinfold, publisher, nothing_stays):
    body = body_of(fields_of(WHEEL, GOOD), WHEEL, GOOD)
    reader, writer = await asyncio.open_connection("127.0.0.1", pinfold.port)
    writer.write(head_of(publisher, len(body)) + body[:-100])
    await asyncio.sleep(0.2)
    tokens = Tokens(pinfold.installation.tokens, pinfold.installation.clock, pinfold.installation.indexes)
    (token_id,) = await pinfold.installation.tokens.current()
    await tokens.revoke(token_id, Actor("tester"))
    writer.write(body[-100:])
    async with asyncio.timeout(10):
        assert b" 403 " in await reader.readline()
    writer.close()


async def test_a_length_that_is_longer_than_the_body_publishes_nothing(pinfold, publisher, nothing_stays):
    body = body_of(fields_of(WHEEL, GOOD), WHEEL, GOOD)[: -len(END) - 300]
    reader, writer = await asyncio.open_connection("127.0.0.1", pinfold.port)
    writer.write(head_of(publisher, len(body) + 1000) + body)
    writer.write_eof()
    await reader.read()
    writer.close()
    await asyncio.sleep(0.2)


async def test_a_length_that_is_shorter_than_the_body_publishes_nothing(publisher, nothing_stays):
    body = body_of(fields_of(WHEEL, GOOD), WHEEL, GOOD)
    answer = await publisher.send(body, **{"Content-Length": str(len(body) - 500)})
    assert answer.status == 400, answer


async def test_a_client_that_hangs_up_leaves_nothing(pinfold, publisher, nothing_stays):
    body = body_of(fields_of(WHEEL, GOOD), WHEEL, GOOD)
    for sent in (10, 500, len(body) // 2, len(body) - 5):
        _, writer = await asyncio.open_connection("127.0.0.1", pinfold.port)
        writer.write(head_of(publisher, len(body)) + body[:sent])
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()
    await asyncio.sleep(0.3)


async def test_chunked_and_gzipped_bodies_have_the_same_limits(publisher, nothing_stays):
    body = gzip.compress(body_of(fields_of(WHEEL, GOOD), WHEEL, GOOD + b"\0" * 50_000_000))
    answer = await publisher.send(body, **{"Content-Encoding": "gzip"})
    assert answer.status in (400, 413), answer


# What is shown of it.


async def test_html_in_metadata_and_reasons_is_escaped_wherever_it_is_shown(pinfold, publisher):
    evil = METADATA + b"Summary: <script>alert(1)</script>\nRequires-Python: >=3.8\n\n<script>\n"
    assert (await publisher.upload(WHEEL, with_recorded_metadata(evil))).status == 200
    store = pinfold.installation.published
    await store.yank("main", "acme-tool", {WHEEL: '"><script>alert(2)</script>'}, [])
    for accept in ("text/html", JSON):
        page = await pinfold.get("/simple/acme-tool/", Accept=accept, Accept_Encoding="identity")
        if accept == JSON:
            assert json.loads(page.body)["files"][0]["yanked"] == '"><script>alert(2)</script>'
        else:
            assert b"<script" not in page.body
            assert b"&lt;script&gt;alert(2)" in page.body
    assert "sandbox" in page.headers["Content-Security-Policy"]


async def test_refusals_are_audited_without_what_could_harm_who_reads_them(pinfold, publisher):
    await publisher.send(body_of(fields_of(WHEEL, GOOD), "\u202e<script>.whl", GOOD))
    (entry,) = await pinfold.audited("file.publish-refused")
    assert entry.filename is None
    assert "Invalid filename" in entry.details["reason"]
    assert entry.actor.name == "ci"
