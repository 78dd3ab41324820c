"""The real installers, each in its own hash-pinned environment, apart from the machine's settings and caches."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CLIENTS = Path(__file__).parents[2] / ".venv" / "clients"


@dataclass(frozen=True)
class Outcome:
    """What an installer did and printed."""

    status: int
    output: str
    installed: dict[str, str]
    """By project, the version that arrived."""

    def __str__(self) -> str:
        return f"exit status {self.status}, installed {self.installed}\n{self.output}"


class Client:
    """One installer in a folder of its own."""

    name = ""
    prints_reasons = True
    """Whether it shows the reason phrase or the yank text of what it was refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "NO_COLOR": "1",
            "COLUMNS": "500",
            **variables,
        }
        words = [str(word) for word in command]
        return subprocess.run(
            words,
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=180,
            check=False,
        )

    def install(self, index_url: str, *requirements: str) -> Outcome:
        """Install requirements from an index into a fresh target."""
        raise NotImplementedError

    def outcome(self, done: subprocess.CompletedProcess[str], target: Path) -> Outcome:
        found = (path.name.removesuffix(".dist-info").split("-")[:2] for path in target.glob("**/*.dist-info"))
        installed = {name.replace("_", "-"): version for name, version in found}
        # What an environment is born with is no part of the outcome.
        return Outcome(done.returncode, done.stdout, {name: installed[name] for name in installed if name != "pip"})


class Pip(Client):
    """pip; the oldest that is supported and the newest."""

    name = "pip-newest"

    def install(self, index_url: str, *requirements: str) -> Outcome:
        target = self.folder / "target"
        pip = [CLIENTS / self.name / "bin" / "python", "-m", "pip", "--isolated", "install", "--no-compile"]
        done = self.run(*pip, "--index-url", index_url, "--target", target, *requirements)
        return self.outcome(done, target)


class OldestPip(Pip):
    name = "pip-oldest"


class Uv(Client):
    """uv's pip interface."""

    name = "uv"

    def install(self, index_url: str, *requirements: str) -> Outcome:
        target = self.folder / "target"
        uv = [CLIENTS / "uv" / "bin" / "uv", "--no-config", "pip", "install", "--python", sys.executable]
        done = self.run(*uv, "--default-index", index_url, "--target", target, *requirements)
        return self.outcome(done, target)


class Poetry(Client):
    """Poetry, on a project whose only source is the index."""

    name = "poetry"

    def install(self, index_url: str, *requirements: str) -> Outcome:
        dependencies = ", ".join(f'"{requirement}"' for requirement in requirements)
        (self.folder / "pyproject.toml").write_text(
            f"""
[project]
name = "consumer"
version = "1"
requires-python = ">=3.11,<4"
dependencies = [{dependencies}]
[tool.poetry]
package-mode = false
[[tool.poetry.source]]
name = "pinfold"
url = "{index_url}"
priority = "primary"
"""
        )
        poetry = [CLIENTS / "poetry" / "bin" / "poetry", "--no-interaction"]
        done = self.run(
            *poetry, "install", POETRY_VIRTUALENVS_IN_PROJECT="true", POETRY_CACHE_DIR=str(self.folder / "cache")
        )
        return self.outcome(done, self.folder / ".venv")


class Pdm(Client):
    """PDM, on a project whose only source is the index.

    Its HTTP cache keeps status codes without their phrases, so that it prints `403 Forbidden` and the file's address.
    """

    name = "pdm"
    prints_reasons = False

    def install(self, index_url: str, *requirements: str) -> Outcome:
        dependencies = ", ".join(f'"{requirement}"' for requirement in requirements)
        (self.folder / "pyproject.toml").write_text(
            f"""
[project]
name = "consumer"
version = "1"
requires-python = ">=3.11,<4"
dependencies = [{dependencies}]
[tool.pdm]
distribution = false
[[tool.pdm.source]]
name = "pypi"
url = "{index_url}"
verify_ssl = false
"""
        )
        pdm = [CLIENTS / "pdm" / "bin" / "pdm"]
        self.run(sys.executable, "-m", "venv", "--without-pip", ".venv")
        done = self.run(*pdm, "install", PDM_CHECK_UPDATE="0", PDM_IGNORE_SAVED_PYTHON="1", PDM_NON_INTERACTIVE="1")
        return self.outcome(done, self.folder / ".venv")


EVERY_CLIENT = [OldestPip, Pip, Uv, Poetry, Pdm]
