"""What a release has that an earlier one had not, and what it has that belongs to others."""

from collections.abc import Mapping

from pinfold.domain.inspection import Kind, Observation, Report

_JUMP = 5
_JUMP_FROM = 1 << 20


def compare(report: Report, previous: Report) -> list[Observation]:
    """Return what is new against the previous release that was allowed.

    Compare like with like: a wheel with a wheel, best one for the same platform. Of an earlier report that is not
    complete, what it did not see counts as not there.
    """
    known = {(trait.observation.kind, trait.identity) for trait in previous.traits}
    new = [trait.observation for trait in report.traits if (trait.observation.kind, trait.identity) not in known]
    if report.unpacked_size > max(_JUMP_FROM, _JUMP * previous.unpacked_size):
        sizes = f"{report.unpacked_size} bytes unpacked, after {previous.unpacked_size} in the previous release"
        new.append(Observation(Kind.SIZE_JUMP, sizes))
    return new


def foreign_packages(report: Report, owners: Mapping[str, str]) -> list[Observation]:
    """Return the top-level packages and modules that other projects are known to install.

    `owners` maps importable top-level names to the normalised name of the project that each belongs to; shared
    namespaces do not belong in it.
    """
    return [
        Observation(Kind.FOREIGN_PACKAGE, f"installs {name!r}, which belongs to {owners[name]}", name)
        for name in report.top_level
        if owners.get(name, report.project) != report.project
    ]
