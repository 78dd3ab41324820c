"""Links in sdists: none may lead out of the tree, and nothing may be written through one."""

import tarfile

from pinfold.domain.inspection import Kind
from pinfold.inspection.notes import Notes
from pinfold.inspection.paths import escapes


class Links:
    """The links of one archive, checked as they come."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._files: set[str] = set()
        self._links: set[str] = set()

    def add(self, path: str, member: tarfile.TarInfo) -> None:
        """Check an entry, and where it points to if it is a link."""
        above = path.rpartition("/")[0]
        while above:
            if above in self._links:
                self._notes.observe(Kind.LINK_ESCAPE, f"is written through the link {above!r}", path)
                break
            above = above.rpartition("/")[0]
        if member.issym():
            self._links.add(path)
            if _leaves(path, member.linkname):
                self._notes.observe(Kind.LINK_ESCAPE, f"a symbolic link out of the tree: {member.linkname!r}", path)
        elif member.islnk():
            if member.linkname.removeprefix("./") not in self._files:
                self._notes.observe(
                    Kind.LINK_ESCAPE, f"a hard link to what is no file before it: {member.linkname!r}", path
                )
        else:
            self._files.add(path)


def _leaves(path: str, target: str) -> bool:
    """Tell whether a symbolic link can lead out of the archive's top folder.

    Going up is allowed at the start only, where it climbs real folders: behind another link it could climb anywhere.
    """
    if not target or "\\" in target or "\0" in target:
        return True
    parts = target.split("/")
    climbs = 0
    while climbs < len(parts) and parts[climbs] in ("..", "."):
        climbs += 1
    below = "/".join(parts[climbs:])
    depth = path.count("/") - parts[:climbs].count("..")
    return depth < 1 or escapes(below) or target.startswith("/")
