"""Where a Pinfold serves what an upstream has."""

from tests.fakes.upstream import FakeFile


def address(file: FakeFile, index: str = "") -> str:
    """Return a file's address in an index; in main without one."""
    prefix = f"/{index}" if index else ""
    return f"{prefix}/files/{file.project}/{file.sha256}/{file.filename}"


def integrity(file: FakeFile) -> str:
    """Return the address of a file's provenance."""
    return f"/integrity/{file.project}/{file.version}/{file.filename}/provenance"
