"""Files judged as a request for them would be, for those who only want to know."""

from pinfold.usecases.decide import INSPECTION, Gate
from pinfold.usecases.judged_files import JudgedFile
from pinfold.usecases.judged_project import JudgedProject


async def judged_for_good(gate: Gate, project: JudgedProject, judged: JudgedFile) -> JudgedFile:
    """Return a file of a page with what the page leaves open established, except for what only its bytes can tell.

    A release may have gigabytes of files, of which nobody asks for any. Raises UpstreamError and StoreError.
    """
    if not any(verdict.finding.pending for verdict in judged.decision.verdicts):
        return judged
    file = judged.file
    found = await gate.judge_file(project.index, project.name, file.filename, file.sha256, awaited=INSPECTION)
    return found[1] if found else judged
