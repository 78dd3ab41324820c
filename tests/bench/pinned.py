"""Is a lock of 50 real packages served pinned, and refused outside the pins?

    make pinned

Locks the packages of `everyday.py` straight from PyPI as a `pylock.toml`, checks the lock, imports it, and asks an
index that is limited to it: an install that pins nothing must arrive at the lock's own versions, and other releases and
other projects must be refused with the way to a pin.
"""

import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pypi_simple import PYPI_SIMPLE_ENDPOINT

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.everyday import PACKAGES
from tests.e2e.clients import CLIENTS
from tests.e2e.server import PinfoldServer, environment

from pinfold.locks.read import read_lock

OUTSIDE = ("requests==2.29.0", "numpy==1.26.4", "click==8.0.4", "polars==1.20.0", "scrapy==2.11.0", "torch==2.6.0")
"""Other releases of what is pinned, and projects that are not."""


def uv(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = [str(CLIENTS / "uv" / "bin" / "uv"), "--no-config", "--cache-dir", str(folder / "cache"), "pip"]
    variables = {name: value for name, value in environment().items() if name != "PYTHONWARNINGS"}
    return subprocess.run([*program, *words], text=True, capture_output=True, env=variables, timeout=900, check=False)


def succeed(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    if done.returncode:
        raise SystemExit(f"{' '.join(done.args)}\n{done.stdout}\n{done.stderr}")
    return done


def lock(folder: Path) -> Path:
    """Return a `pylock.toml` of everything, straight from PyPI, without what is younger than three days."""
    wanted, path = folder / "wanted.txt", folder / "pylock.toml"
    wanted.write_text("\n".join(PACKAGES))
    until = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    flags = ["--quiet", "--python-version", "3.11", "--only-binary", ":all:", "--exclude-newer", until]
    source = ["--default-index", PYPI_SIMPLE_ENDPOINT, "--output-file", str(path), str(wanted)]
    succeed(uv(folder / "direct", "compile", *flags, *source))
    return path


def main() -> int:
    """Lock, check, import, install, try what is not pinned; print, and return the exit status."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = lock(folder)
        pins = read_lock(path.read_text(), str(path)).pins
        locked = {f"{pin.project}=={pin.version}" for pin in pins}
        with PinfoldServer(folder / "pinfold", '[indexes.prod]\npins = "approved"\n') as server:
            began = time.monotonic()
            checked = server.run("lock", "check", str(path)).splitlines()[-1]
            print(f"{checked} ({len(pins)} files, checked in {time.monotonic() - began:.0f} s)")
            print(server.run("pin", "import", "approved", str(path)).splitlines()[-1])
            index = ["--default-index", server.simple("prod"), "--only-binary", ":all:"]
            wanted = ["--quiet", "--no-header", "--no-annotate", "--python-version", "3.11", str(folder / "wanted.txt")]
            resolved = set(succeed(uv(folder / "prod", "compile", *index, *wanted)).stdout.split())
            target = ["--python", sys.executable, "--target", str(folder / "target"), "--no-deps"]
            told = succeed(uv(folder / "prod", "install", *index, *target, *sorted(resolved))).stderr
            print(f"resolved to the lock's own {len(locked)} releases:", resolved == locked)
            print(next((line for line in told.splitlines() if line.startswith("Installed")), "not installed"))
            refused = [_is_refused(folder, index, target, each) for each in OUTSIDE]
    return 0 if resolved == locked and all(refused) else 1


def _is_refused(folder: Path, index: list[str], target: list[str], requirement: str) -> bool:
    done = uv(folder / "prod", "install", *index, *target, requirement)
    why = " ".join(done.stderr.split())
    told = why[why.find("pin set approved") :].partition(";")[0] if "pin set approved" in why else why[-200:]
    print(f"{requirement}: {told}")
    return done.returncode != 0 and "pin set approved" in why


if __name__ == "__main__":
    sys.exit(main())
