"""Where an installer puts the entries of a wheel (the binary distribution format, "the .data directory")."""

import re
from enum import Enum, auto

from msgspec import Struct

from pinfold.inspection.release import Release


class Scheme(Enum):
    """The kinds of places that a wheel's entries go to."""

    SITE = auto()
    """site-packages: the archive's root, `purelib`, `platlib`, and what `data` puts there by its path."""
    SCRIPTS = auto()
    HEADERS = auto()
    DATA = auto()
    UNKNOWN = auto()


class Landing(Struct, frozen=True, gc=False):
    """A scheme and the path below it."""

    scheme: Scheme
    path: str
    by_data: bool = False
    """The entry reaches its scheme by a path of the `data` scheme, past what the scheme is for."""


_SCHEMES = {
    "purelib": Scheme.SITE,
    "platlib": Scheme.SITE,
    "scripts": Scheme.SCRIPTS,
    "headers": Scheme.HEADERS,
    "data": Scheme.DATA,
}
_SITE_BY_DATA = re.compile(
    r"(?:local/)?lib(?:32|64)?/(?:(?:python|pypy)[0-9.]*t?/)?(?:site|dist)-packages/(.+)", re.IGNORECASE
)
_SCRIPTS_BY_DATA = re.compile(r"(?:bin|scripts)/(.+)", re.IGNORECASE)


def land(path: str, release: Release) -> Landing:
    """Return where an entry of a wheel goes; UNKNOWN for a `.data` folder that no installer knows what to do with."""
    folder, _, rest = path.partition("/")
    if not folder.endswith(".data") or not rest:
        return Landing(Scheme.SITE, path)
    key, _, below = rest.partition("/")
    if not below or key not in _SCHEMES or not release.is_named_by(folder.removesuffix(".data")):
        return Landing(Scheme.UNKNOWN, path)
    if key == "data":
        for pattern, scheme in ((_SITE_BY_DATA, Scheme.SITE), (_SCRIPTS_BY_DATA, Scheme.SCRIPTS)):
            if found := pattern.fullmatch(below):
                return Landing(scheme, found[1], by_data=True)
    return Landing(_SCHEMES[key], below)
