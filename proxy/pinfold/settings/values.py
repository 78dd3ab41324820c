"""The kinds of values that settings have beyond numbers and words, each with the error that helps to correct it."""

import ipaddress
import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from pinfold.domain.duration import parse_duration

_LABEL = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9])?|[0-9a-f:.]+", re.ASCII)
_GLOB = re.compile(r"[A-Za-z0-9._*?-]+", re.ASCII)
_SEPARATORS = re.compile(r"[-_.]+")
MAX_LABEL_LENGTH = 64

RESERVED_INDEX_NAMES = frozenset(
    (
        *("simple", "files", "packages", "integrity", "legacy", "as-of", "api", "console", "static"),
        *("healthz", "readyz", "metrics"),
    )
)
"""First segments of Pinfold's own addresses, where `/<index>/simple/` could not be told from them."""


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError('must be a length of time in quotes, such as "15m"')
    return parse_duration(value)


def _positive(length: timedelta) -> timedelta:
    if not length:
        raise ValueError("must be longer than nothing")
    return length


def _words(value: object) -> object:
    """Environment variables and flags have no lists: commas stand in."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def _label(name: str) -> str:
    if len(name) > MAX_LABEL_LENGTH or not _LABEL.fullmatch(name):
        raise ValueError("a name is made of lower-case letters and digits, with single hyphens between them")
    return name


def _index_name(name: str) -> str:
    if name in RESERVED_INDEX_NAMES:
        raise ValueError(f"/{name}/ is an address of Pinfold's own: give the index another name")
    return _label(name)


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not url.isascii()
        or re.search(r"[\x00-\x20]", url)
    ):
        raise ValueError("must be an address that starts with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("keep credentials out of the address: set username, and password or password_file")
    if parts.query or parts.fragment:
        raise ValueError("an address has no query and no fragment here")
    _ = parts.port  # raises for what is not a port
    return url.rstrip("/") + "/"


def _webhook_address(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("must be an address that starts with http:// or https://")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("an address has no credentials in front of its host, and no fragment, here")
    _ = parts.port  # raises for what is not a port
    return url


def _outside_address(url: str) -> str:
    return _web_address(url).rstrip("/") if url else ""


def _internal_location(path: str) -> str:
    # The underscore keeps it apart from Pinfold's own addresses and from every index's name.
    if path and not re.fullmatch(r"/_[a-z0-9][a-z0-9_-]*/", path):
        raise ValueError("must be a location of nginx that begins with an underscore, such as /_pinfold_blobs/")
    return path


def _issuer_address(url: str) -> str:
    address = _web_address(url).rstrip("/")
    if not address.startswith("https://") and urlsplit(address).hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("who vouches for others is asked by https")
    return address


def _feed_source(text: str) -> str:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        return text
    address = _web_address(text)
    return address if text.endswith("/") else address.rstrip("/")


def _authority(text: str) -> str:
    text = text.lower()
    parts = urlsplit(f"//{text}")
    plain = parts.netloc == text and parts.username is None and _HOST.fullmatch(parts.hostname or "")
    if not plain or (parts.port is None and text.endswith(":")):
        raise ValueError("must be a host, or host:port, such as files.example")
    return text


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("must be an IP address, such as 192.0.2.7") from None


def _glob(pattern: str) -> str:
    if not _GLOB.fullmatch(pattern):
        raise ValueError("must be a project name, where * and ? may stand for other characters, such as acme-*")
    return _SEPARATORS.sub("-", pattern).lower()


Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""Zero or more; written `90s`, `15m`, `12h`, `3d`, `2w`."""
PositiveDuration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_positive)]
Label = Annotated[str, AfterValidator(_label)]
IndexName = Annotated[str, AfterValidator(_index_name)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
"""An http or https address that ends in a slash and holds no credentials."""
FeedSource = Annotated[str, AfterValidator(_feed_source)]
"""An http or https address of a zip, or of a folder where it ends in a slash; or a path; or nothing."""
WebhookAddress = Annotated[SecretStr, AfterValidator(_webhook_address)]
"""An http or https address with any path and query, which may hold a token."""
OutsideAddress = Annotated[str, AfterValidator(_outside_address)]
"""An http or https address without a slash at its end, for paths to follow; or nothing."""
InternalLocation = Annotated[str, AfterValidator(_internal_location)]
"""One segment between slashes; or nothing."""
IssuerAddress = Annotated[str, AfterValidator(_issuer_address)]
"""An https address without a slash at its end, as identity tokens name who made them."""
Labels = Annotated[tuple[Label, ...], BeforeValidator(_words)]
Authorities = Annotated[tuple[Annotated[str, AfterValidator(_authority)], ...], BeforeValidator(_words)]
"""Hosts, each with a port where it is not the scheme's own."""
Addresses = Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], BeforeValidator(_words)]
Globs = Annotated[tuple[Annotated[str, AfterValidator(_glob)], ...], BeforeValidator(_words)]
"""Globs over normalised project names."""
