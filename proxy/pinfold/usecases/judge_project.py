"""How a project is judged: what its files have in common is worked out at once, and each is judged when looked at."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from pinfold.advisories.assess import assess
from pinfold.domain.evidence import Evidence, Item, Known, Unknown
from pinfold.domain.inspection import Inspection
from pinfold.domain.project import File
from pinfold.policy import engine
from pinfold.usecases.beside_the_loop import hold_up_nobody
from pinfold.usecases.compare_contents import Comparison, ProjectInspections, inspected_in
from pinfold.usecases.find_project import Found
from pinfold.usecases.gather_evidence import provenance_of, resemblance_of
from pinfold.usecases.indexes import Index
from pinfold.usecases.inspections import Contents
from pinfold.usecases.judged_files import JudgedFile, JudgedFiles
from pinfold.usecases.judged_project import EVERYTHING, JudgedProject, newest_offered
from pinfold.usecases.judgement import Grounds
from pinfold.usecases.project_files import ProjectFiles, takes_long
from pinfold.usecases.provenances import FileKey, key_of


def judge(
    index: Index,
    name: str,
    found: Found,
    grounds: Grounds,
    at: datetime,
    laid_out: ProjectFiles | None = None,
) -> JudgedProject:
    """Return a project whose files are judged as of a moment, each once it is looked at; pure.

    Only those are judged here that the judgements of others rest on: the releases that inspected files are compared
    with, and the one that a fix would replace. `laid_out` are the files of the listing, where they were before. Raises
    TakesLong on the event loop where there are many.
    """
    if takes_long(found.listing):
        hold_up_nobody()
    knowledge, contents, about = grounds.knowledge, grounds.contents, grounds.about
    laid_out = laid_out or ProjectFiles.of(found.listing)
    project = JudgedProject(
        index,
        name,
        found,
        laid_out,
        JudgedFiles(),
        grounds=grounds,
        records=grounds.records.for_project(name),
        judged_at=at,
        provenance=provenance_of(found.listing, knowledge) if knowledge else None,
        advisories=about if isinstance(about, Unknown) else Known(assess(about.value, laid_out.files)),
        inspections=ProjectInspections(contents) if contents else None,
        resemblance=resemblance_of(found.listing, grounds.likenesses),
    )
    files = JudgedFiles([None] * len(laid_out.files), partial(_judged, project))
    if isinstance(project.advisories, Known) and project.advisories.value.fixed_by:
        # What a fix would replace is known only now.
        advisories = Known(project.advisories.value.replacing(newest_offered(laid_out, files)))
        project = replace(project, advisories=advisories)
        fixing = [place for place, file in enumerate(laid_out.files) if advisories.value.fixes_of(file)]
        files = files.but(fixing, partial(_judged, project))
    project = replace(project, files=files)
    return _compared(project, contents) if contents and contents.inspected else project


def judge_seen(project: JudgedProject, contents: Contents, at: datetime) -> JudgedProject | None:
    """Judge a project after more was seen in its files, where nothing else has changed: those that were inspected.

    None where what is in one file can reach the others, so that all of them have to be judged: through the release that
    a fix would replace, or where something that was known is known no more.
    """
    if takes_long(project.found.listing):
        hold_up_nobody()
    before, advisories = project.grounds.contents, project.advisories
    if before is None or not before.inspected.keys() <= contents.inspected.keys():
        return None
    if isinstance(advisories, Known) and advisories.value.fixed_by:
        return None
    grounds = replace(project.grounds, contents=contents)
    return _compared(replace(project, grounds=grounds, judged_at=at), contents)


def _judged(project: JudgedProject, positions: Sequence[int]) -> Iterator[JudgedFile]:
    """Judge files by all that is known of their project."""
    rules, laid_out = project.index.policy.for_project(project.name), project.laid_out
    waivers_of = partial(project.records.waivers_of, project.name)
    gathered = project.evidence_of([laid_out.files[position] for position in positions])
    decisions = engine.decide_each(rules, project.about, gathered, waivers_of, project.judged_at, awaited=EVERYTHING)
    gather, sightings = partial(_evidence_of, project), project.found.listing.sightings
    for position, decision in zip(positions, decisions, strict=True):
        file = laid_out.files[position]
        yield JudgedFile(file, gather, decision, sightings.get(file.filename), laid_out.is_vanished(position))


def _evidence_of(project: JudgedProject, file: File) -> Evidence:
    (evidence,) = project.evidence_of([file])
    return evidence


def _compared(project: JudgedProject, contents: Contents) -> JudgedProject:
    """Judge the files that were inspected once more, now with what is in them and in earlier releases."""
    known: dict[FileKey, Item[Inspection]] = {}
    project = replace(project, inspections=ProjectInspections(contents, known))
    judged_by = replace(project, files=JudgedFiles())
    files = project.files.but(inspected_in(project.laid_out, contents), partial(_judged, judged_by))

    def is_allowed(position: int) -> bool:
        return files[position].is_offered

    def is_settled(position: int) -> bool:
        return not project.awaits_inspection(files[position])

    comparison = Comparison(project.laid_out, contents, is_allowed, is_settled)
    for position in comparison.order():
        file = project.laid_out.files[position]
        known[key_of(file)] = Known(comparison.inspection_of(position))
    return replace(project, files=files)
