"""What would be decided of a target, by which rules, on which evidence."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from packaging.version import Version

from pinfold.domain.decision import Effect, Verdict
from pinfold.domain.errors import InvalidName, NotFound
from pinfold.domain.evidence import plain
from pinfold.domain.names import parse_filename, parse_version, possible_projects
from pinfold.domain.project import File, RejectedEntry
from pinfold.domain.target import FileTarget, HashTarget, ProjectTarget, ReleaseTarget, Target
from pinfold.ports.audit_log import AuditLog, AuditQuery
from pinfold.usecases.decide import INSPECTION, Gate
from pinfold.usecases.indexes import Index
from pinfold.usecases.judged_files import JudgedFile
from pinfold.usecases.judged_project import JudgedProject
from pinfold.usecases.settle import judged_for_good


@dataclass(frozen=True)
class ExplainedRelease:
    """The files of one release that a target means."""

    version: str | None
    """None for files whose names carry no version."""
    files: tuple[JudgedFile, ...]

    @cached_property
    def gravest(self) -> JudgedFile:
        """The first of the files that are judged worst."""
        return max(self.files, key=_effect)

    @cached_property
    def refused(self) -> tuple[JudgedFile, ...]:
        """The files that clients are kept from."""
        return tuple(judged for judged in self.files if judged.refused)


@dataclass(frozen=True)
class Explanation:
    """The judgement of everything that a target means in one index, newest release first."""

    target: Target
    project: JudgedProject
    releases: tuple[ExplainedRelease, ...]
    rejected: tuple[RejectedEntry, ...]
    """Entries of the upstream's page that are never served, because they cannot be judged or verified."""

    @cached_property
    def refused(self) -> bool:
        """Whether an installer that asks for the target gets nothing: every file of it is refused."""
        return all(len(release.refused) == len(release.files) for release in self.releases)


class Explain:
    """Judges targets without serving them: the gate's own decisions, laid open."""

    def __init__(self, gate: Gate, audit_log: AuditLog) -> None:
        self._gate = gate
        self._audit_log = audit_log

    async def explain(self, index: Index, target: Target) -> Explanation:
        """Return what would be decided now.

        Raises NotFound where the target means no file, UpstreamError and StoreError where nothing can be decided.
        """
        if isinstance(target, HashTarget):
            return await self._explain_hash(index, target)
        nearest: JudgedProject | None = None
        for name in _possible_projects(target):
            project = await self._gate.judge_project(index, name)
            if project is not None:
                nearest = nearest or project
                if (explanation := _explanation(target, project)) is not None:
                    return explanation if isinstance(target, ProjectTarget) else await self._settled(explanation)
        raise NotFound(_nothing_meant(index, target, nearest))

    async def _settled(self, explanation: Explanation) -> Explanation:
        """Have the files judged for good that a page leaves open, as a request for them would."""
        project = explanation.project
        releases = []
        for release in explanation.releases:
            files = [await judged_for_good(self._gate, project, judged) for judged in release.files]
            releases.append(ExplainedRelease(release.version, tuple(files)))
        # What was learnt by that may change which release is the last good one.
        project = await self._gate.judge_project(project.index, project.name) or project
        return replace(explanation, project=project, releases=tuple(releases))

    async def _judge(
        self, index: Index, project: str, filename: str, sha256: str
    ) -> tuple[JudgedProject, JudgedFile] | None:
        # What is not inspected stays open: a release may have gigabytes of files, and nobody asks for any of them here.
        return await self._gate.judge_file(index, project, filename, sha256, awaited=INSPECTION)

    async def _explain_hash(self, index: Index, target: HashTarget) -> Explanation:
        """Explain bytes by what was once asked for here: no index can be asked for a hash."""
        for known in await self._audit_log.search(AuditQuery(sha256=target.sha256, index=index.name)):
            project, filename = known.entry.project, known.entry.filename
            if not project or not filename:
                continue
            found = await self._judge(index, project, filename, target.sha256)
            whole = await self._gate.judge_project(index, project) if found else None
            if found is not None and whole is not None:
                return Explanation(target, whole, _by_release([found[1]]), ())
        raise NotFound(
            f"no file with the hash {target.sha256[:12]}... was ever asked for in index {index.name}: name the file"
        )


def document(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as plain data for JSON."""
    project = explanation.project
    listing = project.found.listing
    return {
        "target": str(explanation.target),
        "refused": explanation.refused,
        "index": project.index.name,
        "policy": {"name": project.index.policy.name, "digest": project.index.policy.digest},
        "project": project.name,
        "last_good": project.last_good,
        "judged_at": plain(project.judged_at),
        "changes_at": plain(project.changes_at),
        "upstream": {
            "name": project.found.source.name,
            "private": project.found.source.private,
            "fetched_at": plain(listing.fetched_at),
            "stale": project.found.stale,
            "missing": listing.missing,
            "status": plain(listing.project.status),
            "status_since": plain(listing.status_since),
        },
        "releases": [
            {
                "version": release.version,
                "effect": release.gravest.decision.effect.label,
                "refused_files": len(release.refused),
                "files": [_file(project, judged) for judged in release.files],
            }
            for release in explanation.releases
        ],
        "rejected": plain(explanation.rejected),
    }


def _file(project: JudgedProject, judged: JudgedFile) -> dict[str, Any]:
    decision = judged.decision
    return {
        "filename": judged.file.filename,
        "sha256": judged.file.sha256,
        "vanished": judged.vanished,
        "effect": decision.effect.label,
        "refused": judged.refused,
        "line": project.refusal_of(judged) if judged.refused else None,
        "reference": judged.reference(),
        "changes_at": plain(decision.changes_at),
        "verdicts": [_verdict(verdict) for verdict in decision.verdicts],
        "policy_digest": decision.policy_digest,
        "evidence_digest": judged.evidence.digest(),
        "evidence": plain(judged.evidence),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "rule": verdict.rule,
        "outcome": verdict.finding.outcome.value,
        "reason": verdict.finding.reason,
        "effect": verdict.effect.label,
        "mode": verdict.mode.value,
        "waiver": verdict.waiver,
        "changes_at": plain(verdict.finding.changes_at),
    }


def _possible_projects(target: ProjectTarget | ReleaseTarget | FileTarget) -> list[str]:
    # A file name does not always tell where the project ends and the version begins.
    return possible_projects(target.filename) if isinstance(target, FileTarget) else [target.project]


def _explanation(target: Target, project: JudgedProject) -> Explanation | None:
    meant = [judged for judged in project.files if target.covers(project.name, judged.file)]
    entries = project.found.listing.project.rejected
    rejected = tuple(entry for entry in entries if _means(target, project.name, entry.filename))
    return Explanation(target, project, _by_release(meant), rejected) if meant or rejected else None


def _nothing_meant(
    index: Index, target: ProjectTarget | ReleaseTarget | FileTarget, nearest: JudgedProject | None
) -> str:
    if nearest is not None:
        offered = f"; its last good release is {nearest.last_good}" if nearest.last_good else ""
        return f"{nearest.name} has no file that {target} means{offered}"
    if index.reserves(target.project):
        return f"no private upstream of index {index.name} has {target.project}, and others are not asked for that name"
    return f"no upstream of index {index.name} has a project {target.project}"


def _by_release(files: Iterable[JudgedFile]) -> tuple[ExplainedRelease, ...]:
    by_version: dict[str | None, list[JudgedFile]] = {}
    for judged in files:
        by_version.setdefault(judged.file.version, []).append(judged)
    newest_first = sorted(by_version.items(), key=lambda item: _order(item[0]), reverse=True)
    return tuple(ExplainedRelease(version, tuple(found)) for version, found in newest_first)


def _order(version: str | None) -> tuple[bool, Version]:
    parsed = parse_version(version) if version else None
    return parsed is not None, parsed or Version("0")


def _effect(judged: JudgedFile) -> Effect:
    return judged.decision.effect


def _means(target: Target, project: str, filename: str) -> bool:
    """Tell whether a target means an index entry that is no file."""
    try:
        name = parse_filename(filename, project)
    except InvalidName:
        return str(target) in (project, filename)
    return target.covers(project, File(filename, url="", sha256="", kind=name.kind, version=name.version))
