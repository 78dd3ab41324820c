"""An index's pages in HTML (PEP 503): version 1.4, with PEP 592, 629, 658, 708, 714, 740 and 792."""

from collections.abc import Iterable
from functools import lru_cache
from html import escape
from typing import Final

from pinfold.domain.project import StatusMarker
from pinfold.index.page import ListedFile, ListedProject
from pinfold.index.render_json import API_VERSION

SHARED: Final = 256
"""What files need of Python, as it was rendered, which is kept for the next ones."""

# Every value that is put into these goes through `_escape`, or through `_attribute`, which does.
_HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{metadata}
<title>{title}</title>
</head>
<body>
<h1>{title}</h1>
"""
_FOOT = b"""
</body>
</html>
"""


def render_html(page: ListedProject) -> bytes:
    """Return a project page in HTML5; the same page always gives the same bytes."""
    return html_page(page, map(html_entry, page.files))


def html_page(page: ListedProject, entries: Iterable[bytes]) -> bytes:
    """Return a project page of entries that are rendered already, those of its files, in their order."""
    metadata = [_meta("repository-version", API_VERSION)]
    if page.status.marker is not StatusMarker.UNRECOGNISED:
        metadata.append(_meta("project-status", page.status.marker.value))
        if page.status.reason:
            metadata.append(_meta("project-status-reason", page.status.reason))
    metadata += [_meta("tracks", address) for address in page.tracks]
    metadata += [_meta("alternate-locations", address) for address in page.alternate_locations]
    return _page(f"Links for {page.name}", metadata, entries)


def render_names_html(names: Iterable[str]) -> bytes:
    """Return the list of an index's projects in HTML5."""
    links = (f'<a href="{_escape(name)}/">{_escape(name)}</a><br>'.encode() for name in names)
    return _page("Simple index", [_meta("repository-version", API_VERSION)], links)


def _page(title: str, metadata: Iterable[str], links: Iterable[bytes]) -> bytes:
    head = _HEAD.format(title=_escape(title), metadata="\n".join(metadata)).encode()
    return b"%b%b%b" % (head, b"\n".join(links), _FOOT)


def _meta(name: str, content: str) -> str:
    return f'<meta name="pypi:{name}"{_attribute("content", content)}>'


def html_entry(listed: ListedFile) -> bytes:
    """Return the link by which a project page in HTML lists one file."""
    file = listed.file
    attributes = _attribute("href", f"{listed.url}#sha256={file.sha256}")
    if file.requires_python:
        attributes += _requirement(file.requires_python)
    if listed.core_metadata:
        value = _escape(f"sha256={listed.core_metadata}" if isinstance(listed.core_metadata, str) else "true")
        # PEP 714 lets HTML carry the old name as well, for the tools that know no other.
        attributes += f' data-core-metadata="{value}" data-dist-info-metadata="{value}"'
    if listed.yanked is not None:
        attributes += _attribute("data-yanked", listed.yanked)
    if isinstance(listed.provenance, str):
        attributes += _attribute("data-provenance", listed.provenance)
    return f"<a{attributes}>{_escape(file.filename)}</a><br>".encode()


@lru_cache(SHARED)
def _requirement(python: str) -> str:
    # Nearly all have something to escape, and few are not alike.
    return _attribute("data-requires-python", python)


def _attribute(name: str, value: str) -> str:
    return f' {name}="{_escape(value)}"'


def _escape(text: str) -> str:
    # Of thousands of names and addresses hardly one has anything to escape, and to look for it is cheaper than to try.
    is_special = "&" in text or "<" in text or ">" in text or '"' in text or "'" in text
    return escape(text) if is_special else text
