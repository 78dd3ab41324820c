import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.domain.distribution import parse_distribution
from pinfold.domain.errors import InvalidName
from pinfold.domain.names import FileKind


def test_a_wheels_name_tells_what_it_is():
    found = parse_distribution("Acme_Tool-1.0.0-2_local-py2.py3-none-any.whl")
    assert (found.kind, found.project, found.version) == (FileKind.WHEEL, "acme-tool", "1.0.0")


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_an_sdists_name_tells_what_it_is(suffix):
    found = parse_distribution(f"acme.tool-1.0rc1{suffix}")
    assert (found.kind, found.project, found.version) == (FileKind.SDIST, "acme-tool", "1.0rc1")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("acme_tool-1.0.tar.gz", "Acme.Tool-1.0.0.zip"),
        ("acme_tool-1.0-py3-none-any.whl", "Acme_Tool-1.0.0-py3-none-any.whl"),
        ("acme_tool-1.0-py2.py3-none-any.whl", "acme_tool-1.0-py3.py2-none-any.whl"),
        ("acme_tool-1.0-1-py3-none-any.whl", "acme_tool-1.0-01-py3-none-any.whl"),
        ("acme_tool-1.0-py3-none-any.whl", "acme_tool-1.0-PY3-none-ANY.whl"),
    ],
)
def test_what_is_one_thing_takes_one_slot(one, other):
    assert parse_distribution(one).slot == parse_distribution(other).slot


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("acme_tool-1.0.tar.gz", "acme_tool-1.0-py3-none-any.whl"),
        ("acme_tool-1.0.tar.gz", "acme_tool-1.0.post1.tar.gz"),
        ("acme_tool-1.0-py3-none-any.whl", "acme_tool-1.0-1-py3-none-any.whl"),
        ("acme_tool-1.0-cp311-cp311-win32.whl", "acme_tool-1.0-cp312-cp312-win32.whl"),
        ("acme_tool-1.0+a-py3-none-any.whl", "acme_tool-1.0+b-py3-none-any.whl"),
        ("acme_tool-1.0.tar.gz", "acme_tools-1.0.tar.gz"),
    ],
)
def test_what_differs_takes_slots_of_its_own(one, other):
    assert parse_distribution(one).slot != parse_distribution(other).slot


def test_a_wheel_is_not_for_thousands_of_tags():
    many = ".".join("abcdefghijklmn")
    with pytest.raises(InvalidName, match="1000 tags"):
        parse_distribution(f"acme-1.0-{many}-{many}-{many}.whl")


@pytest.mark.parametrize(
    "filename",
    [
        "",
        "acme",
        "acme-1.0.exe",
        "acme-1.0.tar.bz2",
        "../acme-1.0.tar.gz",
        "acme-1.0.tar.gz/../x.whl",
        "acme-1.0-py3-none-any.whl\n",
        "acme-1.0\x00.tar.gz",
        "acme-one.tar.gz",
        "acme-1.0-py3-none.whl",
        "acme-1.0-x-py3-none-any.whl",
        "-acme-1.0.tar.gz",
        "\u0430cme-1.0.tar.gz",
        "acme\u202e-1.0.tar.gz",
        "acme-" + "1" * 5000 + ".tar.gz",
        "acme-1.0-py3-none-any.WHL",
        '"acme-1.0.tar.gz"',
    ],
)
def test_other_names_are_refused(filename):
    with pytest.raises(InvalidName):
        parse_distribution(filename)


@given(st.text(max_size=60) | st.from_regex(r"[a-z_.-]{1,9}-[0-9.a-z!+-]{1,9}(-py3-none-any\.whl|\.tar\.gz)"))
def test_any_text_is_a_distribution_or_refused(text):
    try:
        found = parse_distribution(text)
    except InvalidName:
        return
    assert found.filename == text
    assert "/" not in text
