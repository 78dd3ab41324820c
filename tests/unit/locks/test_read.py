"""Locks of every format: what they pin, what is wrong with them, and that nothing breaks the readers."""

import contextlib
import json
from collections.abc import Callable

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from pinfold.domain.errors import InvalidLock
from pinfold.domain.pins import Pin, in_order
from pinfold.locks.lock import LockFormat
from pinfold.locks.pylock import write_pylock
from pinfold.locks.read import read_lock
from pinfold.locks.requirements import write_requirements

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
WHEEL = "requests-2.32.3-py3-none-any.whl"
SDIST = "requests-2.32.3.tar.gz"
NAMED = (Pin("requests", "2.32.3", B, WHEEL), Pin("requests", "2.32.3", A, SDIST))
NAMELESS = (Pin("requests", "2.32.3", A), Pin("requests", "2.32.3", B))

PYLOCK = f"""
lock-version = "1.0"
created-by = "uv"
[[packages]]
name = "requests"
version = "2.32.3"
index = "https://index.example/simple/"
sdist = {{ url = "https://files.example/{SDIST}", hashes = {{ sha256 = "{A}" }} }}
wheels = [{{ name = "{WHEEL}", url = "https://files.example/x", hashes = {{ md5 = "0", sha256 = "{B}" }} }}]
[[packages]]
name = "ours"
directory = {{ path = "." }}
"""
UV = f"""
version = 1
revision = 3
requires-python = ">=3.11"
[[package]]
name = "requests"
version = "2.32.3"
source = {{ registry = "https://index.example/simple" }}
sdist = {{ url = "https://files.example/{SDIST}", hash = "sha256:{A}", size = 1, upload-time = "2024-05-29T15:37:49Z" }}
wheels = [{{ url = "https://files.example/{WHEEL}", hash = "sha256:{B}", size = 1 }}]
[[package]]
name = "ours"
version = "0.1"
source = {{ virtual = "." }}
[[package]]
name = "forked"
version = "1.0"
source = {{ git = "https://code.example/forked?rev=1#2" }}
"""
POETRY = f"""
[[package]]
name = "Requests"
version = "2.32.3"
files = [{{file = "{WHEEL}", hash = "sha256:{B}"}}, {{file = "{SDIST}", hash = "sha256:{A}"}}]
[[package]]
name = "forked"
version = "1.0"
files = []
[package.source]
type = "git"
url = "https://code.example/forked"
[metadata]
lock-version = "2.1"
content-hash = "0"
"""
OLD_POETRY = f"""
[[package]]
name = "requests"
version = "2.32.3"
[metadata]
lock-version = "1.1"
[metadata.files]
requests = [{{file = "{WHEEL}", hash = "sha256:{B}"}}, {{file = "{SDIST}", hash = "sha256:{A}"}}]
"""
PDM = f"""
[metadata]
lock_version = "4.5.0"
[[package]]
name = "requests"
version = "2.32.3"
files = [{{file = "{WHEEL}", hash = "sha256:{B}"}}, {{url = "https://files.example/{SDIST}", hash = "sha256:{A}"}}]
[[package]]
name = "ours"
version = "1"
path = "./ours"
"""
PIPENV = json.dumps(
    {
        "_meta": {"sources": []},
        "default": {"requests": {"hashes": [f"sha256:{A}", f"sha256:{B}"], "version": "==2.32.3", "index": "pypi"}},
        "develop": {"forked": {"git": "https://code.example/forked", "ref": "1"}, "ours": {"path": "."}},
    }
)
REQUIREMENTS = f"""
--index-url https://index.example/simple/
-e .
./folder
ours @ https://robot:secret@files.example/ours-1.tar.gz
Requests[socks]==2.32.3 ; python_version >= "3.8" \\
    --hash=sha256:{A} \\
    --hash sha256:{B}
    # via -r requirements.in
"""


@pytest.mark.parametrize(
    ("source", "text", "kind", "pins", "left_out"),
    [
        ("pylock.prod.toml", PYLOCK, LockFormat.PYLOCK, NAMED, 1),
        ("uv.lock", UV, LockFormat.UV, NAMED, 1),
        ("poetry.lock", POETRY, LockFormat.POETRY, NAMED, 1),
        ("poetry.lock", OLD_POETRY, LockFormat.POETRY, NAMED, 0),
        ("pdm.lock", PDM, LockFormat.PDM, NAMED, 1),
        ("Pipfile.lock", PIPENV, LockFormat.PIPENV, NAMELESS, 2),
        ("requirements.txt", REQUIREMENTS, LockFormat.REQUIREMENTS, NAMELESS, 3),
    ],
)
def test_each_format_is_read(source: str, text: str, kind: LockFormat, pins: tuple[Pin, ...], left_out: int) -> None:
    lock = read_lock(text, source)
    assert (lock.format, len(lock.left_out)) == (kind, left_out), lock.left_out
    assert lock.pins == in_order(pins)
    assert "secret" not in str(lock)


@pytest.mark.parametrize(
    ("source", "text", "problems"),
    [
        (
            "r.txt",
            "requests==1\nflask>=2 --hash=sha256:x",
            ["line 1: requests has no hash", "line 2: flask has no exact"],
        ),
        ("r.txt", f"requests==1.* --hash=sha256:{A}", ["no exact version"]),
        ("r.txt", f"requests==1 --hash=sha512:{A}", ["line 1: 'sha512:", "is no sha256"]),
        ("r.txt", f"requests==1 --hash=sha256:{A[1:]}", ["is no sha256"]),
        ("r.txt", "requests ==", ["line 1"]),
        ("r.txt", "# nothing", ["pins nothing"]),
        ("r.txt", "requests==1; " + "(" * 20_000, ["line 1"]),
        ("uv.lock", UV.replace(f', hash = "sha256:{A}"', ""), [f"package requests: {SDIST} has no hash"]),
        ("uv.lock", UV.replace(WHEEL, "flask-1.0-py3-none-any.whl"), ["names the project 'flask'"]),
        ("uv.lock", UV.replace(WHEEL, "requests-2.31.0-py3-none-any.whl"), ["is a file of 2.31.0, not of 2.32.3"]),
        ("uv.lock", UV.replace('name = "requests"', "name = 3"), ["package 1 name"]),
        ("uv.lock", "version = 1", ["has no [[package]]"]),
        ("poetry.lock", POETRY.replace('type = "git"', ""), ["package forked: has no files"]),
        ("poetry.lock", POETRY.replace('version = "1.0"', 'version = "one"').replace('type = "git"', ""), ["forked"]),
        (
            "pylock.toml",
            PYLOCK.replace(f'sha256 = "{A}"', 'md5 = "1"'),
            ["requests: requests-2.32.3.tar.gz has no sha256"],
        ),
        ("pylock.toml", PYLOCK.replace('"1.0"', '"2.0"'), ["version 2.0 is not supported"]),
        ("pylock.toml", PYLOCK.replace('directory = { path = "." }', ""), ["package ours: Exactly one of vcs"]),
        ("Pipfile.lock", PIPENV.replace('"==2.32.3"', '"*"'), ["default.requests: has no exact version"]),
        ("Pipfile.lock", '{"default": []}', ["default: is no table"]),
        ("x.toml", "a = 1", ["is neither"]),
        ("x.toml", "a = ", ["is no TOML"]),
        ("x.toml", "a = " + "[" * 5000, ["is no TOML"]),
        ("x.toml", "a = 1" + "0" * 5000, ["is no TOML"]),
        ("x", "{", ["is no JSON"]),
        ("x", '{"a":' * 100_000, ["is no JSON"]),
    ],
)
def test_mistakes_are_told_with_their_place(source: str, text: str, problems: list[str]) -> None:
    with pytest.raises(InvalidLock) as raised:
        read_lock(text, source)
    told = "\n".join(raised.value.problems)
    for problem in problems:
        assert problem in told
    assert all(line.startswith((source, "and ")) for line in raised.value.problems)


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(InvalidLock) as raised:
        read_lock("\n".join(f"project-{number}==1" for number in range(500)), "r.txt")
    assert len(raised.value.problems) == 201
    assert raised.value.problems[-1] == "and 300 more"


hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
names = st.from_regex(r"[a-z]([a-z0-9]{0,8}-?[a-z0-9])?", fullmatch=True)
versions = st.sampled_from(["1.0", "2.0.1", "1!2.0", "2.0a1", "3.0.post1", "1.0+cpu", "2024.1.1"])


@st.composite
def named_pins(draw: st.DrawFn) -> Pin:
    project, version = draw(names), draw(versions)
    stem = f"{project.replace('-', '_')}-{version}"
    suffix = draw(st.sampled_from([".tar.gz", "-py3-none-any.whl", "-cp311-cp311-win_amd64.whl"]))
    return Pin(project, version, draw(hashes), stem + suffix)


def one_file_a_name(pin: Pin) -> tuple[str, str | None]:
    return pin.project, pin.filename


@settings(max_examples=50, deadline=None)
@given(st.lists(named_pins(), min_size=1, max_size=8, unique_by=one_file_a_name).map(in_order))
def test_what_is_written_as_a_lock_is_read_as_the_same_pins(pins: tuple[Pin, ...]) -> None:
    text, left_out = write_pylock(
        pins, "https://packages.example/simple/", lambda pin: f"https://packages.example/files/{pin.filename}"
    )
    assert left_out == []
    assert read_lock(text, "pylock.toml").pins == pins


@settings(max_examples=50, deadline=None)
@given(st.lists(named_pins(), min_size=1, max_size=8).map(in_order))
def test_what_is_written_as_requirements_is_read_as_the_same_bytes(pins: tuple[Pin, ...]) -> None:
    read = read_lock(write_requirements(pins), "requirements.txt").pins
    assert read == in_order(Pin(pin.project, pin.version, pin.sha256) for pin in pins)


def test_what_a_lock_cannot_hold_is_told() -> None:
    odd = [
        Pin("a", "1.0", A, "a-1.0.tar.gz"),
        Pin("a", "1.0", B, "a-1.0.zip"),
        Pin("a", "1.0", C, "a-1.0-py2.7.egg"),
        Pin("b", "1.0", A),
    ]
    text, left_out = write_pylock(
        in_order(odd), "https://packages.example/simple/", lambda pin: "https://packages.example/x"
    )
    assert [line.split(":")[0] for line in left_out] == ["a-1.0-py2.7.egg", "a-1.0.zip", "b==1.0"]
    assert len(read_lock(text, "pylock.toml").pins) == 1


KEYS = ["package", "packages", "name", "version", "source", "registry", "files", "file", "hash", "url", "wheels"]
KEYS += ["sdist", "hashes", "sha256", "metadata", "lock-version", "lock_version", "created-by", "default", "requests"]
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.floats(allow_nan=False)
trees = st.recursive(
    scalars | st.sampled_from(["sha256:" + A, WHEEL, "2.32.3", "http://["]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


def mangled(text: str) -> Callable[[st.DrawFn], str]:
    @st.composite
    def build(draw: st.DrawFn) -> str:
        start = draw(st.integers(0, len(text)))
        return text[:start] + draw(st.text(max_size=6)) + text[draw(st.integers(start, len(text))) :]

    return build()  # type: ignore[return-value]


def reads_or_says_why(text: str, source: str) -> None:
    with contextlib.suppress(InvalidLock):
        assert read_lock(text, source).pins


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["package", "packages", "metadata", "version", "lock-version"]), trees))
def test_no_table_breaks_a_reader(document: dict[str, object]) -> None:
    reads_or_says_why(json.dumps(document), "Pipfile.lock")
    try:
        text = tomlkit.dumps(json.loads(json.dumps(document)))
    except (ValueError, TypeError, tomlkit.exceptions.TOMLKitError):
        return
    reads_or_says_why(text, "uv.lock")


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        *(
            st.tuples(st.just(source), mangled(text))
            for source, text in [
                ("pylock.toml", PYLOCK),
                ("uv.lock", UV),
                ("poetry.lock", POETRY),
                ("poetry.lock", OLD_POETRY),
                ("pdm.lock", PDM),
                ("Pipfile.lock", PIPENV),
                ("r.txt", REQUIREMENTS),
            ]
        )
    )
)
def test_no_damage_breaks_a_reader(lock: tuple[str, str]) -> None:
    source, text = lock
    reads_or_says_why(text, source)
