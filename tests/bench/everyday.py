"""Do everyday packages resolve and install through Pinfold exactly as they do without it, and what is seen in them?

    make everyday

Resolves the packages that people use most, once straight from PyPI and once through a Pinfold of its own, shows each
difference, and installs the result through Pinfold. The reference leaves out what is younger than three days, since
that is what `baseline` is there to leave out; so no difference may remain.

Then every wheel that was installed, and the sdist of each of the packages, is asked for under the rule `contents`
alone, which excuses news and false claims only after the half year of `strict`. None may be refused; what is warned of
is listed.
"""

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
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


def entries(server: PinfoldServer, *flags: str) -> list[dict[str, Any]]:
    """Return what the audit log tells."""
    found = json.loads(server.run("audit", "search", *flags, "--limit", "10000", "--json"))
    return [each["entry"] for each in found["entries"]]


def wheels(server: PinfoldServer) -> Iterator[tuple[str, str, str]]:
    """Yield project, sha256 and name of each file that was served so far."""
    served = entries(server, "--action", "file.served")
    return iter(sorted({(entry["project"], entry["sha256"], entry["filename"]) for entry in served}))


def sdists(server: PinfoldServer, pins: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield project, sha256 and name of the sdist of each package, in the version that was resolved."""
    versions = {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in map(Requirement, pins)}
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    for package in PACKAGES:
        page = urllib.request.Request(f"{server.simple('contents')}{package}/", headers=accept)
        with urllib.request.urlopen(page, timeout=60) as answer:
            files = json.load(answer)["files"]
        for file in files:
            name = file["filename"]
            if name.endswith((f"-{versions[package]}.tar.gz", f"-{versions[package]}.zip")):
                yield package, file["hashes"]["sha256"], name


def ask(server: PinfoldServer, project: str, sha256: str, filename: str) -> None:
    """Ask for a file as a client does, whatever the answer; the audit log tells it."""
    try:
        with urllib.request.urlopen(
            f"{server.url}/contents/files/{project}/{sha256}/{filename}", timeout=300
        ) as answer:
            while answer.read(1 << 20):
                pass
    except HTTPError as error:
        print(f"{filename}: {error.code} {error.reason}")


def inspected(server: PinfoldServer) -> list[tuple[str, str, str]]:
    """Return each file that was judged by its contents, with the effect at last and the reason for it."""
    found = {}
    for entry in entries(server, "--index", "contents", "--oldest-first"):
        for verdict in entry["verdicts"]:
            found[entry["filename"]] = (verdict["effect"], verdict.get("reason", ""))
    return [(filename, *told) for filename, told in sorted(found.items())]


def main() -> int:
    """Compare, install, inspect, print, and return the exit status."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        direct = resolve(folder / "direct", PYPI_SIMPLE_ENDPOINT, now - timedelta(days=3))
        (folder / "contents.toml").write_text('[[rule]]\nid = "contents"\nparams = { vetted_days = 180 }\n')
        config = f'[indexes.contents]\npolicy = "{folder}/contents.toml"\n'
        with PinfoldServer(folder / "pinfold", config) as server:
            through = resolve(folder / "through", server.simple(), now)
            target = ["--python", sys.executable, "--target", str(folder / "target")]
            _, told = uv(folder / "through", server.simple(), "install", *target, "--requirement", "-", lines=through)
            files = [*wheels(server), *sdists(server, through)]
            # The entry of a large file's first request was written before all of it was here to inspect.
            for file in (*files, *files):
                ask(server, *file)
            seen = inspected(server)
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
    for filename, effect, reason in seen:
        if effect != "allow":
            print(f"{effect}: {filename}: {reason}")
    effects = Counter(effect for _, effect, _ in seen)
    print(f"{len(files)} wheels and sdists inspected:", ", ".join(f"{n} {effect}" for effect, n in effects.items()))
    clean = len(seen) == len(files) and not effects.keys() - {"allow", "warn"}
    return 0 if same and clean else 1


if __name__ == "__main__":
    sys.exit(main())
