"""Texts and addresses that strangers wrote, made harmless for pages, headers, logs and terminals."""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import urljoin

MAX_TEXT: Final = 1000
MAX_URL: Final = 4096

# RFC 3986, less what could carry credentials or hide the host; path and query keep to the characters of a URI.
_WEB_ADDRESS = re.compile(
    r"https?://(?:[A-Za-z0-9._~-]++|\[[0-9A-Fa-f:.]++\])(?::[0-9]{1,5})?+(?:[/?][A-Za-z0-9._~:/?@!$&'()*+,;=%-]*+)?+"
)
# Checked before joining, because urljoin drops line breaks and tabs without a word.
_REFERENCE = re.compile(r"[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+")
# From a folder above the page down, by segments that do not begin with a dot.
_DOWN = re.compile(
    r"((?:\.\./){0,16})((?:[A-Za-z0-9_~%+-][A-Za-z0-9._~%+-]*/)*[A-Za-z0-9_~%+-][A-Za-z0-9._~%+-]*)(?:#.*)?"
)


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Return a text on one line, without control, invisible and direction-changing characters, at most `limit` long."""
    if len(text) <= limit and text.isprintable():
        return text
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:limit]


def web_address(reference: str, base_url: str) -> str | None:
    """Return the absolute address that a page's reference means, without its fragment.

    None for what is no plain http or https address: other schemes, credentials, control characters, and everything
    that two parsers might read differently.
    """
    if _WEB_ADDRESS.fullmatch(reference):
        return reference if len(reference) <= MAX_URL else None
    if not reference.startswith(("https://", "http://")):
        if not _REFERENCE.fullmatch(reference):
            return None
        try:
            reference = _join(base_url, reference)
        except ValueError:
            return None
    address = reference.partition("#")[0]
    return address if len(address) <= MAX_URL and _WEB_ADDRESS.fullmatch(address) else None


def _join(base_url: str, reference: str) -> str:
    # Where pages have relative addresses, thousands of them begin at the same few folders.
    if (down := _DOWN.fullmatch(reference)) is not None:
        return _folder(base_url, down[1] or "./") + down[2]
    return urljoin(base_url, reference)


@lru_cache(64)
def _folder(base_url: str, up: str) -> str:
    return urljoin(base_url, up)
