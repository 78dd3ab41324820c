"""`pylock.toml` (PEP 751), read and written with `packaging.pylock`."""

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

import tomlkit
from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock, PylockValidationError
from packaging.utils import InvalidSdistFilename, NormalizedName, parse_sdist_filename
from packaging.version import Version

from pinfold.domain.pins import Pin
from pinfold.locks.lock import NO_INDEX, Collector, Lock, LockFormat


def read_pylock(document: Mapping[str, Any], source: str) -> Lock:
    """Return what a `pylock.toml` pins. Raises InvalidLock."""
    collector = Collector(source, LockFormat.PYLOCK)
    head = {key: value for key, value in document.items() if key != "packages"}
    _validated(collector, "", {**head, "packages": []})
    tables = document.get("packages")
    if not isinstance(tables, list):
        collector.reject("", "has no [[packages]]")
    for position, table in enumerate(tables if isinstance(tables, list) else (), start=1):
        name = table.get("name") if isinstance(table, Mapping) else None
        place = f"package {name}" if isinstance(name, str) else f"package {position}"
        # One at a time, so that every wrong one is told.
        lock = _validated(collector, place, {"lock-version": "1.0", "created-by": "pinfold", "packages": [table]})
        for package in lock.packages if lock else ():
            _add(collector, place, package)
    return collector.lock()


def write_pylock(pins: Iterable[Pin], index: str, address: Callable[[Pin], str]) -> tuple[str, list[str]]:
    """Return pins that are in order as a lock, and what of them no lock can hold, with the reason.

    `index` is the simple API that the files are of, `address` tells where installers get one; its name has to be known.
    """
    packages, left_out = [], []
    for (project, version), group in groupby(pins, key=lambda pin: (pin.project, pin.version)):
        wheels, sdist = [], None
        for pin in group:
            name, url, hashes = pin.filename or "", address(pin), {"sha256": pin.sha256}
            if name.endswith(".whl"):
                wheels.append(PackageWheel(name=name, url=url, hashes=hashes))
            elif not _is_sdist(name):
                left_out.append(f"{name or pin.release}: a lock holds wheels and sdists by their file names")
            elif sdist is not None:
                left_out.append(f"{name}: a lock holds one sdist of a release")
            else:
                sdist = PackageSdist(name=name, url=url, hashes=hashes)
        if wheels or sdist:
            release = Package(
                name=NormalizedName(project), version=Version(version), index=index, sdist=sdist, wheels=wheels or None
            )
            packages.append(release)
    lock = Pylock(lock_version=Version("1.0"), created_by="pinfold", packages=packages)
    return tomlkit.dumps(lock.to_dict()), left_out


def _validated(collector: Collector, place: str, document: Mapping[str, Any]) -> Pylock | None:
    try:
        return Pylock.from_dict(document)
    except PylockValidationError as error:
        where = (error.context or "").removeprefix("packages[0]").removeprefix(".")
        collector.reject(" ".join(part for part in (place, where) if part), error.message)
        return None


def _add(collector: Collector, place: str, package: Package) -> None:
    if package.is_direct:
        collector.leave_out(package.name, NO_INDEX)
        return
    for file in (*([package.sdist] if package.sdist else ()), *(package.wheels or ())):
        digest = file.hashes.get("sha256")
        if digest is None:
            collector.reject(place, f"{file.filename} has no sha256 among its hashes: lock it anew with one")
        else:
            version = str(package.version) if package.version else None
            collector.add(place, package.name, version, f"sha256:{digest}", file.filename)


def _is_sdist(filename: str) -> bool:
    try:
        parse_sdist_filename(filename)
    except InvalidSdistFilename:
        return False
    return True
