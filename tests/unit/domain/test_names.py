import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.domain.errors import InvalidName
from pinfold.domain.names import (
    FileKind,
    FileName,
    canonical_version,
    normalise,
    normalise_glob,
    parse_filename,
    parse_version,
    possible_projects,
)

valid_names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True)

HOSTILE = [
    "",
    ".",
    "..",
    "../etc/passwd",
    "a/b",
    "a\\b",
    "a b",
    "a%2fb",
    "-a",
    "a-",
    "_a",
    "a\n",
    "a\r\nX-Header: 1",
    "a\x00b",
    "a\u2028b",
    "<script>",
    "é",
    "\u212aelvin",  # KELVIN SIGN, which lower-cases to an ASCII k
    "\ufb01le",  # LATIN SMALL LIGATURE FI
    "\u0430",  # CYRILLIC SMALL LETTER A
    "1\u0661",  # ARABIC-INDIC DIGIT ONE
    "a" * 215,
]


class TestNormalise:
    @pytest.mark.parametrize("name", ["Zope.Interface", "zope_interface", "ZOPE--INTERFACE", "zope-._-interface"])
    def test_spellings_of_one_name_become_one(self, name: str) -> None:
        assert normalise(name) == "zope-interface"

    @pytest.mark.parametrize("name", HOSTILE)
    def test_what_is_no_name_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidName):
            normalise(name)

    def test_longest_name_is_one(self) -> None:
        assert normalise("A" * 214) == "a" * 214

    @given(valid_names)
    def test_normalising_again_changes_nothing(self, name: str) -> None:
        once = normalise(name)
        assert normalise(once) == once
        assert once == once.lower()
        assert not set(once) & set("._ /")

    @given(st.text(max_size=20))
    def test_any_text_is_normalised_or_refused(self, text: str) -> None:
        try:
            name = normalise(text)
        except InvalidName:
            return
        assert name.isascii()
        assert name.strip("-") == name != ""


class TestNormaliseGlob:
    @pytest.mark.parametrize(
        ("glob", "normalised"),
        [("*", "*"), ("Acme_*", "acme-*"), ("acme.?", "acme-?"), ("*-internal", "*-internal"), ("Litellm", "litellm")],
    )
    def test_globs_are_spelled_so_that_they_can_match(self, glob: str, normalised: str) -> None:
        assert normalise_glob(glob) == normalised

    @pytest.mark.parametrize("glob", [*HOSTILE, "acme-", "a[bc]", "a$", "^a", "a|b", "!a", "a,b", "*" * 215])
    def test_globs_that_match_no_name_are_refused(self, glob: str) -> None:
        with pytest.raises(InvalidName):
            normalise_glob(glob)

    @given(valid_names)
    def test_names_are_globs_of_themselves(self, name: str) -> None:
        assert normalise_glob(name) == normalise(name)


class TestVersions:
    def test_spellings_of_one_version_become_one(self) -> None:
        assert canonical_version("v1.0-RC_1") == canonical_version("1.0rc1") == "1.0rc1"

    @pytest.mark.parametrize("text", ["", "one", "1.0.0.dev", "1..0", "9" * 5000, "1.0\n2"])
    def test_what_is_no_version_is_none(self, text: str) -> None:
        expected = "1.0.0.dev0" if text == "1.0.0.dev" else None
        assert canonical_version(text) == expected
        assert (parse_version(text) is None) is (expected is None)

    @given(st.from_regex(r"[0-9v.!+rc-]{0,12}", fullmatch=True))
    def test_the_spelling_is_packagings_own(self, text: str) -> None:
        """Also where a version is plain enough to be told without it."""
        parsed = parse_version(text)
        assert canonical_version(text) == (None if parsed is None else str(parsed))


class TestParseFilename:
    @pytest.mark.parametrize(
        ("filename", "project", "kind", "version"),
        [
            ("litellm-1.82.8-py3-none-any.whl", "litellm", FileKind.WHEEL, "1.82.8"),
            ("zope.interface-7.0-1-cp312-cp312-linux_x86_64.whl", "zope-interface", FileKind.WHEEL, "7.0"),
            ("Foo_Bar-1.0.post1+local.1-py3-none-any.whl", "foo-bar", FileKind.WHEEL, "1.0.post1+local.1"),
            ("litellm-1.82.8.tar.gz", "litellm", FileKind.SDIST, "1.82.8"),
            ("zope.interface-4.1.zip", "zope-interface", FileKind.SDIST, "4.1"),
            ("a-b-1.0.tar.gz", "a-b", FileKind.SDIST, "1.0"),
            ("foo-1.0-1.tar.gz", "foo", FileKind.SDIST, "1.0.post1"),
            ("foo-2-1.0.tar.gz", "foo-2", FileKind.SDIST, "1.0"),
            ("foo-2-1.0.tar.gz", "foo", FileKind.SDIST, None),
            ("foo-nightly.tar.gz", "foo", FileKind.SDIST, None),
            ("foo.tar.gz", "foo", FileKind.SDIST, None),
            ("foo-1.0.linux-x86_64.tar.gz", "foo", FileKind.SDIST, None),
            ("foo-1.0-py2.7.egg", "foo", FileKind.OTHER, "1.0"),
            ("foo-1.0.win32-py2.7.exe", "foo", FileKind.OTHER, None),
            ("foo-1.0.tar.bz2", "foo", FileKind.OTHER, "1.0"),
            ("Foo-1.0.TAR.XZ", "foo", FileKind.OTHER, "1.0"),
        ],
    )
    def test_name_tells_kind_and_version(self, filename: str, project: str, kind: FileKind, version: str) -> None:
        assert parse_filename(filename, project) == FileName(kind, project, version)

    @pytest.mark.parametrize(
        "filename",
        [
            "evil-1.0-py3-none-any.whl",
            "evil-1.0.tar.gz",
            "litellm2-1.0-py3-none-any.whl",
            "litellm-extra-1.0-py3-none-any.whl",
            "evil-1.0.egg",
        ],
    )
    def test_file_of_another_project_is_refused(self, filename: str) -> None:
        with pytest.raises(InvalidName):
            parse_filename(filename, "litellm")

    @pytest.mark.parametrize(
        "filename",
        [
            "litellm-1.0-py3-none.whl",
            "litellm-1.0-1-2-py3-none-any.whl",
            "litellm-one-py3-none-any.whl",
            "litellm--py3-none-any.whl",
            "litellm-1.0-py3-none-any.WHL",
            "litellm-1.0.tar.gz.asc",
            "litellm-1.0.tar.gz.metadata",
            "litellm-1.0.html",
            "litellm",
            ".litellm-1.0.tar.gz",
            "../litellm-1.0.tar.gz",
            "litellm/../x-1.0.tar.gz",
            "litellm-1.0.tar.gz\n",
            "litellm-1.0\r\nX: 1.tar.gz",
            "litellm-1.0%2f.tar.gz",
            "litellm-1.0 .tar.gz",
            "litellm-1.0?.tar.gz",
            "litellm-1.0#.tar.gz",
            "litellm-1.0;.tar.gz",
            'litellm-1.0".tar.gz',
            "litellm-1.0<b>.tar.gz",
            "litellm-1.0\u202e.tar.gz",
            "litellm-1.0\x00.tar.gz",
            "litellm-" + "1" * 250 + ".tar.gz",
        ],
    )
    def test_hostile_or_meaningless_name_is_refused(self, filename: str) -> None:
        with pytest.raises(InvalidName):
            parse_filename(filename, "litellm")

    @given(valid_names, st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}(rc[0-9])?", fullmatch=True))
    def test_every_sdist_and_wheel_is_told_from_its_projects_name(self, name: str, version: str) -> None:
        project = normalise(name)
        for spelled in (name, project.replace("-", "_")):
            sdist = parse_filename(f"{spelled}-{version}.tar.gz", project)
            assert sdist == FileName(FileKind.SDIST, project, canonical_version(version))
        wheel = parse_filename(f"{project.replace('-', '_')}-{version}-py3-none-any.whl", project)
        assert wheel == FileName(FileKind.WHEEL, project, canonical_version(version))

    @given(st.text(max_size=60), st.sampled_from(["litellm", "a", "a-b"]))
    def test_any_text_is_a_file_of_the_project_or_refused(self, text: str, project: str) -> None:
        for filename in (text, f"{project}-{text}.tar.gz", f"{project}-{text}-py3-none-any.whl"):
            try:
                assert parse_filename(filename, project).project == project
            except InvalidName:
                continue


class TestPossibleProjects:
    @pytest.mark.parametrize(
        ("filename", "projects"),
        [
            ("Foo_Bar-1.0-py3-none-any.whl", ["foo-bar"]),
            ("a-b-1.0.tar.gz", ["a-b"]),
            ("foo-1.0-1.tar.gz", ["foo-1-0", "foo"]),
            ("foo-nightly.tar.gz", []),
            ("1.zip", []),
        ],
    )
    def test_likeliest_comes_first(self, filename: str, projects: list[str]) -> None:
        assert possible_projects(filename) == projects

    def test_hyphens_in_hundreds_name_few_projects(self) -> None:
        assert len(possible_projects("-".join(["1"] * 120) + ".tar.gz")) == 3

    @pytest.mark.parametrize("filename", ["", "../x-1.0.tar.gz", "x-1.0.whl", "a\nb-1.0.tar.gz", "x" * 256])
    def test_what_is_no_file_name_is_refused(self, filename: str) -> None:
        with pytest.raises(InvalidName):
            possible_projects(filename)
