from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.fakes.evidence import UPLOADED, a_file, evidence_of
from tests.fakes.publishers import ACCOUNT, OWN, THIEF, a_publisher, proof_of

from pinfold.domain.decision import PASS, Effect, Outcome
from pinfold.domain.evidence import Known, Unknown
from pinfold.domain.provenance import Invalid, PublisherKind, Unattested, pin_of
from pinfold.domain.records import PublisherDecision
from pinfold.domain.release_lines import BEGINNING, AttestedFile, AttestedUploads, ProjectHistory, lines_of
from pinfold.policy.rules.provenance_downgrade import ProvenanceDowngrade

RULE = ProvenanceDowngrade(ignore_after_days=30)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AT = UPLOADED + 5 * DAY
UNATTESTED = Known(Unattested())


def a_release(version, before=timedelta(0), **changes):
    """A wheel of a version, uploaded some time before the file that is judged."""
    name = f"litellm-{version}-py3-none-any.whl"
    url = f"https://index.example/integrity/{name}"
    told = {"filename": name, "version": version, "upload_time": UPLOADED - before, "provenance": url}
    return a_file(**(told | changes))


def past(*releases):
    """The history of releases: each a version, how long before, and its publishers as far as they were verified."""
    return ProjectHistory(AttestedFile(a_release(version, before), tuple(by)) for version, before, *by in releases)


def judge(provenance, history, version="1.82.8", rule=RULE, at=AT, **changes):
    file = a_release(version, provenance=True if provenance == UNATTESTED else "https://index.example/p")
    file = changes.pop("file", file)
    if isinstance(history, ProjectHistory):
        history = Known(history.of(file.version))
    return rule.judge(evidence_of(file, provenance=provenance, history=history, **changes), at)


def test_a_lost_attestation_fails_and_names_since_when_there_were_some() -> None:
    finding = judge(UNATTESTED, past(("1.81.0", 90 * DAY), ("1.82.6", DAY, OWN)))
    assert finding.outcome is Outcome.FAIL
    assert finding.reason == "not attested, unlike its release line since 1.81.0"
    assert finding.changes_at == UPLOADED + 30 * DAY


def test_projects_that_never_attested_are_not_touched() -> None:
    assert judge(UNATTESTED, past()) is PASS
    assert judge(Unknown("the index does not state provenance"), past(), file=a_release("1", provenance=False)) is PASS


def test_back_ports_and_new_majors_are_lines_of_their_own() -> None:
    history = past(("2.0", 90 * DAY, OWN))
    assert judge(UNATTESTED, history, version="1.99") is PASS
    assert judge(UNATTESTED, history, version="3.0") is PASS
    assert judge(UNATTESTED, history, version="1!2.1") is PASS
    assert judge(UNATTESTED, history, version="2.1rc1").outcome is Outcome.FAIL
    assert judge(UNATTESTED, history, version="2.1.post1.dev3").outcome is Outcome.FAIL


def test_lines_can_be_narrower_and_wider() -> None:
    history = past(("2.0", 90 * DAY, OWN))
    narrow, wide = ProvenanceDowngrade(line="minor"), ProvenanceDowngrade(line="project")
    assert judge(UNATTESTED, history, version="2.1", rule=narrow) is PASS
    assert judge(UNATTESTED, history, version="2.0.1", rule=narrow).outcome is Outcome.FAIL
    for version in ("1.0", "3.0", "1!2.1"):
        assert judge(UNATTESTED, history, version=version, rule=wide).outcome is Outcome.FAIL


def test_a_file_without_a_version_could_belong_to_any_line() -> None:
    file = structs.replace(a_release("1", provenance=True), filename="litellm.egg", version=None)
    assert judge(UNATTESTED, past(("2.0", DAY, OWN)), file=file).outcome is Outcome.FAIL


def test_files_from_before_the_first_attestation_are_not_touched() -> None:
    assert judge(UNATTESTED, past(("1.82.9", -HOUR, OWN))) is PASS


def test_a_file_without_an_upload_time_comes_after_all_others() -> None:
    file = a_release("1.82.8", upload_time=None, provenance=True)
    assert judge(UNATTESTED, past(("1.82.6", DAY, OWN)), file=file).outcome is Outcome.FAIL
    assert judge(UNATTESTED, past(("1.82.6", DAY, OWN)), file=file, at=AT + 900 * DAY).outcome is Outcome.FAIL


def test_old_files_are_not_looked_at_to_the_second() -> None:
    history, ends = past(("1.82.6", DAY, OWN)), UPLOADED + 30 * DAY
    for provenance in (UNATTESTED, Known(Invalid("forged")), Unknown("why"), proof_of(THIEF)):
        assert judge(provenance, history, at=ends) is PASS
        assert judge(provenance, history, at=ends - timedelta(microseconds=1)) is not PASS


def test_without_an_age_nothing_is_forgotten() -> None:
    rule = ProvenanceDowngrade()
    finding = judge(UNATTESTED, past(("1.82.6", DAY, OWN)), rule=rule, at=AT + 3000 * DAY)
    assert (finding.outcome, finding.changes_at) == (Outcome.FAIL, None)


def test_the_first_publisher_of_a_line_is_trusted_and_goes_on_being() -> None:
    assert judge(proof_of(THIEF), past()) is PASS
    assert judge(proof_of(OWN), past(("1.82.6", DAY, OWN))) is PASS


def test_another_publisher_is_a_review_that_names_old_and_new() -> None:
    finding = judge(proof_of(THIEF), past(("1.82.6", DAY, OWN)))
    assert (finding.outcome, finding.at_most) == (Outcome.FAIL, Effect.QUARANTINE)
    assert finding.reason == (
        "published by GitHub thief/litellm (publish.yml), but 1.82.6 by GitHub BerriAI/litellm (publish.yml): "
        "to be reviewed"
    )
    assert finding.changes_at == UPLOADED + 30 * DAY


def test_a_second_file_of_a_new_publisher_gains_nothing_by_the_first() -> None:
    history = past(("1.82.5", 90 * DAY, OWN), ("1.82.7", HOUR, THIEF))
    assert judge(proof_of(THIEF), history).outcome is Outcome.FAIL


def test_a_new_publisher_whose_files_come_first_to_be_verified_is_not_the_first() -> None:
    """The page says that 1.82.5 was attested before; until that is verified, nobody is trusted."""
    finding = judge(proof_of(THIEF), past(("1.82.5", 90 * DAY), ("1.82.7", HOUR, THIEF)))
    assert (finding.outcome, finding.pending) == (Outcome.UNKNOWN, True)


def test_a_publisher_that_time_has_vouched_for_is_trusted() -> None:
    history = past(("1.82.5", 90 * DAY, OWN), ("1.82.6", 26 * DAY, ACCOUNT))
    assert judge(proof_of(ACCOUNT), history, at=UPLOADED + 4 * DAY) is PASS
    assert judge(proof_of(ACCOUNT), history, at=UPLOADED + 3 * DAY).outcome is Outcome.FAIL
    assert judge(proof_of(OWN), history, at=UPLOADED + 4 * DAY) is PASS


@pytest.mark.parametrize(
    "publisher",
    [
        replace(OWN, workflow="release.yml"),
        replace(OWN, repository="BerriAI/renamed"),
        replace(OWN, owner_id="3"),
        replace(OWN, kind=PublisherKind.GITLAB, repository_id="77", owner_id="77"),
    ],
    ids=["workflow", "renamed", "handed over", "service"],
)
def test_the_same_repository_otherwise_is_a_warning_unless_a_policy_is_stricter(publisher) -> None:
    history = past(("1.82.6", DAY, OWN))
    finding = judge(proof_of(publisher), history)
    assert (finding.outcome, finding.at_most) == (Outcome.FAIL, Effect.WARN)
    strict = ProvenanceDowngrade(ignore_after_days=30, same_repository="refuse")
    assert judge(proof_of(publisher), history, rule=strict).at_most is Effect.QUARANTINE


def test_a_revived_name_is_not_the_same_repository() -> None:
    revived = replace(OWN, repository_id="5", owner_id="6")
    finding = judge(proof_of(revived), past(("1.82.6", DAY, OWN)))
    assert (finding.outcome, finding.at_most) == (Outcome.FAIL, Effect.QUARANTINE)


def test_invalid_provenance_fails_also_where_nothing_came_before() -> None:
    for history in (past(), past(("1.82.6", DAY, OWN))):
        finding = judge(Known(Invalid("DSSE: invalid signature")), history)
        assert (finding.outcome, finding.reason) == (
            Outcome.FAIL,
            "its provenance is not valid: DSSE: invalid signature",
        )


def test_silence_in_a_line_that_was_attested_is_unknown_for_good() -> None:
    silent = a_release("1.82.8", provenance=False)
    finding = judge(Unknown("the index does not state provenance"), past(("1.82.6", DAY, OWN)), file=silent)
    assert (finding.outcome, finding.pending) == (Outcome.UNKNOWN, False)


def test_what_is_not_verified_yet_is_pending_and_so_is_a_line_that_nobody_verified() -> None:
    for provenance in (Unknown("its provenance is not verified yet"), proof_of(OWN)):
        finding = judge(provenance, past(("1.82.6", DAY)))
        assert (finding.outcome, finding.pending) == (Outcome.UNKNOWN, True)


def test_without_history_nothing_passes() -> None:
    assert judge(proof_of(OWN), Unknown("no rule asked")).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("decision", list(PublisherDecision))
def test_pinned_and_accepted_publishers_are_trusted(decision) -> None:
    record = a_publisher(pin_of(THIEF), decision)
    history = past(("1.82.6", DAY, OWN))
    assert judge(proof_of(THIEF), history, publishers=(record,)) is PASS
    assert judge(UNATTESTED, history, publishers=(record,)).outcome is Outcome.FAIL


def test_files_without_attestations_can_be_accepted_and_nothing_else_with_them() -> None:
    record = a_publisher(None, PublisherDecision.ACCEPT)
    history = past(("1.82.6", DAY, OWN))
    assert judge(UNATTESTED, history, publishers=(record,)) is PASS
    assert judge(proof_of(THIEF), history, publishers=(record,)).outcome is Outcome.FAIL
    assert judge(Known(Invalid("forged")), history, publishers=(record,)).outcome is Outcome.FAIL


class TestToVerify:
    def wanted(self, file, *listed, rule=RULE, at=AT):
        found = rule.to_verify(evidence_of(file), AttestedUploads((*listed, file)), at)
        return [each.version for each in found]

    def test_the_file_and_the_lines_first(self) -> None:
        files = [a_release("1.80", 8 * DAY), a_release("1.81", 7 * DAY), a_release("2.0", 9 * DAY)]
        assert self.wanted(a_release("1.82"), *files) == ["1.82", "1.80"]

    def test_the_newest_that_is_old_enough_rather_than_the_first(self) -> None:
        files = [a_release("1.79", 90 * DAY), a_release("1.80", 26 * DAY), a_release("1.81", 7 * DAY)]
        assert self.wanted(a_release("1.82"), *files) == ["1.82", "1.80"]

    def test_nothing_of_unattested_silent_old_and_later_files(self) -> None:
        others = [
            a_release("1.79", 9 * DAY, provenance=True),
            a_release("1.80", 9 * DAY, provenance=False),
            a_release("1.83", -DAY),
        ]
        assert self.wanted(a_release("1.82"), *others) == ["1.82"]
        assert self.wanted(a_release("1.82", provenance=True), *others) == []
        assert self.wanted(a_release("1.82", provenance=False), *others) == []
        assert self.wanted(a_release("1.82"), *others, at=UPLOADED + 30 * DAY) == []

    @given(
        files=st.lists(
            st.tuples(
                st.sampled_from(["1.0", "1.1", "1.1.1", "2.0", "1!1.0", None]),
                st.one_of(st.none(), st.integers(0, 60)),
                st.booleans(),
            ),
            min_size=1,
            max_size=12,
        ),
        chosen=st.integers(0, 11),
        line=st.sampled_from(["minor", "major", "project"]),
        days=st.sampled_from([None, 10.0, 30.0]),
    )
    def test_is_what_a_look_at_every_file_of_the_page_finds(self, files, chosen, line, days) -> None:
        listed = [
            a_file(
                version=version,
                filename=f"litellm-{place}.whl",
                upload_time=None if ago is None else UPLOADED - ago * DAY,
                provenance=f"https://index.example/integrity/{place}" if is_attested else True,
            )
            for place, (version, ago, is_attested) in enumerate(files)
        ]
        file, rule = listed[chosen % len(listed)], ProvenanceDowngrade(line=line, ignore_after_days=days)
        expected = (file, *whoever_was_before(file, listed, rule)) if is_looked_at(file, rule) else ()
        assert rule.to_verify(evidence_of(file), AttestedUploads(listed), UPLOADED) == expected


def is_looked_at(file, rule) -> bool:
    ago = None if file.upload_time is None else (UPLOADED - file.upload_time) / DAY
    return isinstance(file.provenance, str) and (None in (ago, rule.ignore_after_days) or ago < rule.ignore_after_days)


def whoever_was_before(file, listed, rule):
    """The anchor of a file's line as it is defined: by a look at all files of the page."""

    def line_of(other):
        lines = lines_of(other.version)
        return None if lines is None else dict(zip(("minor", "major", "project"), lines, strict=True))[rule.line]

    def came(other):
        return other.upload_time or BEGINNING

    before = [
        other
        for other in listed
        if isinstance(other.provenance, str)
        and other is not file
        and (file.upload_time is None or came(other) < file.upload_time)
        and line_of(file) in (None, line_of(other))
    ]
    limit = None if rule.ignore_after_days is None else UPLOADED - rule.ignore_after_days * DAY
    old = [other for other in before if limit and other.upload_time and other.upload_time <= limit]
    return [max(old, key=came)] if old else [min(before, key=came)] if before else []


@given(
    lives=st.lists(st.tuples(st.integers(0, 400), st.sampled_from([OWN, THIEF, ACCOUNT])), min_size=1, max_size=8),
    own=st.sampled_from([OWN, THIEF, ACCOUNT]),
)
def test_whatever_was_verified_a_publisher_passes_only_as_first_or_as_old(lives, own) -> None:
    """However many files a new publisher adds, and in whatever order, they vouch for none of their own kind."""
    history = past(*((f"1.{days}", timedelta(days=days, hours=1), by) for days, by in lives))
    finding = judge(proof_of(own), history, version="1.999")
    firsts = max(days for days, _ in lives)
    fair = any(
        by == own and (days == firsts or AT - UPLOADED + timedelta(days=days, hours=1) >= 30 * DAY)
        for days, by in lives
    )
    assert (finding is PASS) == fair
