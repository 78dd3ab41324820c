"""Measure the inspection of archives of any size: time and memory, in the process that inspects and in the server.

    python -m tests.bench.inspection [MEBIBYTES ...]        by default 8, 100, 500 and 1,000

Synthetic wheels of the shape that the large ones on PyPI have, most of it compiled libraries: inspected by themselves,
in a process of their own, and on their way through a running Pinfold on loopback, which streams them meanwhile. The
yardstick is what reading and hashing every entry with zipfile takes, as pip does when it installs one.
"""

import argparse
import base64
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench.herd import peak_memory
from tests.e2e.server import PinfoldServer
from tests.fakes.upstream import running_upstream

from pinfold.inspection import inspect

MIB = 1 << 20
SIZES = (8, 100, 500, 1000)
NAME = "heavy-1.0-py3-none-any.whl"
INFO = "heavy-1.0.dist-info"
SOURCES = 2_000
LIBRARY = 40 * MIB


def write_wheel(path: Path, size: int) -> None:
    """Write a wheel of about a size: modules, and libraries that are half as large packed."""
    seed, rows = os.urandom(LIBRARY // 2), []

    def add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
        archive.writestr(name, data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}")

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(SOURCES):
            add(archive, f"heavy/module_{number}.py", b"def weigh(pounds):\n    return pounds * 0.45\n" * 50)
        number = 0
        while path.stat().st_size < size * MIB:
            part = min(LIBRARY // 2, size * MIB - path.stat().st_size)
            add(archive, f"heavy/lib/lib{number}.so", b"\x7fELF" + seed[:part] + bytes(part))
            number += 1
        add(archive, f"{INFO}/METADATA", b"Metadata-Version: 2.1\nName: heavy\nVersion: 1.0\n")
        add(
            archive,
            f"{INFO}/WHEEL",
            b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{INFO}/RECORD", "\n".join([*rows, f"{INFO}/RECORD,,", ""]))


def own_peak() -> float:
    """Return the largest resident size that this process has had, in MiB."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def inspect_alone(path: Path) -> None:
    """Inspect a wheel in this process, and print what that took."""
    idle, began = own_peak(), time.perf_counter()
    report = inspect(path, NAME, "heavy", "1.0")
    seconds = time.perf_counter() - began
    if not report.complete or report.observations:
        raise SystemExit(f"something is wrong with the wheel: {report.observations}")
    size = path.stat().st_size / MIB
    print(
        f"{size:5.0f} MiB packed, {report.unpacked_size / MIB:5.0f} unpacked, {report.entries} entries: inspected in "
        f"{seconds:.2f} s, {seconds / size * 1000:.1f} ms a MiB, with {own_peak() - idle:.0f} MiB of memory",
        flush=True,
    )


def yardstick(path: Path) -> None:
    """Print what zipfile takes to read and hash every entry."""
    began = time.perf_counter()
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                hashlib.file_digest(file, "sha256")
    print(f"{'':11}zipfile alone: {time.perf_counter() - began:.2f} s", flush=True)


def through_pinfold(path: Path, folder: Path) -> None:
    """Fetch a wheel that nobody asked for before through a Pinfold, and print what that took."""
    (folder / "contents.toml").write_text('[[rule]]\nid = "contents"\n')
    with running_upstream() as upstream:
        uploaded = datetime.now(UTC) - timedelta(days=5)
        file = upstream.add_file("heavy", "1.0", content=path.read_bytes(), upload_time=uploaded)
        config = f'[upstreams.pypi]\nurl = "{upstream.url}"\n[indexes.main]\npolicy = "{folder}/contents.toml"\n'
        with PinfoldServer(folder / "pinfold", config) as server:
            address = f"{server.url}/files/heavy/{file.sha256}/{file.filename}"
            for times in ("first", "later"):
                idle, began, digest = peak_memory(server.pid), time.perf_counter(), hashlib.sha256()
                with urllib.request.urlopen(address, timeout=600) as answer:
                    while chunk := answer.read(MIB):
                        digest.update(chunk)
                if digest.hexdigest() != file.sha256:
                    raise SystemExit("other bytes than expected")
                print(
                    f"{'':11}through Pinfold, {times}: {time.perf_counter() - began:.2f} s; server's peak memory "
                    f"{peak_memory(server.pid):.0f} MiB ({idle:.0f} before)",
                    flush=True,
                )


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mebibytes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        inspect_alone(options.alone)
        return
    for size in options.mebibytes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_wheel(folder / NAME, size)
            subprocess.run([sys.executable, "-m", "tests.bench.inspection", "--alone", folder / NAME], check=True)
            yardstick(folder / NAME)
            through_pinfold(folder / NAME, folder)


if __name__ == "__main__":
    main()
