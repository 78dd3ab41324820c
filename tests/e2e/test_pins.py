"""An index that is limited to a pin set, with real installers: what is pinned installs, and nothing else does."""

import asyncio
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from tests.bench.everyday import PACKAGES
from tests.e2e.clients import CLIENTS, EVERY_CLIENT, OldestPip, Pip, Uv
from tests.e2e.in_process import in_process
from tests.fakes.upstream import FakeUpstream

CONFIG = """
[upstreams.pypi]
url = "{url}"
freshness = "0s"
[indexes.prod]
pins = "approved"
"""
REFUSED = re.compile(
    r"pinfold: quarantined by pinned: pin set approved holds numpy 1\.0 only; pinfold pin import approved LOCKFILE "
    r"changes that; last good 1\.0; ref D-[A-Z2-7]{7}"
)


@pytest.fixture
def config(upstream):
    return CONFIG.format(url=upstream.url)


@pytest.fixture
def numpy(upstream):
    return [upstream.add_file("numpy", version) for version in ("1.0", "2.0")]


def pin(server, *files, text=None):
    lock = server.folder / "requirements.txt"
    lock.write_text(text or "".join(f"{file.project}=={file.version} --hash=sha256:{file.sha256}\n" for file in files))
    return server.run("pin", "import", "approved", str(lock))


@pytest.mark.parametrize("installer", EVERY_CLIENT, ids=lambda client: client.name)
def test_an_unpinned_install_takes_what_is_pinned_and_insisting_tells_how_to_get_a_pin(
    installer, server, numpy, tmp_path
):
    pin(server, numpy[0])
    taken = installer(tmp_path / "any").install(server.simple("prod"), "numpy")
    assert taken.installed.get("numpy") == "1.0", str(taken)
    insisting = installer(tmp_path / "newest").install(server.simple("prod"), "numpy==2.0")
    assert insisting.status != 0, str(insisting)
    assert "numpy" not in insisting.installed
    if installer.prints_reasons:
        assert REFUSED.search(" ".join(insisting.output.split())), str(insisting)


@pytest.mark.parametrize("installer", [OldestPip, Pip, Uv], ids=lambda client: client.name)
def test_a_project_outside_the_set_is_refused(installer, server, numpy, upstream, tmp_path):
    upstream.add_file("flask", "3.0")
    pin(server, numpy[0])
    outcome = installer(tmp_path / "client").install(server.simple("prod"), "flask==3.0")
    assert outcome.status != 0, str(outcome)
    assert "pin set approved does not hold flask" in " ".join(outcome.output.split()), str(outcome)


def test_without_its_pin_set_an_index_serves_nothing_and_says_why(server, numpy, tmp_path):
    outcome = Pip(tmp_path / "client").install(server.simple("prod"), "numpy==1.0")
    assert outcome.status != 0
    assert "there is no pin set approved yet; pinfold pin import approved LOCKFILE makes it" in " ".join(
        outcome.output.split()
    )
    assert Pip(tmp_path / "main").install(server.simple(), "numpy").installed == {"numpy": "2.0"}


def test_a_lock_of_fifty_packages_is_served_pinned_and_nothing_else_is(server, upstream, tmp_path):
    files = [upstream.add_file(name, version) for name in PACKAGES for version in ("1.0", "2.0")]
    client = Uv(tmp_path / "client")
    (client.folder / "wanted.txt").write_text("".join(f"{name}==1.0\n" for name in PACKAGES))
    uv = [CLIENTS / "uv" / "bin" / "uv", "--no-config", "pip", "compile", "--python", sys.executable]
    flags = ["--generate-hashes", "--no-header", "--no-annotate", "--default-index", server.simple(), "wanted.txt"]
    locked = client.run(*uv, "--quiet", *flags)
    assert locked.returncode == 0, locked.stdout
    assert "50 files of 50 projects" in pin(server, text=locked.stdout)
    everything = dict.fromkeys(PACKAGES, "1.0") | {"pip": "1.0"}
    for installer in (Pip, Uv):
        outcome = installer(tmp_path / installer.name).install(server.simple("prod"), *PACKAGES)
        assert outcome.status == 0, str(outcome)
        assert outcome.installed | {"pip": "1.0"} == everything, str(outcome)
    assert [status(server, file) for file in files] == [200 if file.version == "1.0" else 403 for file in files]


@pytest.mark.parametrize("installer", [Pip, Uv], ids=lambda client: client.name)
def test_an_exported_lock_installs_through_the_index_that_is_limited_to_it(
    installer, server, numpy, upstream, tmp_path
):
    pin(server, numpy[0], upstream.add_file("six", "1.0"))
    lock = tmp_path / "pylock.toml"
    # The lock names the configured port, and the server of a test takes any that is free.
    lock.write_text(server.run("lock", "export", "approved").replace("http://127.0.0.1:8765", server.url))
    outcome = installer(tmp_path / "client").install("https://index.example/simple/", "-r", str(lock))
    assert outcome.installed == {"numpy": "1.0", "six": "1.0"}, str(outcome)
    pin(server, numpy[1])
    outcome = installer(tmp_path / "later").install("https://index.example/simple/", "-r", str(lock))
    assert outcome.status != 0
    # Which of the two is refused first is the installer's choice.
    told = re.search(r"pin set approved (holds numpy 2\.0 only|does not hold six)", " ".join(outcome.output.split()))
    assert told, str(outcome)


def status(server, file):
    try:
        with urllib.request.urlopen(f"{server.url}/prod/files/{file.project}/{file.sha256}/{file.filename}") as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


async def test_a_change_of_pins_holds_for_pages_and_files_in_every_process_within_a_second(tmp_path):
    async with FakeUpstream() as upstream:
        old, new = (upstream.add_file("numpy", version) for version in ("1.0", "2.0"))
        config = tmp_path / "pinfold.toml"
        config.write_text(CONFIG.format(url=upstream.url) + '[feeds.osv]\nsource = ""\n')
        overrides = {"upstreams.pypi.url": upstream.url, "indexes.prod.pins": "approved"}
        async with in_process(tmp_path / "data", overrides) as pinfold:

            async def command(*words):
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "pinfold", *words, "--config", str(config)),
                    *("--data", str(tmp_path / "data")),
                    stdout=subprocess.DEVNULL,
                )
                assert await process.wait() == 0
                await asyncio.sleep(0.5)

            async def served():
                page = await pinfold.get("/prod/simple/numpy/", Accept="application/vnd.pypi.simple.v1+json")
                listed = {file["filename"]: not file["yanked"] for file in json.loads(page.body)["files"]}
                statuses = {}
                for file in (old, new):
                    answer = await pinfold.get(f"/prod/files/numpy/{file.sha256}/{file.filename}")
                    statuses[file.filename] = answer.status == 200
                assert listed == statuses
                return [file.version for file in (old, new) if statuses[file.filename]]

            assert await served() == []
            lock = tmp_path / "requirements.txt"
            for pinned in (old, new):
                lock.write_text(f"numpy=={pinned.version} --hash=sha256:{pinned.sha256}\n")
                await command("pin", "import", "approved", str(lock))
                assert await served() == [pinned.version]
            await command("pin", "rollback", "approved", "1")
            assert await served() == ["1.0"]


async def test_the_metadata_and_provenance_of_unpinned_files_stay_here_too(tmp_path):
    async with FakeUpstream() as upstream:
        file = upstream.add_file("numpy", "2.0", provenance=b"{}")
        overrides = {"upstreams.pypi.url": upstream.url, "indexes.prod.pins": "approved"}
        async with in_process(tmp_path / "data", overrides) as pinfold:
            for path in (
                f"/prod/files/numpy/{file.sha256}/{file.filename}.metadata",
                f"/prod/integrity/numpy/2.0/{file.filename}/provenance",
                f"/prod{file.path}",
            ):
                answer = await pinfold.get(path)
                assert answer.status == 403, path
                assert "pinned" in answer.reason
