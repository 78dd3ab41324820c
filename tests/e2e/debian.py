"""Programs that come from Debian's packages: found on the machine, or installed there."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def program(name: str, package: str) -> str:
    """Return the path of a program; a machine that has neither it nor the means to install it fails the test."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    if found := shutil.which(name, path=path):
        return found
    apt = ["apt-get", "-qq", "--no-install-recommends", "install", package]
    if os.geteuid() != 0:
        apt = ["sudo", "-n", *apt]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    update = [*apt[: apt.index("apt-get") + 1], "-qq", "update"]
    # Tests that run side by side must not meet each other at the package manager's lock.
    with Path(tempfile.gettempdir(), "pinfold-tests-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (update, apt):
            done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    found = shutil.which(name, path=path)
    assert found, f"{name} is needed: install Debian's package {package}\n{done.stdout}{done.stderr}"
    return found
