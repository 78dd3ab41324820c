"""The wheel, installed outside the repository, is a whole Pinfold."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from tests.e2e.server import environment

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return folder / done.stdout.split()[-1]


def test_the_wheel_carries_policies_cases_and_types(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"pinfold/policies/baseline.toml", "pinfold/policies/strict.toml", "pinfold/py.typed"} <= names
    shipped = {f"pinfold/policies/cases/{path.name}" for path in (ROOT / "policies" / "cases").glob("*.toml")}
    assert shipped <= names
    assert shipped
    assert not any(name.startswith("tests/") for name in names)


def test_an_installed_wheel_works_far_from_the_repository(wheel, tmp_path):
    home = tmp_path / "environment"
    venv.create(home, with_pip=False)
    site = next(home.glob("lib/python*/site-packages"))
    # The dependencies are those of the tests; Pinfold itself comes from the wheel alone.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    zipfile.ZipFile(wheel).extractall(site)
    python = home / "bin" / "python"

    def run(*words):
        return subprocess.run(
            [python, "-P", "-c", "from pinfold.cli import main; main()", *words],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
        )

    where = subprocess.run(
        [python, "-P", "-c", "import pinfold; print(pinfold.__file__)"], capture_output=True, text=True
    )
    assert str(site) in where.stdout, where
    assert "minimum-age" in run("policy", "show", "baseline").stdout
    tested = run("policy", "test")
    assert tested.returncode == 0, tested.stdout + tested.stderr
