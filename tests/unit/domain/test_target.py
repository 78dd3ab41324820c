import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.evidence import OTHER_SHA256, SHA256, a_file

from pinfold.domain.errors import InvalidTarget
from pinfold.domain.target import FileTarget, HashTarget, ProjectTarget, ReleaseTarget, parse_target


class TestParsing:
    @pytest.mark.parametrize(
        ("text", "target"),
        [
            ("litellm", ProjectTarget("litellm")),
            ("  Lite_LLM ", ProjectTarget("lite-llm")),
            ("litellm==1.82.8", ReleaseTarget("litellm", "==1.82.8")),
            ("LiteLLM == 1.82.8", ReleaseTarget("litellm", "==1.82.8")),
            ("litellm>=1.82.7,<1.82.9", ReleaseTarget("litellm", "<1.82.9,>=1.82.7")),
            ("litellm~=1.82", ReleaseTarget("litellm", "~=1.82")),
            ("litellm===1.82.8", ReleaseTarget("litellm", "===1.82.8")),
            ("litellm-1.82.8-py3-none-any.whl", FileTarget("litellm", "litellm-1.82.8-py3-none-any.whl")),
            ("litellm-1.82.8.tar.gz", FileTarget("litellm", "litellm-1.82.8.tar.gz")),
            ("foo-1.0.msi", FileTarget("foo", "foo-1.0.msi")),
            ("foo_bar-1.0.TAR.XZ", FileTarget("foo-bar", "foo_bar-1.0.TAR.XZ")),
            (f"sha256:{SHA256}", HashTarget(SHA256)),
            (f"SHA256: {SHA256.upper()} ", HashTarget(SHA256)),
        ],
    )
    def test_target_is_told_by_its_form(self, text: str, target: object) -> None:
        assert parse_target(text) == target

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "-litellm",
            "litellm[proxy]",
            "litellm==",
            "litellm==1.0; python_version > '3'",
            "litellm>1<2",
            "litellm==one",
            "==1.0",
            "litellm @ https://files.example/litellm-1.0.tar.gz",
            "../litellm-1.0.tar.gz",
            "litellm-1.82.8.TAR.GZ",
            "litellm-1.82.8-py3-none-any.WHL",
            "nightly.tar.gz",
            "x.whl",
            "lite\nllm",
            "lite\x00llm",
            "sha256:",
            "sha256:" + "a" * 63,
            "sha256:" + "g" * 64,
            "sha256:" + "a" * 65,
            "md5:" + "a" * 32,
            "a" * 600,
            "litellm==" + "9" * 5000,
            "litellm" + " " * 100_000 + "x",
        ],
    )
    def test_what_names_nothing_is_refused_in_one_line_with_an_example(self, text: str) -> None:
        with pytest.raises(InvalidTarget) as raised:
            parse_target(text)
        assert str(raised.value).isprintable()
        assert len(str(raised.value)) < 500

    @pytest.mark.parametrize(
        "text", ["litellm", "litellm==1.82.8", "litellm-1.82.8.tar.gz", f"sha256:{SHA256}", "a>=1,<2,!=1.5"]
    )
    def test_target_is_written_as_it_is_read(self, text: str) -> None:
        target = parse_target(text)
        assert parse_target(str(target)) == target

    @given(st.text(max_size=80) | st.text("ab-_.=<>~!,1 *:/", max_size=80))
    def test_any_text_is_a_target_or_refused(self, text: str) -> None:
        try:
            target = parse_target(text)
        except InvalidTarget:
            return
        assert target.covers("litellm", a_file()) in (True, False)


class TestCovering:
    def test_project_covers_all_of_its_files_and_no_others(self) -> None:
        target = ProjectTarget("litellm")
        assert target.covers("litellm", a_file(version=None))
        assert not target.covers("litellm-proxy", a_file())

    @pytest.mark.parametrize(
        ("specifier", "version", "covered"),
        [
            ("==1.82.8", "1.82.8", True),
            ("==1.82.8", "1.82.80", False),
            ("==1.82.8", "1.82.8.post1", False),
            ("==1.82", "1.82.0", True),
            (">=1.82.7,<1.82.9", "1.82.8rc1", True),
            (">=1.82", "2.0.dev1", True),
            ("==1.82.*", "1.82.8", True),
        ],
    )
    def test_release_covers_what_its_specifier_admits(self, specifier: str, version: str, covered: bool) -> None:
        target = parse_target(f"litellm{specifier}")
        assert target.covers("litellm", a_file(version=version)) is covered
        assert not target.covers("other", a_file(version=version))

    def test_release_covers_files_that_tell_no_version(self) -> None:
        assert ReleaseTarget("litellm", "==1.82.8").covers("litellm", a_file(version=None))

    def test_file_covers_its_exact_name(self) -> None:
        target = parse_target("litellm-1.82.8-py3-none-any.whl")
        assert target.covers("litellm", a_file())
        assert not target.covers("litellm", a_file(filename="litellm-1.82.8.tar.gz"))

    def test_hash_covers_its_bytes_under_any_name(self) -> None:
        target = HashTarget(SHA256)
        assert target.covers("anything", a_file(filename="other-1.0.tar.gz"))
        assert not target.covers("litellm", a_file(sha256=OTHER_SHA256))
