"""What METADATA and PKG-INFO say (the core metadata specification), as far as it can contradict the file name."""

from email.parser import BytesParser

from packaging.requirements import InvalidRequirement, Requirement

from pinfold.domain.inspection import Kind
from pinfold.inspection.notes import Notes
from pinfold.inspection.release import Release


def check_metadata(body: bytes, file: str, release: Release, notes: Notes) -> None:
    """Note a name or version other than the file name's, and requirements that no index is asked for."""
    # Headers end at an empty line at the latest; what follows is a description, and may be long.
    message = BytesParser().parsebytes(body.partition(b"\n\n")[0], headersonly=True)
    for header, expected, matches in (
        ("Name", release.project, release.is_project),
        ("Version", release.version, release.is_version),
    ):
        values = [str(value).strip() for value in message.get_all(header, [])]
        if len(values) != 1 or not matches(values[0]):
            stated = ", ".join(map(repr, values)) or "nothing"
            notes.observe(Kind.METADATA_MISMATCH, f"{header} is {stated}, where the file name says {expected!r}", file)
    for value in message.get_all("Requires-Dist", []):
        note_direct_url(str(value), file, notes)


def note_direct_url(requirement: str, file: str, notes: Notes) -> None:
    """Note a requirement that is fetched from an address of its own, past every index."""
    if "@" not in requirement:
        return
    try:
        parsed = Requirement(requirement)
    except (InvalidRequirement, RecursionError):
        return
    if parsed.url is not None:
        notes.observe(Kind.DIRECT_URL, f"requires {parsed.name} from {parsed.url}", file)
