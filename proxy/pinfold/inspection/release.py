"""The release that an archive's name claims it to be."""

from dataclasses import dataclass

from pinfold.domain.errors import InvalidName
from pinfold.domain.names import normalise, parse_version


@dataclass(frozen=True, slots=True)
class Release:
    """A project in its normalised spelling and a version; the version is None where the file name carries none."""

    project: str
    version: str | None

    def is_project(self, name: str) -> bool:
        """Tell whether a name is the project's, in any spelling (PEP 503)."""
        try:
            return normalise(name) == self.project
        except InvalidName:
            return False

    def is_version(self, text: str) -> bool:
        """Tell whether a text spells the version (PEP 440); anything does where the version is not known."""
        if self.version is None:
            return True
        version = parse_version(text)
        return version == parse_version(self.version) if version is not None else text == self.version

    def is_named_by(self, folder: str) -> bool:
        """Tell whether a text of the form "name-version" names the release."""
        project, _, version = folder.rpartition("-")
        return self.is_project(project) and self.is_version(version)

    def __str__(self) -> str:
        return f"{self.project} {self.version}" if self.version else self.project

    def without_version(self, text: str) -> str:
        """Return a text that stays the same from one release to the next although it may name the version."""
        if self.version is None or "." not in self.version:
            return text
        for spelling in {self.version, self.version.replace(".", "_")}:
            text = text.replace(spelling, "*")
        return text
