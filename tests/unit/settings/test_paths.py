"""Paths in a document count from its folder, those in the environment from where the command runs."""

from pathlib import Path

import pytest
from tests.unit.settings.keys import every_key

from pinfold.settings import Settings, load_settings
from pinfold.settings.sources import PATH_KEYS

DOCUMENT = """
data = "store"
[upstreams.pypi]
username = "reader"
password_file = "password"
ca_file = "ca.pem"
[feeds.ours]
source = "records"
[feeds.theirs]
source = "https://index.example/all.zip"
[indexes.main]
policy = "strict"
[indexes.own]
policy = "own.toml"
[sigstore]
trusted_root = "root.json"
[audit]
checkpoint_file = "checkpoints"
checkpoint_ca_file = "ca.pem"
[[alerts.webhook]]
url = "https://alerts.example/"
secret_file = "secret"
ca_file = "ca.pem"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files of all names, which is not where the command runs."""
    folder, elsewhere = tmp_path / "etc", tmp_path / "elsewhere"
    for one in (folder, elsewhere):
        one.mkdir()
    for name in ("password", "ca.pem", "root.json", "secret"):
        (folder / name).touch()
    monkeypatch.chdir(elsewhere)
    return folder


def load(folder: Path, text: str, **environ: str) -> Settings:
    document = folder / "pinfold.toml"
    document.write_text(text)
    return load_settings(document, environ)


def test_every_path_in_a_document_counts_from_its_folder(folder: Path) -> None:
    settings = load(folder, DOCUMENT)
    (webhook,), pypi = settings.alerts.webhook, settings.upstreams["pypi"]
    assert settings.data == folder / "store"
    assert (pypi.password_file, pypi.ca_file) == (folder / "password", folder / "ca.pem")
    assert settings.feeds["ours"].source == str(folder / "records")
    assert settings.sigstore.trusted_root == folder / "root.json"
    assert settings.audit.checkpoint_file == folder / "checkpoints"
    assert settings.audit.checkpoint_ca_file == folder / "ca.pem"
    assert (webhook.secret_file, webhook.ca_file) == (folder / "secret", folder / "ca.pem")
    assert settings.indexes["own"].policy == str(folder / "own.toml")


def test_names_and_addresses_stay_what_they_are(folder: Path) -> None:
    settings = load(folder, DOCUMENT, PINFOLD_INDEXES__THIRD__POLICY="third.toml")
    assert settings.indexes["main"].policy == "strict"
    assert settings.indexes["third"].policy == "third.toml"
    assert settings.feeds["theirs"].source == "https://index.example/all.zip"


def test_an_absolute_path_and_none_at_all_count_from_nowhere(folder: Path) -> None:
    settings = load(folder, 'data = "/srv/pinfold"\n[sigstore]\ntrusted_root = ""\n[audit]\ncheckpoint_file = ""\n')
    assert settings.data == Path("/srv/pinfold")
    assert (settings.sigstore.trusted_root, settings.audit.checkpoint_file) == (None, None)


def test_an_index_may_be_called_like_a_key(folder: Path) -> None:
    assert load(folder, '[indexes.data]\nprivate = ["acme-*"]\n').indexes["data"].private == ("acme-*",)


def test_no_key_that_takes_a_path_was_forgotten() -> None:
    taking = {key.name for key in every_key() if Path in key.types}
    assert taking == PATH_KEYS - {"policy", "source"}, "those two take other texts as well"
