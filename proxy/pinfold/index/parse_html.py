"""The HTML representation of an index's pages (PEP 503, with PEP 592, 629, 658, 708, 714, 740 and 792), read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from msgspec import UNSET

from pinfold.domain.errors import InvalidName, InvalidPage
from pinfold.domain.names import normalise
from pinfold.domain.project import Project
from pinfold.index.details import MAX_NAMES, check_api_version, read_locations, read_status, read_versions
from pinfold.index.entries import MAX_FILES, FileEntry, Hashes, admit
from pinfold.index.sanitise import clean

if TYPE_CHECKING:
    from pypi_simple import Link

# One pass that reads every character once, whatever the page: a comment, a script, a well-formed tag that is of use, or
# any other tag, each up to its end or, as in HTML itself, up to the end of the page where it has none.
_MARKUP = re.compile(
    r"""
    <!--.*?(?:-->|\Z)
    | <(script|style)\b.*?(?:</\1|\Z)
    | <(?P<useful>a|base|meta)(?=[\s/>])
      (?:\s*+ [^\s"'<>/=]++ (?:\s*+ = \s*+ (?:"[^"]*+" | '[^']*+' | [^\s"'=<>`]++))?+)*+ \s*+ /?+ >
    | <[a-z!/?](?:[^"'>]++ | "[^"]*+(?:"|\Z) | '[^']*+(?:'|\Z))*+(?:>|\Z)
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_SHA256 = re.compile(r"(?:\A|&)sha256=([^&]*)")


@dataclass(frozen=True, slots=True)
class _Page:
    metadata: dict[str, list[str]]
    """By name, without the leading `pypi:`."""
    links: "list[Link]"
    """With their addresses as they stand in the page."""
    base_url: str
    """The address that relative ones start at."""


def parse_project_html(body: bytes, *, project: str, base_url: str) -> Project:
    """Return what a project page in HTML says.

    `project` is the normalised name that was asked for; `base_url` the address that the page came from, without
    credentials, for relative addresses to start at. Raises InvalidPage for what is no index page.

    HTML knows neither sizes nor upload times, and cannot say that a file has no provenance.
    """
    page = _read(body, base_url, MAX_FILES)
    files, rejected = admit(map(_entry, page.links), project=project, base_url=page.base_url)
    markers = dict.fromkeys(page.metadata.get("project-status", ()))
    reasons = page.metadata.get("project-status-reason", ())
    return Project(
        name=project,
        files=files,
        versions=read_versions((), files),
        # Several markers contradict one another, and together are none that is known.
        status=read_status(" and ".join(markers) if markers else None, next(iter(reasons), None)),
        tracks=read_locations(page.metadata.get("tracks", ()), base_url),
        alternate_locations=read_locations(page.metadata.get("alternate-locations", ()), base_url),
        rejected=rejected,
    )


def parse_names_html(body: bytes) -> list[str]:
    """Return the projects that an index lists in HTML, normalised, without those whose names are none.

    Raises InvalidPage for what is no such list.
    """
    return list(dict.fromkeys(_names(_read(body, "", MAX_NAMES).links)))


def _read(body: bytes, base_url: str, most: int) -> _Page:
    # It brings requests and Beautiful Soup along, which most installations never need: PyPI answers in JSON.
    from pypi_simple import RepositoryPage, UnsupportedRepoVersionError, parse_links_stream

    useful = _useful_tags(body.decode("utf-8-sig", errors="replace"), most)
    try:
        head = RepositoryPage.from_html("".join(useful["meta"]))
        links = list(parse_links_stream(useful["a"]))
        # An empty reference leads to the base. A malformed base spoils the page, whereas a malformed link must not.
        (empty,) = parse_links_stream([*useful["base"], '<a href=""></a>'], base_url)
    except (ValueError, UnsupportedRepoVersionError) as error:
        raise InvalidPage(f"the answer is not an index page in HTML: {clean(str(error))}") from error
    if head.repository_version is not None:
        check_api_version(head.repository_version)
    if not links and not head.pypi_meta:
        raise InvalidPage("the answer is not an index page in HTML: it has neither links nor pypi: metadata")
    return _Page(head.pypi_meta, links, empty.url)


def _useful_tags(html: str, most: int) -> dict[str, list[str]]:
    """Return a page's links, each closed at once, its base address and its metadata, by the tag's name.

    Parsing a stranger's HTML can take quadratic time, for instance over links that are never closed; over nothing but
    these tags, well-formed, it cannot. Texts are not missed: as installers do, names are taken from addresses.
    """
    useful: dict[str, list[str]] = {"a": [], "base": [], "meta": []}
    for markup in _MARKUP.finditer(html):
        if name := markup["useful"]:
            useful[name.lower()].append(f"{markup[0]}</a>" if name in "aA" else markup[0])
    if any(len(tags) > most for tags in useful.values()):
        raise InvalidPage(f"the page has more than {most} links, which is not believed")
    return useful


def _entry(link: "Link") -> FileEntry:
    address, _, fragment = link.url.strip().partition("#")
    digest = _SHA256.search(fragment)
    return FileEntry(
        filename=unquote(_last_component(address)),
        url=address,
        hashes=Hashes(digest[1] if digest else None),
        requires_python=_attribute(link, "data-requires-python"),
        core_metadata=_metadata(_attribute(link, "data-core-metadata")),
        dist_info_metadata=_metadata(_attribute(link, "data-dist-info-metadata")),
        # The attribute alone yanks (PEP 592), whereas an empty string in JSON does not.
        yanked=None if (reason := _attribute(link, "data-yanked")) is None else reason or True,
        provenance=_attribute(link, "data-provenance") or UNSET,
    )


def _metadata(value: str | None) -> bool | Hashes | None:
    if value is None:
        return None
    algorithm, equals, digest = value.partition("=")
    if equals and algorithm.lower() == "sha256":
        return Hashes(digest)
    return value.lower() != "false"


def _attribute(link: "Link", name: str) -> str | None:
    value = link.attrs.get(name)
    return value if isinstance(value, str) else None


def _names(links: "list[Link]") -> Iterator[str]:
    for link in links:
        try:
            yield normalise(_last_component(link.url))
        except InvalidName:
            continue


def _last_component(address: str) -> str:
    path = address.partition("#")[0].partition("?")[0]
    return path.strip().rstrip("/").rpartition("/")[2]
