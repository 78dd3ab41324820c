"""Content negotiation: which representation and which content coding a request is answered with (RFC 9110, 12.5)."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final

MAX_ELEMENTS: Final = 64
"""How much of a header is looked at; no client says as much."""
REMEMBERED: Final = 128
"""Headers that are remembered as they were understood: each kind of client always sends the same."""


class Representation(StrEnum):
    """The representations of an index's pages, by their content types (PEP 691)."""

    JSON = "application/vnd.pypi.simple.v1+json"
    HTML = "application/vnd.pypi.simple.v1+html"
    LEGACY_HTML = "text/html"


class Encoding(StrEnum):
    """The content codings of responses."""

    IDENTITY = "identity"
    GZIP = "gzip"
    ZSTD = "zstd"


_MEDIA_TYPES: Final = {
    **{representation.value: representation for representation in Representation},
    # "latest" is answered with the content type of the version that it turns out to be.
    "application/vnd.pypi.simple.latest+json": Representation.JSON,
    "application/vnd.pypi.simple.latest+html": Representation.HTML,
}
_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")

# What a client thinks of a coding that it does not mention: plain bytes will do; gzip where even those are refused.
_IDENTITY_UNMENTIONED: Final = 0.0002
_GZIP_UNMENTIONED: Final = 0.0001


@lru_cache(REMEMBERED)
def choose(accept: str | None) -> Representation | None:
    """Return the representation that an `Accept` header asks for; None where there is none to its liking (406).

    The highest quality wins, and the most specific range tells a type's quality. Where qualities are equal, types that
    the client names come before those that only a wildcard covers. Of named types JSON is first, since it alone has
    sizes and upload times. Of the others `text/html` is first, as at PyPI: who sends `*/*`, or no header, may not know
    of PEP 691 at all, and was answered in HTML before it.
    """
    if accept is None or not accept.strip():
        return Representation.LEGACY_HTML
    qualities = _qualities(accept)
    named: dict[Representation, float] = {}
    for media_type, representation in _MEDIA_TYPES.items():
        if media_type in qualities:
            named[representation] = max(qualities[media_type], named.get(representation, 0.0))

    def quality(representation: Representation) -> float:
        wildcard = f"{representation.partition('/')[0]}/*"
        return named.get(representation, qualities.get(wildcard, qualities.get("*/*", 0.0)))

    candidates = [representation for representation in Representation if representation in named]
    candidates += [representation for representation in reversed(Representation) if representation not in named]
    best = max(candidates, key=quality)
    return best if quality(best) > 0 else None


PROVENANCE_TYPES: Final = ("application/vnd.pypi.integrity.v1+json", "application/json")
"""What PyPI's integrity API offers, the better one first; both are the same JSON."""


@lru_cache(REMEMBERED)
def choose_encoding(accept_encoding: str | None) -> Encoding:
    """Return the content coding that an `Accept-Encoding` header asks for.

    zstd is for clients that name it; `*` is not taken as a promise to know it. Where nothing at all is acceptable, the
    answer is `identity`, which RFC 9110 prefers over an error.
    """
    qualities = _qualities(accept_encoding or "")
    wildcard = qualities.get("*")
    offers = {
        Encoding.ZSTD: qualities.get("zstd", 0.0),
        Encoding.GZIP: qualities.get("gzip", _GZIP_UNMENTIONED if wildcard is None else wildcard),
        Encoding.IDENTITY: qualities.get("identity", _IDENTITY_UNMENTIONED if wildcard is None else wildcard),
    }
    best = max(offers, key=offers.__getitem__)
    return best if offers[best] > 0 else Encoding.IDENTITY


def choose_provenance_type(accept: str | None) -> str | None:
    """Return the media type that a provenance document is to be sent as; None where the client wants no JSON."""
    if accept is None or not accept.strip():
        return PROVENANCE_TYPES[0]
    qualities = _qualities(accept)
    wildcard = qualities.get("application/*", qualities.get("*/*", 0.0))
    best = max(PROVENANCE_TYPES, key=lambda name: qualities.get(name, wildcard))
    return best if qualities.get(best, wildcard) > 0 else None


def _qualities(header: str) -> dict[str, float]:
    """Return the quality of each media range or coding in a header, less what is malformed.

    A range with parameters is for a variant that does not exist here, save for the charset, which is UTF-8 throughout.
    """
    qualities: dict[str, float] = {}
    for element in header.split(",", MAX_ELEMENTS)[:MAX_ELEMENTS]:
        value, *parameters = (part.strip().lower() for part in element.split(";"))
        given = dict(_parameter(parameter) for parameter in parameters if parameter)
        quality = given.pop("q", "1")
        given.pop("charset", None)
        if not given and _QUALITY.fullmatch(quality):
            qualities[value] = max(float(quality), qualities.get(value, 0.0))
    return qualities


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()
