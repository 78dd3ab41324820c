"""Uploads that mean harm: each is answered with what is wrong, and leaves nothing that is visible or in the way."""

import asyncio
import base64
import gzip
import hashlib
import io
import itertools
import json
import re
import struct
import tarfile
import time
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.e2e.in_process import Answer, in_process
from tests.e2e.publisher import Publisher
from tests.fakes.uploads import BOUNDARY, CONTENT_TYPE, body_of, fields_of, part
from tests.fakes.upstream import FakeUpstream, build_sdist, build_wheel

from pinfold.domain.audit_entry import Actor
from pinfold.ports.audit_log import AuditQuery
from pinfold.usecases.tokens import Tokens

JSON = "application/vnd.pypi.simple.v1+json"
WHEEL, SDIST = "acme_tool-1.0-py3-none-any.whl", "acme_tool-1.0.tar.gz"
GOOD = build_wheel("acme-tool", "1.0")
END = f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture
async def pinfold(tmp_path):
    async with FakeUpstream() as upstream:
        overrides = {
            "upstreams.pypi.url": upstream.url,
            "indexes.main.private": "acme-*",
            "publishing.max_file_size": "2MB",
            "publishing.idle_timeout": "1s",
            "feeds.osv.source": "",
        }
        async with in_process(tmp_path / "data", overrides) as pinfold:
            yield pinfold


@pytest.fixture
async def publisher(pinfold):
    return await Publisher.of(pinfold)


@pytest.fixture
async def nothing_stays(pinfold):
    """See to it that a test leaves nothing behind."""
    yield
    assert (await pinfold.installation.published.current()).projects == {}
    assert list(pinfold.installation.data.incoming.iterdir()) == []
    assert [path for path in pinfold.installation.data.blobs.rglob("*") if path.is_file()] == []


def repacked(wheel: bytes, change) -> bytes:
    """Return a wheel whose entries were changed: `change` is given and returns pairs of ZipInfo and content."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for info, content in change([(info, old.read(info)) for info in old.infolist()]):
            new.writestr(info, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def head_of(publisher: Publisher, length: int) -> bytes:
    return (
        f"POST /legacy/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {publisher.token}\r\n"
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


# What is in the file.


def with_metadata(text: bytes) -> bytes:
    def change(entries):
        for info, content in entries:
            yield info, text if info.filename.endswith("/METADATA") else content

    return repacked(GOOD, change)


METADATA = b"Metadata-Version: 2.1\nName: acme-tool\nVersion: 1.0\n"


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"\x00\xff\xfe" * 1000,
        b"Metadata-Version: 2.1\nName: other\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nName: acme-tool\nVersion: 1.1\n",
        b"Metadata-Version: 2.1\nName: acme-tool\nName: other\nVersion: 1.0\n",
        b"Metadata-Version: 99.0\nName: acme-tool\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nName: " + b"a" * 300 + b"\nVersion: 1.0\n",
        METADATA + b"Requires-Python: nonsense\n",
        METADATA + b"Requires-Dist: " + b"(" * 2000 + b"\n",
        METADATA + b"Requires-Dist: six " + b"(" * 5000 + b"; python_version<'3'" + b")" * 5000 + b"\n",
        METADATA + b"Requires-Dist: x; " + b"(" * 3000 + b"python_version<'3'" + b")" * 3000 + b"\n",
        METADATA + b"Summary: a\n b\n",
        b"Name: acme-tool\r\n" * 3,
    ],
    ids=itertools.count(),
)
async def test_metadata_that_is_not_the_files_is_refused(publisher, nothing_stays, metadata):
    answer = await publisher.upload(WHEEL, with_metadata(metadata))
    assert answer.status == 400, answer


async def test_tags_are_not_multiplied_without_end(publisher, nothing_stays):
    many = "-".join(".".join(f"{kind}{number}" for number in range(400)) for kind in ("py", "abi", "os"))

    def change(entries):
        for info, content in entries:
            yield info, content + f"Tag: {many}\n".encode() if info.filename.endswith("/WHEEL") else content

    answer = await publisher.upload(WHEEL, repacked(GOOD, change))
    assert answer.status == 400, answer
    assert "tags" in answer.reason


async def test_metadata_in_a_damaged_compression_is_refused(publisher, nothing_stays):
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as old, zipfile.ZipFile(packed, "w") as new:
        for info in old.infolist():
            is_metadata = info.filename.endswith("/METADATA")
            new.writestr(info, old.read(info), zipfile.ZIP_LZMA if is_metadata else zipfile.ZIP_DEFLATED)
            if is_metadata:
                begins = new.getinfo(info.filename).header_offset + 30 + len(info.filename)
    wheel = bytearray(packed.getvalue())
    wheel[begins + 12 : begins + 20] = bytes(255 - byte for byte in wheel[begins + 12 : begins + 20])
    answer = await publisher.upload(WHEEL, bytes(wheel))
    assert answer.status == 400, answer


async def test_a_hundred_megabytes_of_metadata_are_refused_unread(publisher, nothing_stays):
    began = time.monotonic()
    answer = await publisher.upload(WHEEL, with_metadata(METADATA + b"X: " + b"x" * 100_000_000))
    assert answer.status == 400, answer
    assert time.monotonic() - began < 20


async def test_a_wheel_that_unpacks_without_end_is_refused(publisher, nothing_stays):
    bomb = b"\0" * 400_000_000
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("acme_tool/zeros", bomb)
    answer = await publisher.upload(WHEEL, packed.getvalue())
    assert answer.status == 400
    assert "too-large" in answer.reason


def tar_of(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return gzip.compress(packed.getvalue())


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


PKG_INFO = ("acme_tool-1.0/PKG-INFO", METADATA)


@pytest.mark.parametrize(
    "content",
    [
        tar_of(link("acme_tool-1.0/PKG-INFO", "/etc/passwd")),
        tar_of(PKG_INFO, link("acme_tool-1.0/x", "/etc/passwd")),
        tar_of(PKG_INFO, link("acme_tool-1.0/x", "../../../etc/passwd", tarfile.LNKTYPE)),
        tar_of(PKG_INFO, ("../escape", b"x")),
        tar_of(PKG_INFO, ("/absolute", b"x")),
        tar_of(("acme_tool-1.0/README", b"no metadata")),
        tar_of(("PKG-INFO", METADATA)),
        tar_of(("acme_tool-1.0/deep/PKG-INFO", METADATA)),
        tar_of(PKG_INFO, ("acme_tool-1.0/zeros", b"\0" * 80_000_000)),
        GOOD,
        b"",
        b"\x1f\x8b" + b"\0" * 100,
        gzip.compress(b"x" * 1000),
        build_sdist("acme-tool", "1.0")[:-20],
    ],
    ids=itertools.count(),
)
async def test_an_sdist_that_escapes_or_lies_is_refused(publisher, nothing_stays, content):
    answer = await publisher.upload(SDIST, content)
    assert answer.status == 400, answer


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x05\x06" + b"\0" * 18,
        b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, 0xFFFFFFF0, 0, 0),
        GOOD[:-30],
        GOOD[100:],
        GOOD + GOOD,
        build_sdist("acme-tool", "1.0"),
        b"#!/bin/sh\n" * 100 + GOOD,
        build_wheel("acme-other", "1.0"),
        build_wheel("acme-tool", "1.1"),
        build_wheel("acme-tool", "1.0", tag="cp311-cp311-win32"),
        build_wheel("acme-tool", "1.0", files={"../escape.py": b""}),
        build_wheel("acme-tool", "1.0", files={"acme_other-1.0.dist-info/METADATA": METADATA}),
    ],
    ids=itertools.count(),
)
async def test_a_wheel_that_escapes_or_lies_is_refused(publisher, nothing_stays, content):
    answer = await publisher.upload(WHEEL, content)
    assert answer.status == 400, answer


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


def with_recorded_metadata(metadata: bytes) -> bytes:
    """Return the wheel with other metadata that its RECORD agrees with."""

    def change(entries):
        for info, content in entries:
            if info.filename.endswith("/METADATA"):
                yield info, metadata
            elif info.filename.endswith("/RECORD"):
                digest = base64.urlsafe_b64encode(hashlib.sha256(metadata).digest()).decode().rstrip("=")
                line = f"acme_tool-1.0.dist-info/METADATA,sha256={digest},{len(metadata)}"
                yield info, re.sub(r"acme_tool-1.0.dist-info/METADATA,.*", line, content.decode()).encode()
            else:
                yield info, content

    return repacked(GOOD, change)


async def test_refusals_are_audited_without_what_could_harm_who_reads_them(pinfold, publisher):
    await publisher.send(body_of(fields_of(WHEEL, GOOD), "\u202e<script>.whl", GOOD))
    (recorded,) = await pinfold.installation.audit_log.search(AuditQuery(action="file.publish-refused"))
    assert recorded.entry.filename is None
    assert "Invalid filename" in recorded.entry.details["reason"]
    assert recorded.entry.actor.name == "ci"


# Fuzzing.

texts = st.text(max_size=40)
names = st.sampled_from(["name", "version", ":action", "content", "filetype", "attestations", "requires_python", "x"])


def run_fuzz(tmp_path, examples):
    """Send bodies to one Pinfold in one loop, and insist on an answer that is no failure of the server's."""

    async def run():
        async with in_process(
            tmp_path / "data", {"feeds.osv.source": "", "publishing.idle_timeout": "1s", "indexes.main.private": "*"}
        ) as pinfold:
            publisher = await Publisher.of(pinfold)

            async def send(body: bytes, **headers: str) -> Answer:
                answer = await publisher.send(body, **headers)
                assert 200 <= answer.status < 500, (answer, body)
                return answer

            await examples(send)

    asyncio.run(run())


def drawn(strategy, count):
    """Return examples of a strategy, as hypothesis draws them."""
    found = []

    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def draw(example):
        found.append(example)

    draw()
    return found


part_lines = st.one_of(
    st.builds(
        lambda name, filename: f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'.encode(
            "utf-8", "surrogatepass"
        ),
        names | texts,
        texts | st.sampled_from([WHEEL, SDIST]),
    ),
    st.builds(lambda name: f'Content-Disposition: form-data; name="{name}"'.encode(), names),
    st.binary(max_size=40),
    st.sampled_from([b"Content-Type: multipart/mixed; boundary=x", b"Content-Length: 99999", b"Content-Length: -1"]),
)
forms = st.lists(
    st.tuples(
        st.lists(part_lines, max_size=3), st.binary(max_size=60) | texts.map(lambda t: t.encode("utf-8", "replace"))
    ),
    max_size=6,
).map(
    lambda parts: (
        b"".join(b"--b0undary\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + content + b"\r\n" for lines, content in parts)
        + END
    )
)


def test_no_bytes_for_a_form_are_a_failure_of_the_server(tmp_path):
    async def examples(send):
        for body in drawn(
            forms | st.binary(max_size=300) | st.binary(max_size=100).map(lambda b: b"--b0undary\r\n" + b), 150
        ):
            await send(body)

    run_fuzz(tmp_path, examples)


def test_no_field_and_no_file_name_is_a_failure_of_the_server(tmp_path):
    some = st.fixed_dictionaries({}, optional=dict.fromkeys(fields_of(WHEEL, GOOD), texts))

    async def examples(send):
        for changes, filename in drawn(st.tuples(some, st.sampled_from([WHEEL, SDIST]) | texts), 120):
            fields = {name: text.encode("utf-8", "replace").decode() for name, text in changes.items()}
            name = filename.encode("utf-8", "replace").decode()
            await send(body_of({**fields_of(WHEEL, GOOD), **fields}, name, GOOD))

    run_fuzz(tmp_path, examples)


def test_no_damage_to_an_archive_is_a_failure_of_the_server(tmp_path):
    sdist = build_sdist("acme-tool", "1.0")
    damage = st.tuples(st.booleans(), st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8))

    async def examples(send):
        for is_wheel, at, noise in drawn(damage, 60):
            filename, content = (WHEEL, GOOD) if is_wheel else (SDIST, sdist)
            damaged = content[:at] + noise + content[at + len(noise) :]
            await send(body_of(fields_of(filename, damaged), filename, damaged))

    run_fuzz(tmp_path, examples)


def test_no_metadata_is_a_failure_of_the_server(tmp_path):
    line = st.tuples(
        st.sampled_from(["Name", "Version", "Requires-Dist", "Requires-Python", "Metadata-Version", "Summary", "X"]),
        texts,
    ).map(lambda pair: f"{pair[0]}: {pair[1]}".encode("utf-8", "replace"))
    metadata = st.lists(line | st.binary(max_size=30), max_size=8).map(b"\n".join) | st.lists(line, max_size=3).map(
        lambda lines: METADATA + b"\n".join(lines)
    )

    async def examples(send):
        for text in drawn(metadata, 60):
            wheel = with_recorded_metadata(text)
            await send(body_of(fields_of(WHEEL, wheel), WHEEL, wheel))

    run_fuzz(tmp_path, examples)
