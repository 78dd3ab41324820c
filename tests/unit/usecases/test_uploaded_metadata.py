import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.fakes.upstream import build_sdist, build_wheel

from pinfold.domain.distribution import parse_distribution
from pinfold.domain.errors import InvalidUpload
from pinfold.usecases.uploaded_metadata import LARGEST, Statement, check_statement, read_metadata

STATED = Statement("acme-tool", "1.0")
METADATA = b"Metadata-Version: 2.1\nName: acme-tool\nVersion: 1.0\n"


def read(folder: Path, filename: str, content: bytes, stated: Statement = STATED):
    path = folder / "archive"
    path.write_bytes(content)
    return read_metadata(path, parse_distribution(filename), stated)


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("acme_tool-1.0-py3-none-any.whl", build_wheel("acme-tool", "1.0", requires_python=">=3.8")),
        ("acme_tool-1.0.tar.gz", build_sdist("acme-tool", "1.0", requires_python=">=3.8")),
        ("acme_tool-1.0.zip", zipped({"acme_tool-1.0/PKG-INFO": METADATA + b"Requires-Python: >=3.8\n"})),
    ],
)
def test_metadata_is_read_out_of_every_kind_of_archive(tmp_path, filename, content):
    found = read(tmp_path, filename, content)
    assert found.requires_python == ">=3.8"
    assert b"Name: acme-tool" in found.content


def test_what_the_form_says_of_python_is_compared(tmp_path):
    wheel = build_wheel("acme-tool", "1.0", requires_python=">=3.8,<4")
    stated = Statement("acme-tool", "1.0", requires_python="<4,>=3.8")
    assert read(tmp_path, "acme_tool-1.0-py3-none-any.whl", wheel, stated).requires_python == "<4,>=3.8"
    for other in (">=3.9", "nonsense"):
        with pytest.raises(InvalidUpload, match="ython"):
            read(tmp_path, "acme_tool-1.0-py3-none-any.whl", wheel, Statement("acme-tool", "1.0", "", other))


def test_the_tags_of_a_wheel_are_those_of_its_name(tmp_path):
    compressed = build_wheel("acme-tool", "1.0", tag="py2-none-any\nTag: py3-none-any")
    assert read(tmp_path, "acme_tool-1.0-py2.py3-none-any.whl", compressed)
    with pytest.raises(InvalidUpload, match="tags"):
        read(tmp_path, "acme_tool-1.0-py3-none-any.whl", compressed)


def test_metadata_that_tools_of_today_write_wrong_in_the_letter_is_taken(tmp_path):
    lines = METADATA + b"License-File: LICENSE\nHome-page: UNKNOWN\nX-Something: else\nClassifier: Made Up :: Here\n"
    sdist = zipped({"acme_tool-1.0/PKG-INFO": lines})
    assert read(tmp_path, "acme_tool-1.0.zip", sdist).content == lines


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({}, "PKG-INFO"),
        ({"PKG-INFO": METADATA}, "PKG-INFO"),
        ({"acme_tool-1.0/PKG-INFO": METADATA + b"X: " + b"x" * LARGEST}, "bytes"),
        ({"acme_tool-1.0/PKG-INFO": b"Name: acme-tool\n"}, "invalid"),
        ({"acme_tool-1.0/PKG-INFO": METADATA.replace(b"1.0\n", b"1.1\n")}, "version"),
        ({"acme_tool-1.0/PKG-INFO": METADATA.replace(b"acme-tool", b"other")}, "other"),
    ],
)
def test_metadata_that_is_missing_or_not_the_files_is_refused(tmp_path, members, why):
    with pytest.raises(InvalidUpload, match=why):
        read(tmp_path, "acme_tool-1.0.zip", zipped(members))


def test_a_wheel_has_one_dist_info_with_what_it_needs(tmp_path):
    filename, folder = "acme_tool-1.0-py3-none-any.whl", "acme_tool-1.0.dist-info"
    good = {f"{folder}/METADATA": METADATA, f"{folder}/WHEEL": b"Tag: py3-none-any\n"}
    assert read(tmp_path, filename, zipped(good))
    for missing in good:
        with pytest.raises(InvalidUpload, match="there is no"):
            read(tmp_path, filename, zipped({name: content for name, content in good.items() if name != missing}))
    with pytest.raises(InvalidUpload, match=r"2 \.dist-info"):
        read(tmp_path, filename, zipped({**good, "other-1.0.dist-info/METADATA": METADATA}))


def test_a_file_in_place_of_an_archive_is_refused(tmp_path):
    for filename in ("acme_tool-1.0.zip", "acme_tool-1.0.tar.gz", "acme_tool-1.0-py3-none-any.whl"):
        with pytest.raises(InvalidUpload, match="Invalid distribution file"):
            read(tmp_path, filename, b"nothing of the kind")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        link = tarfile.TarInfo("acme_tool-1.0/PKG-INFO")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(InvalidUpload, match="PKG-INFO"):
        read(tmp_path, "acme_tool-1.0.tar.gz", packed.getvalue())


@pytest.mark.parametrize(
    "stated",
    [
        Statement("Acme.Tool", "1.0.0", "sdist"),
        Statement("acme_tool", "v1.0"),
    ],
)
def test_a_form_may_spell_what_the_name_says_otherwise(stated):
    check_statement(stated, parse_distribution("acme_tool-1.0.tar.gz"))


@pytest.mark.parametrize(
    "stated",
    [
        Statement("", "1.0"),
        Statement("acme", "1.0"),
        Statement("acme-tool", ""),
        Statement("acme-tool", "1.1"),
        Statement("acme-tool", "one"),
        Statement("acme-tool", "1.0", "bdist_wheel"),
        Statement("acme-tool", "1.0", "nonsense"),
    ],
)
def test_a_form_about_something_else_is_refused(stated):
    with pytest.raises(InvalidUpload):
        check_statement(stated, parse_distribution("acme_tool-1.0.tar.gz"))
