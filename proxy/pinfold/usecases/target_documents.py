"""Documents that name many targets at once: OSV advisories, requirements files, and locks (PEP 751)."""

import json
import tomllib
from dataclasses import dataclass, field
from datetime import datetime

from packaging.pylock import Pylock, PylockValidationError
from packaging.requirements import InvalidRequirement, Requirement

from pinfold.advisories.osv_record import read_record
from pinfold.advisories.ranges import Versions, affected
from pinfold.domain.advisory import Claim
from pinfold.domain.errors import InvalidAdvisory, InvalidDocument, InvalidTarget
from pinfold.domain.target import HashTarget, ReleaseTarget, Target, parse_target
from pinfold.locks.requirements import logical_lines
from pinfold.ports.audit_log import AuditLog


@dataclass
class Named:
    """What documents name."""

    targets: dict[Target, str] = field(default_factory=dict)
    """Each with the place that names it."""
    claims: list[tuple[str, Claim]] = field(default_factory=list)
    """What advisories claim of projects, by the projects' names."""

    async def resolve(self, audit_log: AuditLog) -> dict[Target, str]:
        """Return all targets; advisories mean exactly those releases, of all that were asked for, that are affected.

        Ranges are evaluated as OSV prescribes, which no PEP 440 specifier could express: `<2` leaves out 2rc1.
        """
        found = dict(self.targets)
        for project, claim in self.claims:
            for sha256 in sorted(claim.hashes):
                found.setdefault(HashTarget(sha256), claim.id)
            for version in sorted(affected(claim, Versions.of(await audit_log.versions(project)))):
                found.setdefault(ReleaseTarget(project, f"=={version}"), claim.id)
        return found


def parse_targets(text: str, source: str, at: datetime) -> Named:
    """Return what a document names.

    `source` is the document's path: `.json` is an OSV advisory, or an array of them; `.toml` a lock; anything else a
    requirements file. An advisory that is withdrawn at the moment claims nothing. Raises InvalidDocument with every
    mistake: an exposure that leaves something out would be a wrong answer.
    """
    reader = _Reader(source)
    if source.endswith(".json"):
        reader.read_advisories(text, at)
    elif source.endswith(".toml"):
        reader.read_lock(text)
    else:
        reader.read_requirements(text)
    return reader.result()


class _Reader:
    """Collects targets and mistakes."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._named = Named()
        self._problems: list[str] = []

    def result(self) -> Named:
        """Return what is named; raise InvalidDocument where there was a mistake, or where nothing is named."""
        if not (self._named.targets or self._named.claims or self._problems):
            self._reject("", "names nothing that could have been fetched")
        if self._problems:
            raise InvalidDocument(self._source, self._problems)
        return self._named

    def read_advisories(self, text: str, at: datetime) -> None:
        """Read an OSV advisory, or an array of them."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            self._reject("", f"is not JSON: {error}")
            return
        for advisory in document if isinstance(document, list) else [document]:
            try:
                self._named.claims += read_record(json.dumps(advisory).encode(), at).claims
            except InvalidAdvisory as error:
                self._reject("", str(error))

    def read_lock(self, text: str) -> None:
        """Read a `pylock.toml`: its packages by name and version, whichever of their files were locked."""
        try:
            lock = Pylock.from_dict(tomllib.loads(text))
        except (tomllib.TOMLDecodeError, PylockValidationError) as error:
            self._reject("", f"is no lock: {error}")
            return
        for package in lock.packages:
            if package.index is not None or package.sdist is not None or package.wheels:
                self._add(f"{package.name}=={package.version}" if package.version else package.name, "lock")

    def read_requirements(self, text: str) -> None:
        """Read a requirements file as pip does; what it includes (`-r`, `-c`) has to be asked for by itself."""
        for number, line in logical_lines(text):
            if line.startswith(("-r", "-c", "--requirement", "--constraint")):
                self._reject(f"line {number}", f"{line.split()[0]} leads to another file: ask for that one as well")
            elif line.startswith(("-e", "--editable")):
                self._reject(f"line {number}", "names no project: a folder comes from no index")
            elif not line.startswith("-"):
                self._add_requirement(line.split(" --")[0], f"line {number}")

    def _add_requirement(self, text: str, place: str) -> None:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            self._reject(place, str(error).splitlines()[0])
        else:
            self._add(f"{requirement.name}{requirement.specifier}", place)

    def _add(self, text: str, place: str) -> None:
        try:
            self._named.targets.setdefault(parse_target(text), place)
        except InvalidTarget as error:
            self._reject(place, str(error))

    def _reject(self, place: str, problem: str) -> None:
        self._problems.append(": ".join(part for part in (self._source, place, problem) if part))
