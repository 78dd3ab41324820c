"""What a project page says of the project as a whole, read alike from JSON and HTML."""

from collections.abc import Iterable
from typing import Final

from packaging.version import Version

from pinfold.domain.errors import InvalidPage
from pinfold.domain.project import File, StatusMarker, UpstreamStatus
from pinfold.index.sanitise import clean, web_address

MAX_NAMES: Final = 2_000_000
"""Several times as many projects as PyPI has."""
MAX_VERSION_LENGTH: Final = 128

_MARKERS: Final = {marker.value: marker for marker in StatusMarker if marker is not StatusMarker.UNRECOGNISED}


def check_api_version(declared: str) -> None:
    """Raise InvalidPage for an API version whose major part is not 1 (PEP 629): what its fields mean is not known."""
    if declared.partition(".")[0] != "1":
        raise InvalidPage(f"the page has the API version {clean(declared, 40)!r}; only 1.x can be understood")


def read_status(marker: str | None, reason: str | None) -> UpstreamStatus:
    """Return a project's PEP 792 status.

    No marker means active, as the PEP says. It defines four markers and says nothing of others, which a later version
    may well add for something worse than quarantine. Reading one as active would fail open; reading it as quarantined
    would state what the upstream never said, and break builds over a harmless novelty. So it becomes its own marker,
    with the upstream's word in the reason, and policy decides about it as about any unknown.
    """
    reason = clean(reason) or None if reason else None
    if marker is None:
        return UpstreamStatus(StatusMarker.ACTIVE, reason)
    known = _MARKERS.get(marker)
    if known is None:
        return UpstreamStatus(StatusMarker.UNRECOGNISED, clean(f"{marker}: {reason}" if reason else marker))
    return UpstreamStatus(known, reason)


def read_versions(listed: Iterable[str], files: Iterable[File]) -> tuple[str, ...]:
    """Return a project's versions as its page lists them (PEP 700); where it lists none, those of its files."""
    versions = tuple(
        version
        for version in dict.fromkeys(listed)
        if version and len(version) <= MAX_VERSION_LENGTH and version.isprintable()
    )
    if versions:
        return versions
    of_files = {file.version for file in files if file.version is not None}
    # The text breaks the tie between spellings that PEP 440 holds equal, such as 1.0 and 1.0.0.
    return tuple(sorted(of_files, key=lambda version: (Version(version), version)))


def read_locations(references: Iterable[str], base_url: str) -> tuple[str, ...]:
    """Return the addresses of other indexes (PEP 708), less what is no plain http or https URL."""
    return tuple(address for reference in references if (address := web_address(reference, base_url)) is not None)
