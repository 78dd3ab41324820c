"""What the previous release did not have; the litellm incident of March 2026 among others."""

import base64

from tests.unit.inspection.archives import SDIST_NAME, Wheel, sdist
from tests.unit.inspection.examining import examine, new_kinds

from pinfold.domain.decision import Effect
from pinfold.domain.inspection import Kind, Report
from pinfold.inspection import compare, foreign_packages

PAYLOAD = base64.b64encode(b"print('harmless')\n" * 400).decode()


def wheel(files: dict[str, bytes] | None = None) -> Report:
    return examine(Wheel(files or {}).build())


def test_a_release_has_nothing_new_against_itself() -> None:
    report = wheel({"acme.pth": b"import acme\n", "acme/x.so": b"\x7fELF" + bytes(90)})
    assert compare(report, report) == []


def test_a_new_start_up_hook_is_quarantined_with_its_place_and_its_text() -> None:
    (observation,) = compare(wheel({"acme_init.pth": b"\n# start\nimport os; os.system('x')\n"}), wheel())
    assert observation.kind is Kind.NEW_START_UP_HOOK
    assert observation.grade is Effect.QUARANTINE
    assert (observation.file, observation.line) == ("acme_init.pth", 3)
    assert observation.text == "runs at every interpreter start: import os; os.system('x')"


def test_a_hook_with_another_content_is_new_and_under_another_name_it_is_not() -> None:
    before = wheel({"acme.pth": b"import acme\n"})
    assert new_kinds(wheel({"acme.pth": b"import evil\n"}), before) == {Kind.NEW_START_UP_HOOK}
    assert new_kinds(wheel({"acme.pth": b"import acme\nimport evil\n"}), before) == {Kind.NEW_START_UP_HOOK}
    assert new_kinds(wheel({"zacme.pth": b"import acme\n"}), before) == set()


def test_what_a_release_no_longer_has_is_nothing_new() -> None:
    assert compare(wheel(), wheel({"acme.pth": b"import acme\n"})) == []


def test_code_hidden_in_a_module_is_new_as_in_litellm_1_82_7() -> None:
    source = (
        f"import base64, subprocess, sys\nB = '{PAYLOAD}'\nsubprocess.run([sys.executable, '-c', base64.b64decode(B)])"
    )
    observations = compare(wheel({"acme/proxy.py": source.encode()}), wheel())
    assert [(o.kind, o.file, o.line) for o in observations] == [(Kind.NEW_OPAQUE_CODE, "acme/proxy.py", 3)]


def test_a_hook_that_starts_another_interpreter_is_new_as_in_litellm_1_82_8() -> None:
    code = f"exec(__import__('base64').b64decode('{PAYLOAD}'))"
    line = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {code!r}])"
    report = wheel({"acme_init.pth": line.encode()})
    assert report.observations == ()
    assert new_kinds(report, wheel()) == {Kind.NEW_START_UP_HOOK, Kind.NEW_OPAQUE_CODE}
    source_release = examine(sdist(files={"acme_init.pth": line.encode()}), SDIST_NAME)
    assert new_kinds(source_release, examine(sdist(), SDIST_NAME)) == {Kind.NEW_START_UP_HOOK, Kind.NEW_OPAQUE_CODE}


def test_a_release_five_times_as_large_is_told_and_a_small_one_is_not() -> None:
    large = b"".join(b"%d\n" % number for number in range(400_000))
    (observation,) = compare(wheel({"acme/data.txt": large}), wheel())
    assert observation.kind is Kind.SIZE_JUMP
    assert compare(wheel({"acme/data.txt": large[:500_000]}), wheel()) == []


def test_packages_of_others_are_told_by_their_owners() -> None:
    report = wheel({"requests/__init__.py": b"", "numpy.py": b"", "acme-1.0.data/purelib/yaml/__init__.py": b""})
    assert report.top_level == ("acme", "requests", "numpy", "yaml")
    found = foreign_packages(report, {"requests": "requests", "yaml": "pyyaml", "acme": "acme", "django": "django"})
    assert [(o.kind, o.file) for o in found] == [(Kind.FOREIGN_PACKAGE, "requests"), (Kind.FOREIGN_PACKAGE, "yaml")]


def test_folders_that_cannot_be_imported_are_no_packages() -> None:
    report = wheel({"acme.libs/x.txt": b"", "__pycache__/acme.cpython-311.pyc": b"", "docs-1/x.py": b"", "README": b""})
    assert report.top_level == ("acme",)
