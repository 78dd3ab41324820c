"""`provenance-downgrade`: a file that is vouched for less, or by somebody else, than the files before it."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import ClassVar, Literal

from msgspec import structs
from pydantic import Field

from pinfold.domain.decision import PASS, Effect, Finding, Outcome
from pinfold.domain.evidence import Evidence, Need, Unknown
from pinfold.domain.project import File
from pinfold.domain.provenance import Invalid, Likeness, Publisher, Unattested, Verified, likeness
from pinfold.domain.release_lines import AttestedUploads, FirstUse, LineHistory, ProvenanceHistory, born, lines_of
from pinfold.policy.rule import Rule

_POSITION = {"minor": 0, "major": 1, "project": 2}
_LATEST = datetime.max.replace(tzinfo=UTC)


class ProvenanceDowngrade(Rule):
    """Refuse a file that lost its attestation, or changed its publisher, within a release line: trust on first use.

    The first publisher of a line is trusted, whoever it is, and so are later ones once their first file has been
    public for `ignore_after_days`. Files of that age are not looked at, nor are lines that were never attested:
    back-ports to old majors, and most projects.
    """

    id: ClassVar = "provenance-downgrade"
    needs: ClassVar = frozenset({Need.PROVENANCE})

    line: Literal["minor", "major", "project"] = "major"
    """Which releases must be vouched for alike."""
    ignore_after_days: float | None = Field(default=None, gt=0, le=3650)
    """The age at which a file is not looked at any more, and its publisher is trusted; by default there is none."""
    same_repository: Literal["warn", "refuse"] = "warn"
    """What another workflow, service, name or owner of the repository that published before is worth."""

    def judge(self, evidence: Evidence, at: datetime) -> Finding:
        """Compare the file's provenance with that of its release line before it."""
        if self._is_old(evidence.file, at):
            return PASS
        if isinstance(evidence.history, Unknown):
            return Finding(Outcome.UNKNOWN, evidence.history.why)
        before = self._before(evidence.file, evidence.history.value)
        found = self._compare(evidence, before, at)
        return found if found is PASS else self._until_old(found, evidence.file)

    def to_verify(self, evidence: Evidence, attested: AttestedUploads, at: datetime) -> tuple[File, ...]:
        """Return the file, and the one that tells who was before it: the newest that is old enough, else the first."""
        file = evidence.file
        if self._is_old(file, at) or not isinstance(file.provenance, str):
            return ()
        # A file whose name carries no version could belong to any line.
        anchor = self._anchor(file, attested.of(self._line_of(file)), at)
        return (file,) if anchor is None else (file, anchor)

    def _anchor(self, file: File, line: Sequence[File], at: datetime) -> File | None:
        """Find by halves what tells who was before a file that is not old, among thousands in the order of uploads."""
        if self._ignore_after is not None and (old := bisect_right(line, at - self._ignore_after, key=born)):
            newest = line[old - 1]
            if newest.upload_time is not None:
                return line[bisect_left(line, newest.upload_time, key=born)]
        # Where its own upload time is not stated, it may be the first.
        first = next((each for each in line[:2] if each.filename != file.filename), None)
        return first if first is not None and born(first) < _uploaded(file) else None

    def _compare(self, evidence: Evidence, before: LineHistory | None, at: datetime) -> Finding:
        found, file = evidence.provenance, evidence.file
        if isinstance(found, Unknown):
            if before is None and not isinstance(file.provenance, str):
                return PASS
            return Finding(Outcome.UNKNOWN, found.why, pending=isinstance(file.provenance, str))
        match found.value:
            case Invalid(why):
                return Finding(Outcome.FAIL, f"its provenance is not valid: {why}")
            case Unattested():
                return self._lost(evidence, before)
            case Verified(publishers=publishers):
                return self._changed(evidence, publishers, before, at)

    def _lost(self, evidence: Evidence, before: LineHistory | None) -> Finding:
        if before is None or any(each.publisher is None for each in evidence.publishers):
            return PASS
        return Finding(Outcome.FAIL, f"not attested, unlike its release line since {before.attested_version}")

    def _changed(
        self, evidence: Evidence, publishers: Sequence[Publisher], before: LineHistory | None, at: datetime
    ) -> Finding:
        accepted = [each.publisher for each in evidence.publishers if each.publisher is not None]
        if before is None or any(pin.admits(publisher) for pin in accepted for publisher in publishers):
            return PASS
        trusted = self._trusted(evidence.file, before, at)
        if not trusted:
            return Finding(Outcome.UNKNOWN, "nobody who published before it could be verified", pending=True)
        alike = {likeness(use.publisher, publisher) for use in trusted for publisher in publishers}
        if Likeness.SAME in alike:
            return PASS
        last = trusted[-1]
        reason = f"published by {', '.join(map(str, publishers))}, but {last.version} by {last.publisher}"
        if Likeness.SAME_REPOSITORY in alike and self.same_repository == "warn":
            return Finding(Outcome.FAIL, reason, at_most=Effect.WARN)
        # Who publishes is the project's to change: a person can tell a move from a theft.
        return Finding(Outcome.FAIL, f"{reason}: to be reviewed", at_most=Effect.QUARANTINE)

    def _trusted(self, file: File, before: LineHistory, at: datetime) -> list[FirstUse]:
        """Return the publishers that count, by first use: the line's first, and those that time has vouched for."""
        return [
            use
            for use in before.publishers
            if use.at < _uploaded(file) and (use.at <= before.attested_since or self._is_past(use.at, at))
        ]

    def _before(self, file: File, history: ProvenanceHistory) -> LineHistory | None:
        line: LineHistory | None = getattr(history, self.line)
        return line if line is not None and line.attested_since < _uploaded(file) else None

    def _line_of(self, file: File) -> str | None:
        lines = lines_of(file.version)
        return None if lines is None else lines[_POSITION[self.line]]

    @cached_property
    def _ignore_after(self) -> timedelta | None:
        return None if self.ignore_after_days is None else timedelta(days=self.ignore_after_days)

    def _is_old(self, file: File, at: datetime) -> bool:
        return file.upload_time is not None and self._is_past(file.upload_time, at)

    def _is_past(self, moment: datetime, at: datetime) -> bool:
        return self._ignore_after is not None and at - moment >= self._ignore_after

    def _until_old(self, finding: Finding, file: File) -> Finding:
        if self._ignore_after is None or file.upload_time is None:
            return finding
        try:
            changes_at = file.upload_time + self._ignore_after
        except OverflowError:  # An upstream may claim the year 9999.
            return finding
        return structs.replace(finding, changes_at=changes_at)


def _uploaded(file: File) -> datetime:
    """Return when a file came; one whose upload time is not stated comes after all others."""
    return file.upload_time or _LATEST
