"""The way in: what is told when an archive cannot be inspected, and what is kept of a flood."""

from pathlib import Path

import pytest
from tests.unit.inspection.archives import WHEEL_NAME, Entry, Wheel
from tests.unit.inspection.examining import examine, kinds

from pinfold.domain.inspection import Kind
from pinfold.inspection import Limits, inspect, inspector


def test_a_format_that_is_not_known_is_told_as_not_inspected() -> None:
    report = examine(Wheel().build(), "acme-1.0.tar.bz2")
    assert kinds(report) == {Kind.UNSUPPORTED_FORMAT}
    assert not report.complete


def test_the_name_s_case_does_not_matter() -> None:
    assert examine(Wheel().build(), "acme-1.0-py3-none-any.WHL").observations == ()


def test_a_file_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        inspect(tmp_path / "missing", WHEEL_NAME, "acme", "1.0")


def test_an_inspection_that_fails_is_an_observation(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("unforeseen")

    monkeypatch.setitem(inspector._FORMATS, ".whl", fail)
    report = examine(Wheel().build())
    assert kinds(report) == {Kind.INSPECTION_FAILED}
    assert not report.complete
    assert "the inspection of acme-1.0-py3-none-any.whl failed" in caplog.text


def test_a_flood_of_one_kind_is_counted() -> None:
    report = examine(Wheel().with_extra(*(Entry(f"../{number}".encode()) for number in range(1000))))
    escapes = [o for o in report.observations if o.kind is Kind.PATH_ESCAPE]
    assert len(escapes) == 21
    assert escapes[-1].text == "and 980 more like it"


def test_a_report_counts_what_it_has_seen() -> None:
    data = Wheel({"acme/data.bin": bytes(5000)}).build()
    report = examine(data)
    assert report.size == len(data)
    assert report.entries == 6
    assert 5000 < report.unpacked_size < 10_000


def test_a_bound_that_is_reached_is_told_and_leaves_the_report_incomplete() -> None:
    report = examine(Wheel({"acme/data.bin": bytes(5000)}).build(), limits=Limits(unpacked_size=5000))
    (observation,) = report.observations
    assert observation.kind is Kind.TOO_LARGE
    assert observation.text == "not inspected to the end: unpacks to more than 5000 bytes"
    assert not report.complete


def test_the_version_may_be_unknown() -> None:
    assert examine(Wheel().build(), version=None).observations == ()
