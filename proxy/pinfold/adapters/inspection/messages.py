"""What a server and its inspecting processes say to one another: one line of JSON each."""

import msgspec

from pinfold.domain.inspection import Report


class Ask(msgspec.Struct):
    """An archive to inspect, listed under a file name of a project's version."""

    path: str
    filename: str
    project: str
    version: str | None


class Answer(msgspec.Struct):
    """What came of it: a report, or else why the file could not be read."""

    report: Report | None = None
    why: str = ""
