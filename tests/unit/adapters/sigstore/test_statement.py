"""Which statements are about a file, however its name is spelled."""

import pytest
from tests.fakes.sigstore import WHEEL_SHA256, statement

from pinfold.adapters.sigstore.errors import Refused, Undecided
from pinfold.adapters.sigstore.statement import Subject, stated_of
from pinfold.domain.provenance import Predicate


@pytest.mark.parametrize(
    ("stated", "filename"),
    [
        ("widget-1.0-py3-none-any.whl", "widget-1.0-py3-none-any.whl"),
        ("Widget-1.0-py3-none-any.whl", "widget-1.0-py3-none-any.whl"),
        ("some_widget-1.0.tar.gz", "Some.Widget-1.0.tar.gz"),
        ("some-widget-1.0.0.tar.gz", "some_widget-1.0.tar.gz"),
        ("widget-1.0-py3.py2-none-any.whl", "widget-1.0-py2.py3-none-any.whl"),
        (
            "widget-1.0-cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            "widget-1.0-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        ),
        ("widget-1.0+Local.1-py3-none-any.whl", "widget-1.0+local.1-py3-none-any.whl"),
    ],
)
def test_other_spellings_name_the_same_file(stated: str, filename: str) -> None:
    assert stated_of(statement(stated), Subject(filename, WHEEL_SHA256)) is Predicate.PUBLISH


@pytest.mark.parametrize(
    ("stated", "filename"),
    [
        ("widget-1.0-1-py3-none-any.whl", "widget-1.0-py3-none-any.whl"),
        ("widget-1.0-py3-none-any.whl", "widget-1.0-py2.py3-none-any.whl"),
        ("widget-1.0.tar.gz", "widget-1.0-py3-none-any.whl"),
        ("widget-1.0.tar.gz", "widget-1.0.post1.tar.gz"),
        ("widgets-1.0.tar.gz", "widget-1.0.tar.gz"),
        ("../widget-1.0.tar.gz", "widget-1.0.tar.gz"),
        ("widget-1.0.tar.gz\n", "widget-1.0.tar.gz"),
        ("", "widget-1.0.tar.gz"),
        ("widget-" + "9" * 5000 + ".tar.gz", "widget-1.0.tar.gz"),
    ],
)
def test_other_files_are_refused(stated: str, filename: str) -> None:
    with pytest.raises(Refused, match=r"is about|no wheel or sdist"):
        stated_of(statement(stated), Subject(filename, WHEEL_SHA256))


@pytest.mark.parametrize(
    "type_",
    [
        "http://index.example/attestations/publish/v1",
        "https://index.example/attestations/publish/v1/",
        "https://index.example/attestations/publish/v1?x",
        "https://index.example/attestations/publish/v1#x",
        "https://index.example/attestations/publish/v2",
        "https://index.example/x/attestations/publish/v1",
        "/attestations/publish/v1",
        "https://slsa.dev/provenance/v0.2",
        "",
    ],
)
def test_other_predicates_are_not_known(type_: str) -> None:
    with pytest.raises(Undecided, match="not known"):
        stated_of(statement(predicateType=type_), Subject("widget-1.0-py3-none-any.whl", WHEEL_SHA256))
