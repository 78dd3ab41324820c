"""How a project is judged: all of its files at once, or those alone that something new was seen in."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from msgspec import structs

from pinfold.advisories.assess import assess
from pinfold.domain.decision import Decision
from pinfold.domain.evidence import Evidence, Item, Known, Unknown
from pinfold.domain.inspection import Inspection
from pinfold.domain.project import File
from pinfold.domain.release_lines import born
from pinfold.policy import engine
from pinfold.usecases.compare_contents import Comparison, ProjectInspections
from pinfold.usecases.find_project import Found
from pinfold.usecases.gather_evidence import provenance_of, resemblance_of
from pinfold.usecases.indexes import Index
from pinfold.usecases.inspections import Contents
from pinfold.usecases.judged_project import EVERYTHING, JudgedFile, JudgedProject, is_offered, newest_allowed
from pinfold.usecases.judgement import Grounds
from pinfold.usecases.provenances import FileKey, key_of

NEWEST = 20
"""Files of a project whose provenance is verified ahead: what an unpinned install looks at first."""


def judge(
    index: Index,
    name: str,
    found: Found,
    grounds: Grounds,
    at: datetime,
) -> JudgedProject:
    """Judge every file of a project at a moment; pure, and too long for the event loop where there are many files."""
    knowledge, contents, about = grounds.knowledge, grounds.contents, grounds.about
    listed = found.listing.project.files
    everything = (*listed, *found.listing.vanished_files())
    project = JudgedProject(
        index,
        name,
        found,
        files=(),
        grounds=grounds,
        records=grounds.records.for_project(name),
        judged_at=at,
        provenance=provenance_of(found.listing, knowledge) if knowledge else None,
        advisories=about if isinstance(about, Unknown) else Known(assess(about.value, everything)),
        inspections=ProjectInspections(contents) if contents else None,
        resemblance=resemblance_of(found.listing, grounds.likenesses),
    )
    judged = [
        JudgedFile(evidence.file, evidence, decision, vanished=position >= len(listed))
        for position, (evidence, decision) in enumerate(_decisions(project, everything, at))
    ]
    if isinstance(project.advisories, Known) and project.advisories.value.fixed_by:
        # What a fix would replace is known only now.
        advisories = Known(project.advisories.value.replacing(newest_allowed(judged)))
        project = replace(project, advisories=advisories)
        fixing = [position for position, file in enumerate(everything) if advisories.value.fixes_of(file)]
        for position, (evidence, decision) in zip(
            fixing, _decisions(project, [everything[one] for one in fixing], at), strict=True
        ):
            judged[position] = structs.replace(judged[position], evidence=evidence, decision=decision)
    project = replace(project, files=tuple(judged))
    if contents and contents.inspected:
        project = _compared(project, contents, at)
    return replace(project, to_verify=_to_verify(project, len(listed), at)) if knowledge else project


def judge_seen(project: JudgedProject, contents: Contents, at: datetime) -> JudgedProject | None:
    """Judge a project after more was seen in its files, where nothing else has changed: those that were inspected.

    None where what is in one file can reach the others, so that all of them have to be judged: through the release that
    a fix would replace, or where something that was known is known no more.
    """
    before, advisories = project.grounds.contents, project.advisories
    if before is None or not before.inspected.keys() <= contents.inspected.keys():
        return None
    if isinstance(advisories, Known) and advisories.value.fixed_by:
        return None
    grounds = replace(project.grounds, contents=contents)
    return _compared(replace(project, grounds=grounds, judged_at=at), contents, at)


def _decisions(project: JudgedProject, files: Sequence[File], at: datetime) -> Iterator[tuple[Evidence, Decision]]:
    rules, gathered = project.index.policy.for_project(project.name), project.evidence_of(files)
    waivers_of = partial(project.records.waivers_of, project.name)
    decisions = engine.decide_each(rules, project.about, gathered, waivers_of, at, awaited=EVERYTHING)
    return zip(gathered, decisions, strict=True)


def _compared(project: JudgedProject, contents: Contents, at: datetime) -> JudgedProject:
    """Judge the files that were inspected once more, now with what is in them and in earlier releases."""
    judged = list(project.files)

    def is_allowed(position: int) -> bool:
        return is_offered(judged[position])

    def is_settled(position: int) -> bool:
        return not project.awaits_inspection(judged[position])

    comparison = Comparison([each.file for each in judged], contents, is_allowed, is_settled)
    known: dict[FileKey, Item[Inspection]] = {}
    project = replace(project, inspections=ProjectInspections(contents, known))
    for position in comparison.order():
        file = judged[position].file
        known[key_of(file)] = Known(comparison.inspection_of(position))
        ((evidence, decision),) = _decisions(project, [file], at)
        judged[position] = structs.replace(judged[position], evidence=evidence, decision=decision)
    return replace(project, files=tuple(judged))


def _to_verify(project: JudgedProject, listed: int, at: datetime) -> tuple[File, ...]:
    newest = sorted(project.files[:listed], key=lambda judged: born(judged.file), reverse=True)[:NEWEST]
    return tuple(dict.fromkeys(file for each in newest for file in project.to_verify_for(each, at)))
