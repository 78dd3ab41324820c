from tests.fakes.evidence import OTHER_SHA256, SHA256, SNAPSHOT, a_file

from pinfold.advisories.assess import assess
from pinfold.domain.advisory import AdvisoryKind, Bound, Claim, Event, MatchedBy, ProjectClaims

WHEEL = a_file()
GOOD = a_file(filename="litellm-1.82.6-py3-none-any.whl", version="1.82.6", sha256=OTHER_SHA256)
NAMELESS = a_file(filename="litellm.win32.exe", version=None, sha256="9" * 64)
FILES = (WHEEL, GOOD, NAMELESS)


def malware(**changes: object) -> Claim:
    return Claim(**{"id": "MAL-2026-2144", "kind": AdvisoryKind.MALWARE} | changes)


def vulnerability(fixed: str, advisory_id: str = "PYSEC-2026-7") -> Claim:
    events = (Event(Bound.INTRODUCED, "0"), Event(Bound.FIXED, fixed))
    return Claim(advisory_id, AdvisoryKind.VULNERABILITY, ranges=(events,))


def assessed(*claims: Claim):
    return assess(ProjectClaims((SNAPSHOT,), claims), FILES)


def test_file_that_nothing_means_shares_one_answer_that_names_the_snapshots() -> None:
    assessment = assessed(malware(versions=frozenset({"9.9"})))
    assert assessment.of(WHEEL) is assessment.of(GOOD)
    assert assessment.of(WHEEL).snapshots == (SNAPSHOT,)


def test_version_and_hash() -> None:
    assessment = assessed(malware(versions=frozenset({"1.82.8"}), hashes=frozenset({OTHER_SHA256})))
    (by_version,) = assessment.of(WHEEL).hits
    (by_hash,) = assessment.of(GOOD).hits
    assert (by_version.matched_by, by_hash.matched_by) == (MatchedBy.VERSION, MatchedBy.HASH)
    assert by_hash.credit == "OpenSSF Malicious Packages, Apache-2.0"


def test_hash_is_told_where_both_match_and_each_record_once() -> None:
    claim = malware(versions=frozenset({"1.82.8"}), hashes=frozenset({SHA256}))
    (hit,) = assessed(claim, malware(versions=frozenset({"1.82.8"}))).of(WHEEL).hits
    assert hit.matched_by is MatchedBy.HASH


def test_file_without_a_version_is_meant_by_whatever_names_a_release() -> None:
    assert len(assessed(malware(versions=frozenset({"9.9"}))).of(NAMELESS).hits) == 1
    assert assessed(malware(hashes=frozenset({SHA256}))).of(NAMELESS).hits == ()


def test_hits_are_in_one_order_whatever_order_the_feed_has() -> None:
    one, two = malware(id="MAL-1", versions=frozenset({"1.82.8"})), malware(id="MAL-2", versions=frozenset({"1.82.8"}))
    assert assessed(one, two).of(WHEEL) == assessed(two, one).of(WHEEL)


def test_pysec_records_say_whose_they_are() -> None:
    (hit,) = assessed(vulnerability("9")).of(WHEEL).hits
    assert hit.credit == "PyPA Advisory Database, CC-BY 4.0"


class TestFixes:
    def test_fix_is_told_where_the_release_that_would_be_replaced_is_affected(self) -> None:
        assessment = assessed(vulnerability("1.82.8")).replacing("1.82.6")
        (fix,) = assessment.of(WHEEL).fixes
        assert (fix.id, fix.affected) == ("PYSEC-2026-7", "1.82.6")
        assert assessment.of(GOOD).fixes == ()

    def test_nothing_is_fixed_where_nothing_is_replaced_or_affected(self) -> None:
        claims = vulnerability("1.82.8")
        assert assessed(claims).of(WHEEL).fixes == ()
        assert assessed(claims).replacing("1.82.8").of(WHEEL).fixes == ()
        assert assessed(claims).replacing("2.0").of(WHEEL).fixes == ()

    def test_later_releases_are_no_fix(self) -> None:
        assert assessed(vulnerability("1.82.7")).replacing("1.82.6").of(WHEEL).fixes == ()

    def test_fix_of_malware_is_no_hurry(self) -> None:
        events = (Event(Bound.INTRODUCED, "0"), Event(Bound.FIXED, "1.82.8"))
        assert assessed(malware(ranges=(events,))).replacing("1.82.6").of(WHEEL).fixes == ()
