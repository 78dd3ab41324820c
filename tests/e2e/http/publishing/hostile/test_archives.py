"""Uploads that mean harm by what is in the file: each is answered with what is wrong, and leaves nothing behind."""

import gzip
import io
import itertools
import struct
import tarfile
import time
import zipfile

import pytest
from tests.e2e.http.publishing.hostile.archives import GOOD, METADATA, SDIST, WHEEL, repacked, with_metadata
from tests.fakes.upstream import build_sdist, build_wheel


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
