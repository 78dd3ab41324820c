"""Policy cases: the facts of real releases, with the decision that a policy is expected to reach at given moments."""

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from pinfold.advisories.assess import assess
from pinfold.domain.advisory import Advisories
from pinfold.domain.decision import Decision, Effect
from pinfold.domain.errors import InvalidCases, InvalidName
from pinfold.domain.evidence import Evidence, Known, Origin, StatusSighting
from pinfold.domain.inspection import Inspection, Kind, Observation
from pinfold.domain.listing import Sighting
from pinfold.domain.look_alikes import Likeness, Resemblance, Slip
from pinfold.domain.names import newest_release, normalise, parse_filename
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
from pinfold.domain.suggestion import suggestion
from pinfold.policy.case_advisories import AdvisoryFacts, claims_at
from pinfold.policy.engine import Policy, decide
from pinfold.policy.publishers import Account, PublisherTable
from pinfold.policy.rule import known_rules
from pinfold.policy.toml_document import Table, TomlDocument, shown

_OUTCOME = re.compile(r"allow|(?:warn|quarantine|deny) by ([a-z0-9-]+)")


def _project(name: str) -> str:
    try:
        return normalise(name)
    except InvalidName as error:
        raise ValueError(str(error)) from error


def _outcome(words: str) -> str:
    match = _OUTCOME.fullmatch(words)
    if match is None:
        raise ValueError('must be "allow", or an effect and the rule that decides, as in "quarantine by minimum-age"')
    if match[1] and match[1] not in known_rules():
        raise ValueError(f"there is no rule {match[1]}{suggestion(match[1], known_rules())}")
    return words


ExpectedOutcome = Annotated[str, AfterValidator(_outcome)]


ObservedKind = Annotated[Kind, Field(strict=False)]


class FileFacts(Table):
    """What is a matter of record about one file of a case; times that lie after the moment of asking do not count."""

    filename: str
    uploaded: AwareDatetime
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """Any will do where the facts do not tell."""
    seen: AwareDatetime | None = None
    """When an installation would first have seen it: at its upload, unless the case is about coming late."""
    vanished: AwareDatetime | None = None
    """When the upstream took it away."""
    observed: Annotated[tuple[ObservedKind, ...], Field(strict=False)] = ()
    """What an inspection observes in it."""
    brings: Annotated[tuple[ObservedKind, ...], Field(strict=False)] = ()
    """What an inspection finds new in it, against the release before."""
    attested_by: PublisherTable | None = None
    """Who published it, by valid attestations; without a publisher the index says that there are none."""


class StatusFacts(Table):
    """A PEP 792 status that the project had from a moment on."""

    marker: Annotated[StatusMarker, Field(strict=False)]
    since: AwareDatetime


class Expectation(Table, extra="allow"):
    """What policies decide at a moment; every further key is a policy's name with the expected outcome."""

    __pydantic_extra__: dict[str, ExpectedOutcome] = Field(init=False)

    at: AwareDatetime
    file: str = "*"
    """The case's files that this is about, as a glob over their names."""

    @property
    def outcomes(self) -> dict[str, str]:
        """The expected outcomes by policy."""
        return self.__pydantic_extra__


class Case(Table):
    """One story: a project, what happened to its files, and what is expected of policies."""

    name: str
    project: Annotated[str, AfterValidator(_project)]
    story: str
    """What happened, for the reader."""
    references: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Ids under which the incident is told at length."""
    private_name: bool = False
    """The index reserves the project's name for this organisation."""
    private_upstream: bool = False
    """The files come from an upstream that belongs to this organisation."""
    resembles: Annotated[tuple[Annotated[str, AfterValidator(_project)], ...], Field(strict=False)] = ()
    """Names in everyday use that the project's could be taken for, while nobody used it here before."""
    files: Annotated[tuple[FileFacts, ...], Field(strict=False, alias="file")]
    statuses: Annotated[tuple[StatusFacts, ...], Field(strict=False, alias="status")] = ()
    advisories: Annotated[tuple[AdvisoryFacts, ...], Field(strict=False, alias="advisory")] = ()
    expectations: Annotated[tuple[Expectation, ...], Field(strict=False, alias="expect")]

    def matching(self, expectation: Expectation) -> list[FileFacts]:
        """Return the files that an expectation is about."""
        return [facts for facts in self.files if fnmatchcase(facts.filename, expectation.file)]


class _Cases(Table):
    case: Annotated[tuple[Case, ...], Field(strict=False)]


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


def parse_cases(text: str, source: str, policies: Collection[str]) -> tuple[Case, ...]:
    """Return the cases of a document that may expect something of the named policies.

    Raises InvalidCases with every mistake and its line.
    """
    document = TomlDocument(text, source, InvalidCases)
    cases = document.read(_Cases, document.tables)
    if cases is None:
        document.fail()
    for position, case in enumerate(cases.case):
        _compare(document, position, case, policies)
    if not document.is_sound:
        document.fail()
    return cases.case


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


def _compare(document: TomlDocument, case_position: int, case: Case, policies: Collection[str]) -> None:
    """Reject what the tables of a case say about one another, or about policies, that cannot be."""
    for position, facts in enumerate(case.files):
        try:
            parse_filename(facts.filename, case.project)
        except InvalidName as error:
            document.reject(str(error), "case", case_position, "file", position, "filename")
    for position, expectation in enumerate(case.expectations):
        place = ("case", case_position, "expect", position)
        if not expectation.outcomes:
            document.reject("expects nothing: add a policy's name with an outcome", *place)
        for name in expectation.outcomes.keys() - set(policies):
            document.reject(f"there is no such policy{suggestion(name, policies)}", *place, name)
        matching = case.matching(expectation)
        if not matching:
            document.reject(f"no file of the case is called {shown(expectation.file)}", *place, "file")
        for facts in matching:
            known_from = facts.seen or facts.uploaded
            if expectation.at < known_from:
                document.reject(f"{facts.filename} is not there before {known_from.isoformat()}", *place, "at")
