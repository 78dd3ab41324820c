"""Case documents: the facts of real releases, with what policies are expected to decide at given moments."""

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from pinfold.domain.errors import InvalidCases, InvalidName
from pinfold.domain.inspection import Kind
from pinfold.domain.names import normalise, parse_filename
from pinfold.domain.project import StatusMarker
from pinfold.domain.suggestion import suggestion
from pinfold.policy.case_advisories import AdvisoryFacts
from pinfold.policy.publishers import PublisherTable
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
