"""What policies decide in cases: the evidence that their facts come to, and the decision on it."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from pinfold.advisories.assess import assess
from pinfold.domain.advisory import Advisories
from pinfold.domain.decision import Decision, Effect
from pinfold.domain.evidence import Evidence, Known, Origin, StatusSighting
from pinfold.domain.inspection import Inspection, Kind, Observation
from pinfold.domain.listing import Sighting
from pinfold.domain.look_alikes import Likeness, Resemblance, Slip
from pinfold.domain.names import newest_release, parse_filename
from pinfold.domain.project import File, StatusMarker, UpstreamStatus
from pinfold.domain.provenance import (
    AccountPublisher,
    Attestation,
    Environment,
    Predicate,
    Provenance,
    Publisher,
    PublisherKind,
    Unattested,
    Verified,
    WorkflowPublisher,
)
from pinfold.domain.release_lines import AttestedFile, ProjectHistory
from pinfold.policy.case_advisories import claims_at
from pinfold.policy.cases import Case, FileFacts, StatusFacts
from pinfold.policy.engine import Policy, decide
from pinfold.policy.publishers import Account, PublisherTable


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What a policy decided of one file of a case at one moment."""

    case: str
    filename: str
    at: datetime
    policy: str
    expected: str
    got: str
    reason: str
    """The deciding rule's; empty where the file is allowed."""

    @property
    def passed(self) -> bool:
        """Whether the decision is the expected one."""
        return self.got == self.expected


def run_cases(cases: Collection[Case], policies: Mapping[str, Policy]) -> list[CaseResult]:
    """Return what each policy decides in each case, in the order of the documents."""
    return [
        _result(case, facts, expectation.at, policies[name], name, expected)
        for case in cases
        for expectation in case.expectations
        for facts in case.matching(expectation)
        for name, expected in expectation.outcomes.items()
    ]


def evidence_at(case: Case, facts: FileFacts, at: datetime, *, replaces: str | None = None) -> Evidence:
    """Return what an installation that watched the project would know of a file at a moment.

    `replaces` is the newest release that is allowed without any exemption for fixes, where that is known.
    """
    file = _file(case, facts)
    present = [_file(case, each) for each in case.files if each.uploaded <= at]
    assessment = assess(claims_at(case.project, case.advisories, at), present).replacing(replaces)
    vanished = facts.vanished if facts.vanished is not None and facts.vanished <= at else None
    status = max((status for status in case.statuses if status.since <= at), key=_since, default=None)
    return Evidence(
        project=case.project,
        file=file,
        origin=Origin("pypi", private=case.private_upstream),
        private_name=case.private_name,
        sighting=Known(Sighting(facts.seen or facts.uploaded, file.sha256, vanished_at=vanished)),
        upstream_status=Known(
            StatusSighting(UpstreamStatus(status.marker), status.since)
            if status is not None and status.marker is not StatusMarker.ACTIVE
            else StatusSighting(UpstreamStatus(), None)
        ),
        provenance=Known(_provenance(facts)),
        inspection=Known(
            Inspection(inspector=0, observations=_observations(facts.observed), news=_observations(facts.brings))
        ),
        history=Known(
            ProjectHistory(
                AttestedFile(_file(case, each), (_publisher(each.attested_by),))
                for each in case.files
                if each.attested_by is not None and each.uploaded <= at
            ).of(file.version)
        ),
        advisories=Known(Advisories() if case.private_upstream else assessment.of(file)),
        resemblance=Known(_resemblance(case, at)),
    )


def _resemblance(case: Case, at: datetime) -> Resemblance | None:
    if not case.resembles or case.private_upstream:
        return None
    likenesses = tuple(Likeness(name, Slip.LETTERS, everyday=True) for name in case.resembles)
    present = [_file(case, each) for each in case.files if each.uploaded <= at]
    uploads = (file.upload_time for file in present if file.upload_time is not None)
    return Resemblance(likenesses, min(uploads, default=None), len({file.version for file in present}))


def _observations(kinds: Collection[Kind]) -> tuple[Observation, ...]:
    return tuple(Observation(kind, "says the case") for kind in kinds)


def _file(case: Case, facts: FileFacts) -> File:
    name = parse_filename(facts.filename, case.project)
    return File(
        filename=facts.filename,
        url=f"https://files.example/{facts.filename}",
        sha256=facts.sha256 or hashlib.sha256(facts.filename.encode()).hexdigest(),
        kind=name.kind,
        version=name.version,
        upload_time=facts.uploaded,
        provenance=f"https://index.example/{facts.filename}/provenance" if facts.attested_by else True,
    )


def _provenance(facts: FileFacts) -> Provenance:
    if facts.attested_by is None:
        return Unattested()
    return Verified((Attestation(Predicate.PUBLISH, _publisher(facts.attested_by), facts.uploaded),))


def _publisher(table: PublisherTable) -> Publisher:
    if isinstance(table, Account):
        return AccountPublisher(table.email)
    environment = Environment(table.environment, certified=True) if table.environment else None
    return WorkflowPublisher(PublisherKind(table.kind), table.repository, table.workflow or "", environment)


def _since(status: StatusFacts) -> datetime:
    return status.since


def _result(case: Case, facts: FileFacts, at: datetime, policy: Policy, policy_name: str, expected: str) -> CaseResult:
    replaces = _newest_allowed(case, at, policy) if any(one.fixed for one in case.advisories) else None
    decision = decide(policy.for_project(case.project), evidence_at(case, facts, at, replaces=replaces), (), at)
    reason = decision.deciding.finding.reason if decision.deciding else ""
    return CaseResult(case.name, facts.filename, at, policy_name, expected, _outcome_of(decision), reason)


def _newest_allowed(case: Case, at: datetime, policy: Policy) -> str | None:
    rules = policy.for_project(case.project)
    present = [
        facts for facts in case.files if facts.uploaded <= at and (facts.vanished is None or at < facts.vanished)
    ]
    decisions = [(_file(case, facts), decide(rules, evidence_at(case, facts, at), (), at)) for facts in present]
    return newest_release(file.version for file, decision in decisions if not decision.refused)


def _outcome_of(decision: Decision) -> str:
    if decision.deciding is None:
        return Effect.ALLOW.label
    return f"{decision.effect.label} by {decision.deciding.rule}"
