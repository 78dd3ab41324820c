"""What people see: real pip (oldest and newest), uv, Poetry and PDM against a running Pinfold and a fake upstream."""

import pytest
from tests.e2e.clients import CLIENTS, EVERY_CLIENT, OldestPip, Pdm, Pip, Poetry, Uv
from tests.e2e.conftest import REASON


@pytest.fixture(params=EVERY_CLIENT, ids=lambda client: client.name)
def client(request, tmp_path):
    return request.param(tmp_path / "client")


def test_an_unpinned_install_takes_the_last_good_release(client, server, incident):
    outcome = client.install(server.simple(), "litellm")
    assert outcome.status == 0, str(outcome)
    assert outcome.installed.get("litellm") == "1.82.6", str(outcome)


def test_a_pin_to_a_refused_release_prints_the_reason(client, server, incident):
    outcome = client.install(server.simple(), "litellm==1.82.8")
    assert outcome.status != 0, str(outcome)
    assert "litellm" not in outcome.installed, str(outcome)
    (entry,) = server.audited("--action", "file.refused", "--limit", "1")
    if client.prints_reasons:
        found = REASON.search(" ".join(outcome.output.split()))
        assert found, str(outcome)
        assert found[1] == entry["reference"]
    else:
        assert "403" in outcome.output, str(outcome)
        assert entry["filename"] in outcome.output, str(outcome)


def test_a_project_that_is_not_refused_installs_with_its_dependencies(client, server, upstream):
    upstream.add_file("app", "2.0", requires_dist=["library>=1"])
    upstream.add_file("library", "1.5", requires_python=">=3.8")
    outcome = client.install(server.simple(), "app")
    assert outcome.installed == {"app": "2.0", "library": "1.5"}, str(outcome)


@pytest.mark.parametrize("installer", [OldestPip, Pip, Uv], ids=lambda client: client.name)
def test_a_direct_url_is_refused_at_the_file(installer, server, incident, tmp_path):
    file = incident["1.82.8"]
    url = f"{server.url}/files/litellm/{file.sha256}/{file.filename}"
    outcome = installer(tmp_path / "client").install(server.simple(), f"litellm @ {url}")
    assert outcome.status != 0, str(outcome)
    assert REASON.search(" ".join(outcome.output.split())), str(outcome)


@pytest.mark.parametrize("installer", [OldestPip, Pip, Uv], ids=lambda client: client.name)
def test_a_locked_requirement_with_its_hash_is_refused_at_the_file(installer, server, incident, tmp_path):
    file = incident["1.82.8"]
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"litellm==1.82.8 --hash=sha256:{file.sha256}\n")
    outcome = installer(tmp_path / "client").install(server.simple(), "--require-hashes", "-r", str(lock))
    assert outcome.status != 0, str(outcome)
    assert REASON.search(" ".join(outcome.output.split())), str(outcome)


def test_a_lock_file_that_names_the_upstream_path_moves_by_swapping_the_prefix(server, incident, tmp_path):
    good, bad = incident["1.82.6"], incident["1.82.8"]
    assert Pip(tmp_path / "good").install(server.simple(), f"{server.url}{good.path}").installed == {
        "litellm": "1.82.6"
    }
    outcome = Pip(tmp_path / "bad").install(server.simple(), f"{server.url}{bad.path}")
    assert outcome.status != 0, str(outcome)
    assert REASON.search(" ".join(outcome.output.split())), str(outcome)


def test_uv_sync_of_a_lock_made_before_the_quarantine_is_refused(server, incident, tmp_path):
    client = Uv(tmp_path / "client")
    (client.folder / "pyproject.toml").write_text(
        '[project]\nname = "consumer"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["litellm"]\n'
        f'[[tool.uv.index]]\nurl = "{server.simple()}"\ndefault = true\n'
    )
    uv = [CLIENTS / "uv" / "bin" / "uv"]
    locked = client.run(*uv, "lock")
    assert locked.returncode == 0, locked.stdout
    server.run("quarantine", "add", "litellm==1.82.6", "--reason", "found bad later")
    synced = client.run(*uv, "sync", "--frozen")
    assert synced.returncode != 0, synced.stdout
    assert "quarantined by quarantined: found bad later" in " ".join(synced.stdout.split()), synced.stdout


def test_an_index_that_hides_refusals_still_refuses_the_file(server, incident, tmp_path):
    hidden = Pip(tmp_path / "pin").install(server.simple("hiding"), "litellm==1.82.8")
    assert hidden.status != 0
    assert "No matching distribution" in hidden.output, str(hidden)
    file = incident["1.82.8"]
    direct = Pip(tmp_path / "direct").install(
        server.simple("hiding"), f"{server.url}/hiding/files/litellm/{file.sha256}/{file.filename}"
    )
    assert direct.status != 0
    assert REASON.search(" ".join(direct.output.split())), str(direct)


def test_each_index_serves_its_files_under_its_own_policy(server, incident, tmp_path):
    assert Pip(tmp_path / "a").install(server.simple(), "litellm").installed == {"litellm": "1.82.6"}
    strict = Pip(tmp_path / "b").install(server.simple("strict"), "litellm==1.82.6")
    assert strict.status != 0, str(strict)
    assert "known-malware: no advisory feed has been loaded" in " ".join(strict.output.split()), str(strict)


def test_what_a_build_fetched_and_tried_is_in_the_log_exactly_once(server, incident, upstream, tmp_path):
    upstream.add_file("app", "1.0", requires_dist=["litellm"])
    Pip(tmp_path / "good").install(server.simple(), "app")
    Pip(tmp_path / "bad").install(server.simple(), "litellm==1.82.8")
    told = [(entry["action"], entry["filename"]) for entry in server.audited() if entry["action"] != "policy.changed"]
    assert sorted(told) == [
        ("file.refused", "litellm-1.82.8-py3-none-any.whl"),
        ("file.served", "app-1.0-py3-none-any.whl"),
        ("file.served", "litellm-1.82.6-py3-none-any.whl"),
    ]


@pytest.mark.parametrize("installer", [Poetry, Pdm], ids=lambda client: client.name)
def test_poetry_and_pdm_locks_are_refused_once_a_release_is_quarantined(installer, server, incident, tmp_path):
    client = installer(tmp_path / "client")
    assert client.install(server.simple(), "litellm").installed == {"litellm": "1.82.6"}
    server.run("quarantine", "add", "litellm==1.82.6", "--reason", "found bad later")
    again = installer(tmp_path / "again")
    for lock in ("poetry.lock", "pdm.lock"):
        if (client.folder / lock).exists():
            (again.folder / lock).write_bytes((client.folder / lock).read_bytes())
    outcome = again.install(server.simple(), "litellm")
    assert outcome.status != 0, str(outcome)
    assert "litellm" not in outcome.installed, str(outcome)
    told = "found bad later" if installer.prints_reasons else "403"
    assert told in " ".join(outcome.output.split()), str(outcome)
