"""Pages in HTML: what installers see in them, read in time that no page can make long."""

import subprocess
import sys
import time

import pytest
from tests.unit.index.pages import BASE, NAME, SHA

from pinfold.domain.errors import InvalidPage
from pinfold.domain.names import FileKind
from pinfold.domain.project import File, Project, StatusMarker, UpstreamStatus
from pinfold.index import entries, parse_html
from pinfold.index.parse import parse_names_html, parse_project_html

SDIST = "demo_pkg-1.0.tar.gz"


def parse(text: str) -> Project:
    return parse_project_html(text.encode(), project=NAME, base_url=BASE)


def link(attributes: str = "", filename: str = SDIST) -> str:
    return f'<a href="{filename}#sha256={SHA}" {attributes}>{filename}</a>'


def file_of(text: str) -> File:
    project = parse(text)
    assert project.rejected == ()
    return project.files[0]


def test_a_full_page() -> None:
    project = parse(f"""<!DOCTYPE html>
        <html>
          <head>
            <meta charset="utf-8">
            <meta name="pypi:repository-version" content="1.4">
            <meta name="pypi:project-status" content="quarantined">
            <meta name="pypi:project-status-reason" content="the project is &quot;haunted&quot;">
            <meta name="pypi:tracks" content="https://upstream.example/simple/demo-pkg/">
            <meta name="pypi:alternate-locations" content="https://other.example/simple/demo-pkg/">
            <meta name="pypi:alternate-locations" content="/mirror/demo-pkg/">
            <title>Links for demo-pkg</title>
          </head>
          <body>
            <h1>Links for demo-pkg</h1>
            <a href="https://files.example/ab/demo_pkg-1.0.tar.gz#sha256={SHA}"
               data-requires-python="&gt;=3.9" data-yanked="a &lt;b&gt; reason"
               data-dist-info-metadata="sha256={"cd" * 32}" data-core-metadata="sha256={"cd" * 32}"
               data-provenance="https://index.example/integrity/x">demo_pkg-1.0.tar.gz</a><br />
          </body>
        </html>
        <!--SERIAL 17-->""")
    assert project == Project(
        name=NAME,
        files=(
            File(
                filename=SDIST,
                url=f"https://files.example/ab/{SDIST}",
                sha256=SHA,
                kind=FileKind.SDIST,
                version="1.0",
                requires_python=">=3.9",
                yanked="a <b> reason",
                core_metadata="cd" * 32,
                provenance="https://index.example/integrity/x",
            ),
        ),
        versions=("1.0",),
        status=UpstreamStatus(StatusMarker.QUARANTINED, 'the project is "haunted"'),
        tracks=("https://upstream.example/simple/demo-pkg/",),
        alternate_locations=("https://other.example/simple/demo-pkg/", "https://index.example/mirror/demo-pkg/"),
    )


def test_a_page_from_before_every_later_specification() -> None:
    project = parse(f"<html><body><A HREF='{SDIST}#sha256={SHA}'>{SDIST}</A></body></html>")
    assert project.files == (File(filename=SDIST, url=BASE + SDIST, sha256=SHA, kind=FileKind.SDIST, version="1.0"),)
    assert project.status == UpstreamStatus(StatusMarker.ACTIVE)


@pytest.mark.parametrize(
    ("page", "address"),
    [
        (f'<base href="https://files.example/a/">{link()}', f"https://files.example/a/{SDIST}"),
        (f'<base href="/a/">{link()}', f"https://index.example/a/{SDIST}"),
        (f'<base href="../../a/">{link()}', f"https://index.example/a/{SDIST}"),
        (f'<base target="x"><base href="/a/"><base href="/b/">{link()}', f"https://index.example/a/{SDIST}"),
        (link(), BASE + SDIST),
    ],
)
def test_addresses_start_at_the_base_address(page: str, address: str) -> None:
    assert file_of(page).url == address


@pytest.mark.parametrize(
    "href",
    [
        f"https://files.example/demo_pkg-1.0%2Bcpu-py3-none-any.whl#sha256={SHA}",
        f"https://files.example/demo_pkg-1.0+cpu-py3-none-any.whl#sha256={SHA.upper()}",
        f"https://files.example/demo_pkg-1.0+cpu-py3-none-any.whl?token=a/b#egg=x&amp;sha256={SHA}",
        f" https://files.example/demo_pkg-1.0+cpu-py3-none-any.whl#sha256={SHA}&amp;size=3\n",
    ],
)
def test_a_file_is_named_by_its_address_as_installers_read_it(href: str) -> None:
    file = file_of(f'<a href="{href}">Download</a>')
    assert (file.filename, file.version, file.sha256) == ("demo_pkg-1.0+cpu-py3-none-any.whl", "1.0+cpu", SHA)


@pytest.mark.parametrize(
    ("href", "filename", "says"),
    [
        (SDIST, SDIST, "no sha256"),
        (f"{SDIST}#md5=00", SDIST, "no sha256"),
        (f"{SDIST}#sha256=", SDIST, "no sha256"),
        (f"{SDIST}#xsha256={SHA}", SDIST, "no sha256"),
        (f"{SDIST}#sha256={SHA}00", SDIST, "no sha256"),
        (f"other-1.0.tar.gz#sha256={SHA}", "other-1.0.tar.gz", "names the project 'other'"),
        (f"javascript:alert(1)/{SDIST}#sha256={SHA}", SDIST, "no plain http or https URL"),
        (f"https://user:pw@files.example/{SDIST}#sha256={SHA}", SDIST, "no plain http or https URL"),
        (f"https://[files.example/{SDIST}#sha256={SHA}", SDIST, "no plain http or https URL"),
        (f"%2e%2e%2f{SDIST}#sha256={SHA}", f"../{SDIST}", "not a distribution's file name"),
        (f"demo_pkg-1.0%0d%0aX:y.tar.gz#sha256={SHA}", "demo_pkg-1.0 X:y.tar.gz", "not a distribution's file name"),
        ("../", "..", "not a distribution's file name"),
    ],
)
def test_a_link_that_cannot_be_judged_or_verified_is_rejected_with_the_reason(
    href: str, filename: str, says: str
) -> None:
    project = parse(f'<a href="{href}">x</a>{link(filename="demo_pkg-2.0.tar.gz")}')
    assert [file.version for file in project.files] == ["2.0"]
    assert [rejected.filename for rejected in project.rejected] == [filename]
    assert says in project.rejected[0].why


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ("", None),
        ("data-yanked", ""),
        ('data-yanked=""', ""),
        ("data-yanked=bad", "bad"),
        ("DATA-YANKED='a&#10;b'", "a b"),
    ],
)
def test_the_attribute_alone_yanks(attributes: str, reason: str | None) -> None:
    assert file_of(link(attributes)).yanked == reason


@pytest.mark.parametrize(
    ("attributes", "metadata"),
    [
        ("", False),
        ('data-core-metadata="true"', True),
        ('data-core-metadata=""', True),
        ('data-core-metadata="false"', False),
        (f'data-core-metadata="sha256={SHA}"', SHA),
        (f'data-core-metadata="SHA256={SHA.upper()}"', SHA),
        ('data-core-metadata="sha256=short"', True),
        ('data-core-metadata="md5=00"', True),
        (f'data-dist-info-metadata="sha256={SHA}"', SHA),
        ('data-dist-info-metadata="true" data-core-metadata="false"', False),
    ],
)
def test_core_metadata_under_its_present_and_its_former_name(attributes: str, metadata: str | bool) -> None:
    assert file_of(link(attributes)).core_metadata == metadata


@pytest.mark.parametrize("attributes", ["", 'data-provenance=""', "data-provenance", 'data-provenance="x:y"'])
def test_a_provenance_address_that_cannot_be_asked_is_silence(attributes: str) -> None:
    assert file_of(link(attributes)).provenance is False


@pytest.mark.parametrize("markers", [["active", "quarantined"], ["frozen"], [""], ["QUARANTINED"]])
def test_a_contradictory_or_unknown_status_is_never_taken_for_active(markers: list[str]) -> None:
    metas = "".join(f'<meta name="pypi:project-status" content="{marker}">' for marker in markers)
    assert parse(metas + link()).status == UpstreamStatus(StatusMarker.UNRECOGNISED, " and ".join(markers))


HIDDEN = link(filename="demo_pkg-6.6.6.tar.gz")


@pytest.mark.parametrize(
    "other",
    [
        f"<!-- 1 > 0 {HIDDEN} -->",
        f"<script>{HIDDEN}</script>",
        f"<SCRIPT type='x'>{HIDDEN}</script >",
        "<script>if (a<b && c == \"') {}</script>",
        f"<style>{HIDDEN}</style>",
        f"<img alt='{HIDDEN}'>",
        '<p title=">">it\'s',
        '3 < 4 and "quoted',
        f"<abbr>x</abbr><a name=x></a><!---->{link()}",
    ],
)
def test_what_is_no_link_neither_is_one_nor_hides_one(other: str) -> None:
    project = parse(other + link())
    assert [file.version for file in project.files] == ["1.0"]
    assert project.rejected == ()


@pytest.mark.parametrize("opening", ["<!-- ", "<script>", "<img alt='", "<a "])
def test_what_is_never_closed_extends_to_the_end_of_the_page(opening: str) -> None:
    project = parse(link() + opening + HIDDEN.replace("'", ""))
    assert [file.version for file in project.files] == ["1.0"]


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("", "neither links nor pypi: metadata"),
        ("{}", "neither links nor pypi: metadata"),
        ("<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>", "neither links nor pypi: metadata"),
        ("<div>" * 50_000, "neither links nor pypi: metadata"),
        (f'<meta name="pypi:repository-version" content="2.0">{link()}', "greater major"),
        (f'<meta name="pypi:repository-version" content="0.1">{link()}', "only 1.x"),
        (f'<meta name="pypi:repository-version" content="1&#10;x">{link()}', "not an index page"),
        (f'<base href="https://[x/">{link()}', "not an index page"),
    ],
)
def test_what_is_no_index_page_is_refused(page: str, says: str) -> None:
    with pytest.raises(InvalidPage) as caught:
        parse(page)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_project_without_files_is_told_from_no_page_by_its_metadata() -> None:
    assert parse('<meta name="pypi:repository-version" content="1.0">').files == ()


def test_a_later_minor_version_is_understood_with_a_warning_as_pep_629_asks() -> None:
    with pytest.warns(UserWarning, match="greater minor"):
        assert parse(f'<meta name="pypi:repository-version" content="1.99">{link()}').files


def test_an_absurd_number_of_links_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_html, "MAX_FILES", 3)
    assert len(parse(link() * 3).files) == 1
    with pytest.raises(InvalidPage, match="more than 3 links"):
        parse(link() * 4)
    assert entries.MAX_FILES == 200_000


@pytest.mark.parametrize(
    "page",
    [
        "<a href=x>y" * 10_000,
        "<a href=x><!--</a>-->" * 10_000,
        "<a " * 100_000,
        '<a href="' * 100_000,
        '<a b"c=" ></a>' * 10_000,
        "<a '\"" * 100_000,
        "<!--" * 100_000,
        "</" * 100_000,
        "<script>" * 50_000,
        "<a" + " a" * 100_000,
        "<a a" + " " * 200_000,
        "<base href=x>" * 10_000 + "<a href=y>",
    ],
    ids=lambda page: page[:16],
)
def test_no_page_takes_more_than_linear_time(page: str) -> None:
    # Tree builders need minutes for some of these; the limit is far from both, so that a slow machine does not matter.
    started = time.process_time()
    try:
        project = parse(page)
    except InvalidPage:
        pass
    else:
        assert project.files == ()
    assert time.process_time() - started < 5


def test_names_are_taken_from_addresses_normalised_and_invalid_ones_dropped() -> None:
    page = """<!DOCTYPE html><html><body>
        <a href="/simple/foo-bar/">Foo.Bar</a> <a href="Foo_Bar/">foo-bar</a> <a href="https://index.example/simple/q/?a#b">q</a>
        <a href="../">up</a> <a href="a%20b/">a b</a> <a>nowhere</a> <a href="zope.interface">z</a></body></html>"""
    assert parse_names_html(page.encode()) == ["foo-bar", "q", "zope-interface"]


@pytest.mark.parametrize("page", [b"", b"{}", b"\xff\xfe", b"<html>Sign in</html>"])
def test_what_is_no_list_of_names_is_refused(page: bytes) -> None:
    with pytest.raises(InvalidPage):
        parse_names_html(page)


def test_the_html_library_and_all_that_it_needs_is_loaded_only_for_html() -> None:
    code = (
        "import sys, pinfold.index.parse as parse;"
        "parse.parse_names_json(b'{\"projects\": []}');"
        "assert not {'pypi_simple', 'requests', 'bs4'} & set(sys.modules);"
        "parse.parse_names_html(b'<a href=x>');"
        "assert 'pypi_simple' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
