"""Do everyday packages resolve and install through Pinfold exactly as they do without it?

    make everyday

Resolves the packages that people use most, once straight from PyPI and once through a Pinfold of its own, shows each
difference, and installs the result through Pinfold. The reference leaves out what is younger than three days, since
that is what `baseline` is there to leave out; so no difference may remain.
"""

import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pypi_simple import PYPI_SIMPLE_ENDPOINT

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.e2e.clients import CLIENTS
from tests.e2e.server import PinfoldServer, environment

PACKAGES = [
    "aiohttp", "attrs", "beautifulsoup4", "black", "boto3", "celery", "click", "cryptography", "django", "fastapi",
    "flask", "google-auth", "grpcio", "httpx", "ipython", "jinja2", "jsonschema", "lxml", "matplotlib", "mypy",
    "networkx", "numpy", "openpyxl", "packaging", "pandas", "pillow", "pip", "protobuf", "psycopg2-binary",
    "pyarrow", "pydantic", "pyjwt", "pytest", "python-dateutil", "pyyaml", "redis", "requests", "rich", "ruff",
    "scikit-learn", "scipy", "setuptools", "six", "sqlalchemy", "tqdm", "typer", "urllib3", "uvicorn", "virtualenv",
    "wheel",
]  # fmt: skip


def uv(folder: Path, index: str, *words: str, lines: list[str]) -> tuple[list[str], str]:
    """Run uv's pip interface on requirements, and return what it printed."""
    program = [str(CLIENTS / "uv" / "bin" / "uv"), "--no-config", "--cache-dir", str(folder / "cache"), "pip"]
    variables = {name: value for name, value in environment().items() if name != "PYTHONWARNINGS"}
    command = [*program, *words, "--default-index", index, "--only-binary", ":all:"]
    done = subprocess.run(
        command, input="\n".join(lines), text=True, capture_output=True, env=variables, timeout=900, check=False
    )
    if done.returncode:
        raise SystemExit(f"uv {words[0]} failed from {index}\n{done.stderr}")
    return done.stdout.split(), done.stderr


def resolve(folder: Path, index: str, until: datetime) -> list[str]:
    """Return the pins that uv comes to."""
    flags = [
        "--quiet",
        "--no-header",
        "--no-annotate",
        "--python-version",
        "3.11",
        "--exclude-newer",
        until.isoformat(),
    ]
    return uv(folder, index, "compile", *flags, "-", lines=PACKAGES)[0]


def main() -> int:
    """Compare, install, print, and return the exit status."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        direct = resolve(folder / "direct", PYPI_SIMPLE_ENDPOINT, now - timedelta(days=3))
        with PinfoldServer(folder / "pinfold", "") as server:
            through = resolve(folder / "through", server.simple(), now)
            target = ["--python", sys.executable, "--target", str(folder / "target")]
            _, told = uv(folder / "through", server.simple(), "install", *target, "--requirement", "-", lines=through)
    for pin in sorted(set(direct) - set(through)):
        print(f"only straight from PyPI: {pin}")
    for pin in sorted(set(through) - set(direct)):
        print(f"only through Pinfold:    {pin}")
    same = set(direct) == set(through)
    print(
        f"{len(PACKAGES)} packages, {len(direct)} pins with what they depend on: {'the same' if same else 'different'}"
    )
    print(
        "through Pinfold:", next((line for line in told.splitlines() if line.startswith("Installed")), "not installed")
    )
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
