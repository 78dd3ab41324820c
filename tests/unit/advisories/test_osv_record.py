import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.osv import EPOCH, a_record, hashed, stamp

from pinfold.advisories.osv_record import is_id, read_record
from pinfold.domain.advisory import AdvisoryKind, Bound, Claim, Event
from pinfold.domain.errors import InvalidAdvisory

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SHA256 = "d2a0d5f564628773b6af7b9c11f6b86531a875bd2d186d7081ab62748a800ebb"


def read(**changes: Any):
    return read_record(json.dumps(a_record(**changes)).encode(), NOW)


def the_claim(**changes: Any) -> Claim:
    ((_, claim),) = read(**changes).claims
    return claim


def test_record_of_malware() -> None:
    record = read(aliases=["PYSEC-2026-2"])
    assert (record.id, record.modified) == ("MAL-2026-2144", EPOCH)
    ((project, claim),) = record.claims
    assert project == "litellm"
    assert claim == Claim(
        "MAL-2026-2144",
        AdvisoryKind.MALWARE,
        frozenset({"1.82.8"}),
        aliases=("PYSEC-2026-2",),
        summary="Malicious code in litellm (PyPI)",
    )


def test_names_and_versions_are_normalised() -> None:
    ((project, claim),) = read(project="Lite_LLM.proxy", versions=["v1.82.8.0-Beta.1", "not a version"]).claims
    assert project == "lite-llm-proxy"
    assert claim.versions == {"1.82.8.0b1", "not a version"}


def test_hashes_are_those_of_package_integrity() -> None:
    assert the_claim(database_specific_of_affected=hashed(SHA256.upper(), "short")).hashes == {SHA256}
    listed = {"indicators": {"package_integrity": [{"hashes": {"sha256": [SHA256, 7]}}, None, {"hashes": "x"}]}}
    assert the_claim(database_specific_of_affected=listed).hashes == {SHA256}


def test_origins_are_counted_and_never_matched_on() -> None:
    origins = [
        {"source": "one", "sha256": SHA256, "versions": ["9.9"], "ranges": [{"events": [{"introduced": "0"}]}]},
        {"source": "two", "sha256": SHA256, "versions": ["9.9"]},
        {"source": "two"},
        "nonsense",
    ]
    claim = the_claim(database_specific={"malicious-packages-origins": origins})
    assert claim.sources == 2
    assert (claim.versions, claim.ranges, claim.hashes) == ({"1.82.8"}, (), frozenset())


def test_evidence_files_are_no_distributions() -> None:
    told = {"indicators": {"evidence_files": [{"path": "setup.py", "sha256": SHA256}]}}
    assert the_claim(database_specific_of_affected=told).hashes == frozenset()


@pytest.mark.parametrize("kind", ["ECOSYSTEM", "SEMVER"])
def test_ranges_become_events(kind: str) -> None:
    events = [{"introduced": "0"}, {"fixed": "1.0"}, {"limit": "2"}, {"last_affected": 7}, {"invented": "1"}]
    claim = the_claim(versions=None, ranges=[{"type": kind, "events": events}, {"type": "GIT", "events": events}])
    assert claim.ranges == ((Event(Bound.INTRODUCED, "0"), Event(Bound.FIXED, "1.0"), Event(Bound.LIMIT, "2")),)
    assert claim.versions == frozenset()


def test_commits_mean_no_version() -> None:
    assert the_claim(ranges=[{"type": "GIT", "events": [{"introduced": "0"}]}]).ranges == ()


@pytest.mark.parametrize("ecosystem", ["npm", "pypi", "", "PyPIx", "crates.io"])
def test_other_software_is_not_meant(ecosystem: str) -> None:
    record = a_record()
    record["affected"][0]["package"]["ecosystem"] = ecosystem
    assert read_record(json.dumps(record).encode(), NOW).claims == ()


def test_one_record_may_be_about_several_projects() -> None:
    record = a_record()
    record["affected"] += a_record(project="telnyx", versions=["4.87.1"])["affected"]
    record["affected"] += [{"package": {"ecosystem": "PyPI", "name": "../etc"}, "versions": ["1"]}, {"versions": ["1"]}]
    found = read_record(json.dumps(record).encode(), NOW).claims
    assert [(project, claim.versions) for project, claim in found] == [("litellm", {"1.82.8"}), ("telnyx", {"4.87.1"})]


def test_withdrawn_records_claim_nothing_from_that_moment_on() -> None:
    assert read(withdrawn=stamp(NOW)).claims == ()
    assert len(read(withdrawn=stamp(NOW + timedelta(seconds=1))).claims) == 1
    assert len(read(withdrawn="some day").claims) == 1
    assert len(read(withdrawn=None).claims) == 1


def test_placeholders_claim_nothing() -> None:
    assert read(record_id="MAL-0000-ghsa-malware-979ed75d242b491b").claims == ()


class TestKind:
    def test_malware_by_other_ids_where_it_names_its_versions(self) -> None:
        assert the_claim(record_id="GHSA-1", aliases=["MAL-2026-1"]).kind is AdvisoryKind.MALWARE
        assert (
            the_claim(record_id="PYSEC-2026-1", database_specific={"cwe_ids": ["CWE-506"]}).kind is AdvisoryKind.MALWARE
        )
        told = {"cwes": [{"cweId": "CWE-506"}]}
        assert the_claim(record_id="X-1", database_specific_of_affected=told).kind is AdvisoryKind.MALWARE
        origins = {"malicious-packages-origins": [{"source": "one"}]}
        assert the_claim(record_id="X-1", database_specific=origins).kind is AdvisoryKind.MALWARE

    def test_vulnerability_records_that_cover_everything_stay_vulnerabilities(self) -> None:
        everything = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
        claim = the_claim(record_id="PYSEC-2026-206", aliases=["MAL-2026-3607"], ranges=everything)
        assert claim.kind is AdvisoryKind.VULNERABILITY
        assert the_claim(ranges=everything).kind is AdvisoryKind.MALWARE

    def test_everything_else_is_a_vulnerability(self) -> None:
        assert the_claim(record_id="PYSEC-2026-7", aliases=["CVE-2026-1"]).kind is AdvisoryKind.VULNERABILITY
        assert the_claim(record_id="NOTMAL-1").kind is AdvisoryKind.VULNERABILITY


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'"MAL-1"',
        b'{"id": "X-1"}',
        b'{"id": "X-1", "modified": "yesterday"}',
        b'{"id": "../../etc/passwd", "modified": "2026-01-01T00:00:00Z"}',
        b'{"id": "", "modified": "2026-01-01T00:00:00Z"}',
        b'{"id": "X-1", "modified": "2026-01-01T00:00:00Z", "affected": {}}',
        b'{"id": "X-1", "modified": "2026-01-01T00:00:00Z", "affected": [{"versions": [1]}]}',
        b"[" * 100_000,
        b'{"id": "X-1", "modified": "2026-01-01T00:00:00Z", "database_specific": ' + b"[" * 100_000,
        b'{"id": "\xff", "modified": "2026-01-01T00:00:00Z"}',
    ],
)
def test_what_is_no_record_is_told_as_such(content: bytes) -> None:
    with pytest.raises(InvalidAdvisory):
        read_record(content, NOW)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["id", "affected", "database_specific", "aliases", "withdrawn", "severity", "summary"]), json_values
)
def test_any_value_anywhere_is_read_or_refused(key: str, value: object) -> None:
    try:
        record = read_record(json.dumps({**a_record(), key: value}).encode(), NOW)
    except InvalidAdvisory:
        return
    assert is_id(record.id)


@given(json_values)
def test_any_database_specific_is_read(value: object) -> None:
    assert the_claim(database_specific=value, database_specific_of_affected=value).versions == {"1.82.8"}


def test_long_and_broken_summaries_are_one_short_line() -> None:
    assert the_claim(summary="a\nb\t" + "c" * 500).summary == ("a b " + "c" * 500)[:200]


@pytest.mark.parametrize(
    "text", ["2026-05-26T05:52:29.184410944Z", "2026-05-26T05:52:29Z", "2026-05-26T07:52:29+02:00"]
)
def test_times_may_have_any_precision(text: str) -> None:
    assert read(modified=text).modified.replace(microsecond=0) == datetime(2026, 5, 26, 5, 52, 29, tzinfo=UTC)
