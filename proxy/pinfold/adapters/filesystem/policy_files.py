"""Policy documents and cases on disk: those shipped with Pinfold, and those of an organisation's own."""

from pathlib import Path
from typing import TYPE_CHECKING

import pinfold
from pinfold.domain.errors import InvalidCases, InvalidDocument, InvalidPolicy
from pinfold.domain.suggestion import suggestion
from pinfold.policy.document import parse_policy
from pinfold.policy.engine import Policy

if TYPE_CHECKING:
    from pinfold.policy.cases import Case

EVERYDAY_NAMES = "everyday-names.txt"


class PolicyFiles:
    """Reads folders of policies: documents `*.toml`, and their cases in `cases/*.toml`."""

    def __init__(self, shipped: Path | None = None) -> None:
        self._shipped = shipped or _shipped_folder()

    def names(self) -> list[str]:
        """Return the names of the shipped policies."""
        return sorted(path.stem for path in self._shipped.glob("*.toml"))

    def load(self, name_or_path: str) -> Policy:
        """Return a policy by its shipped name, or by the path of a document, which ends in `.toml`.

        Raises InvalidPolicy, also where there is no such policy or its document cannot be read.
        """
        if name_or_path.endswith(".toml"):
            return _load(Path(name_or_path))
        if name_or_path not in (known := self.names()):
            problem = f"there is no such policy{suggestion(name_or_path, known)}; a document's path ends in .toml"
            raise InvalidPolicy(name_or_path, [problem])
        return _load(self._shipped / f"{name_or_path}.toml")

    def policies(self, folder: Path | None = None) -> dict[str, Policy]:
        """Return the shipped policies, and those of a folder, by the names of their documents.

        Raises InvalidPolicy with the problems of all documents.
        """
        paths = {path.stem: path for path in _documents(self._shipped)}
        if folder is not None:
            paths |= {path.stem: path for path in _documents(folder)}
        found: dict[str, Policy] = {}
        problems: list[str] = []
        for name, path in sorted(paths.items()):
            try:
                found[name] = _load(path)
            except InvalidPolicy as error:
                problems += error.problems
        if problems:
            raise InvalidPolicy(str(folder or self._shipped), problems)
        return found

    def cases(self, folder: Path | None = None) -> "list[Case]":
        """Return the cases in a folder's `cases/`, or the shipped ones; they may name any of `policies(folder)`.

        Raises InvalidCases with the problems of all documents, and where there is no case at all: a test that tests
        nothing must not pass.
        """
        # Slow to load, and no server needs it.
        from pinfold.policy.cases import parse_cases

        folder = folder or self._shipped
        names = {path.stem for path in [*_documents(self._shipped), *_documents(folder)]}
        found: list[Case] = []
        problems: list[str] = []
        for path in _documents(folder / "cases"):
            try:
                found += parse_cases(_text(path, InvalidCases), str(path), names)
            except InvalidCases as error:
                problems += error.problems
        if not found and not problems:
            problems = [f"{folder / 'cases'}: holds no case: put documents *.toml there"]
        if problems:
            raise InvalidCases(str(folder), problems)
        return found

    def everyday_names(self) -> list[str]:
        """Return the names of the projects that nearly everybody installs sooner or later; raises InvalidPolicy."""
        lines = _text(self._shipped / EVERYDAY_NAMES, InvalidPolicy).splitlines()
        return [line for line in lines if line and not line.startswith("#")]


def _shipped_folder() -> Path:
    """Return where the policies are: inside the package as installed, or beside the code in a checkout."""
    package = Path(pinfold.__file__).parent
    installed = package / "policies"
    return installed if installed.is_dir() else package.parent.parent / "policies"


def _documents(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.toml"))


def _load(path: Path) -> Policy:
    return parse_policy(_text(path, InvalidPolicy), str(path))


def _text(path: Path, error: type[InvalidDocument]) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as failed:
        raise error(str(path), [f"{path}: cannot be read: {failed.strerror}"]) from failed
    except UnicodeDecodeError as failed:
        raise error(str(path), [f"{path}: is not UTF-8 text"]) from failed
