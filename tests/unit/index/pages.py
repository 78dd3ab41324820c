"""Projects as hypothesis makes them, and the pages that this index renders of them."""

from dataclasses import replace
from datetime import UTC

from hypothesis import strategies as st
from msgspec import structs
from packaging.version import Version

from pinfold.domain.names import parse_filename
from pinfold.domain.project import File, Project, StatusMarker, UpstreamStatus
from pinfold.index.page import ListedFile, ListedProject
from pinfold.index.sanitise import clean

NAME = "demo-pkg"
BASE = f"https://index.example/simple/{NAME}/"
SHA = "ab" * 32

hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
texts = st.text(max_size=60).map(clean)
versions = st.builds(
    "{}{}.{}{}".format,
    st.sampled_from(["", "", "1!"]),
    st.integers(0, 30),
    st.integers(0, 99),
    st.sampled_from(["", "rc1", ".post2", ".dev3", "+cpu"]),
)
addresses = st.builds(
    "https://{}.example/{}".format,
    st.sampled_from(["a", "files", "x-y"]),
    st.text("abz09/%+&=?@'", max_size=20),
)
_shapes = st.sampled_from(
    [
        "demo_pkg-{}.tar.gz",
        "Demo.Pkg-{}.zip",
        "demo-pkg-{}.tar.bz2",
        "demo_pkg-{}-py3-none-any.whl",
        "demo_pkg-{}-1-cp312-cp312-manylinux_2_17_x86_64.whl",
        "demo_pkg-{}-py2.7.egg",
        "demo-pkg-{}.win32-py2.7.exe",
    ]
)


@st.composite
def files(draw: st.DrawFn) -> File:
    """Return a file as a page can state it, its address the one that `page_of` lists."""
    filename = draw(st.builds(lambda shape, version: shape.format(version), _shapes, versions))
    name = parse_filename(filename, NAME)
    sha256 = draw(hashes)
    return File(
        filename=filename,
        url=f"https://index.example/files/{NAME}/{sha256}/{filename}",
        sha256=sha256,
        kind=name.kind,
        version=name.version,
        size=draw(st.none() | st.integers(0, 2**53 - 1)),
        upload_time=draw(st.none() | st.datetimes(timezones=st.just(UTC))),
        requires_python=draw(st.none() | texts) or None,
        yanked=draw(st.none() | st.just("") | texts),
        core_metadata=draw(st.booleans() | hashes),
        provenance=draw(st.booleans() | addresses),
    )


@st.composite
def projects(draw: st.DrawFn) -> Project:
    """Return a project whose page can be rendered and read back without loss."""
    listed = tuple(draw(st.lists(files(), max_size=8, unique_by=lambda file: file.filename)))
    marker = draw(st.sampled_from([marker for marker in StatusMarker if marker is not StatusMarker.UNRECOGNISED]))
    return Project(
        name=NAME,
        files=listed,
        versions=tuple(draw(st.lists(versions, unique=True, max_size=5))) or versions_of(listed),
        status=UpstreamStatus(marker, draw(st.none() | texts) or None),
        tracks=tuple(draw(st.lists(addresses, max_size=2))),
        alternate_locations=tuple(draw(st.lists(addresses, max_size=2))),
    )


def page_of(project: Project) -> ListedProject:
    """Return a project's page as an index that changes nothing would list it."""
    return ListedProject(
        name=project.name,
        files=tuple(
            ListedFile(
                file=file,
                url=f"../../files/{NAME}/{file.sha256}/{file.filename}",
                yanked=file.yanked,
                core_metadata=file.core_metadata,
                provenance=file.provenance,
            )
            for file in project.files
        ),
        versions=project.versions,
        status=project.status,
        tracks=project.tracks,
        alternate_locations=project.alternate_locations,
    )


def as_html_tells(project: Project) -> Project:
    """Return a project less what the HTML representation cannot say."""
    return replace(
        project,
        files=tuple(
            structs.replace(
                file, size=None, upload_time=None, provenance=file.provenance if file.provenance is not True else False
            )
            for file in project.files
        ),
        versions=versions_of(project.files),
    )


def versions_of(listed: tuple[File, ...]) -> tuple[str, ...]:
    """Return the versions of files in PEP 440's order."""
    return tuple(sorted({file.version for file in listed if file.version}, key=lambda text: (Version(text), text)))
