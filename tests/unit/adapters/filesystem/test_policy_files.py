from pathlib import Path

import pytest

import pinfold
from pinfold.adapters.filesystem.policy_files import PolicyFiles
from pinfold.domain.errors import InvalidCases, InvalidPolicy

AGE = '[[rule]]\nid = "minimum-age"\nparams = { days = 3 }\n'
CASE = """[[case]]
name = "one"
project = "litellm"
story = "s"
[[case.file]]
filename = "litellm-1.tar.gz"
uploaded = 2026-03-24T10:53:00Z
[[case.expect]]
at = 2026-03-24T11:52:00Z
house = "quarantine by minimum-age"
baseline = "quarantine by minimum-age"
"""


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    folder = tmp_path / "shipped"
    (folder / "cases").mkdir(parents=True)
    (folder / "baseline.toml").write_text(AGE)
    (folder / "strict.toml").write_text(AGE.replace("3", "14"))
    (folder / "README.md").write_text("not a policy")
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    (folder / "cases").mkdir(parents=True)
    (folder / "house.toml").write_text(AGE)
    (folder / "cases" / "one.toml").write_text(CASE)
    return folder


class TestLoading:
    def test_policy_is_loaded_by_its_shipped_name(self, shipped: Path) -> None:
        files = PolicyFiles(shipped)
        assert files.names() == ["baseline", "strict"]
        assert files.load("baseline").name == "baseline"
        assert files.load("baseline").digest != files.load("strict").digest

    def test_policy_is_loaded_by_its_path(self, shipped: Path, own: Path) -> None:
        assert PolicyFiles(shipped).load(str(own / "house.toml")).name == "house"

    def test_file_in_the_working_directory_does_not_stand_in_for_a_shipped_policy(
        self, shipped: Path, own: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (own / "baseline").write_text(AGE.replace("3", "1"))
        monkeypatch.chdir(own)
        files = PolicyFiles(shipped)
        assert files.load("baseline").digest == files.load(str(shipped / "baseline.toml")).digest

    @pytest.mark.parametrize("name", ["basline", "", "../own/house", "/etc/passwd", "cases/one"])
    def test_what_is_neither_name_nor_path_is_an_error(self, shipped: Path, own: Path, name: str) -> None:
        with pytest.raises(InvalidPolicy, match="there is no such policy"):
            PolicyFiles(shipped).load(name)

    def test_nearest_name_is_told(self, shipped: Path) -> None:
        with pytest.raises(InvalidPolicy, match="did you mean baseline"):
            PolicyFiles(shipped).load("basline")

    def test_document_that_cannot_be_read_is_an_error_with_its_reason(self, shipped: Path, own: Path) -> None:
        files = PolicyFiles(shipped)
        with pytest.raises(InvalidPolicy, match=r"missing\.toml: cannot be read: No such file"):
            files.load(str(own / "missing.toml"))
        (own / "latin.toml").write_bytes(b'description = "\xe9"\n')
        with pytest.raises(InvalidPolicy, match=r"latin\.toml: is not UTF-8 text"):
            files.load(str(own / "latin.toml"))
        (own / "folder.toml").mkdir()
        with pytest.raises(InvalidPolicy, match=r"folder\.toml: cannot be read: Is a directory"):
            files.load(str(own / "folder.toml"))


class TestFolders:
    def test_folder_adds_its_policies_to_the_shipped_ones(self, shipped: Path, own: Path) -> None:
        files = PolicyFiles(shipped)
        assert files.policies().keys() == {"baseline", "strict"}
        assert files.policies(own).keys() == {"baseline", "strict", "house"}

    def test_folder_may_replace_a_shipped_policy_in_its_own_test(self, shipped: Path, own: Path) -> None:
        (own / "baseline.toml").write_text(AGE.replace("3", "9"))
        files = PolicyFiles(shipped)
        assert files.policies(own)["baseline"].digest != files.load("baseline").digest

    def test_cases_may_expect_something_of_all_of_them(self, shipped: Path, own: Path) -> None:
        (case,) = PolicyFiles(shipped).cases(own)
        assert case.expectations[0].outcomes.keys() == {"house", "baseline"}

    def test_problems_of_all_documents_are_told_at_once(self, shipped: Path, own: Path) -> None:
        for name in ("a", "b"):
            (own / f"{name}.toml").write_text("")
            (own / "cases" / f"{name}.toml").write_text(CASE.replace("house", "hose"))
        files = PolicyFiles(shipped)
        with pytest.raises(InvalidPolicy) as policies:
            files.policies(own)
        assert policies.value.problems == [f"{own / name}:1: rule: is missing" for name in ("a.toml", "b.toml")]
        with pytest.raises(InvalidCases) as cases:
            files.cases(own)
        assert [problem.split(":")[0] for problem in cases.value.problems] == [
            str(own / "cases" / name) for name in ("a.toml", "b.toml")
        ]

    def test_folder_without_cases_is_an_error(self, shipped: Path) -> None:
        with pytest.raises(InvalidCases, match="holds no case"):
            PolicyFiles(shipped).cases(shipped)


class TestShipped:
    def test_checkout_has_its_policies_beside_the_code(self) -> None:
        assert PolicyFiles().names() == ["baseline", "strict"]
        assert PolicyFiles().cases()

    def test_installed_package_has_them_inside(self, tmp_path: Path, shipped: Path, monkeypatch) -> None:
        package = tmp_path / "site-packages" / "pinfold"
        package.mkdir(parents=True)
        shipped.rename(package / "policies")
        monkeypatch.setattr(pinfold, "__file__", str(package / "__init__.py"))
        assert PolicyFiles().load("strict").name == "strict"
