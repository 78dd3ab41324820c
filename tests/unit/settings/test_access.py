"""Who may read without a token, and who may publish without a secret, as the settings say it."""

from pathlib import Path

import pytest

from pinfold.domain.errors import InvalidSettings
from pinfold.settings import load_settings

PUBLISHER = """
[[trusted_publishing.publishers]]
kind = "GitHub"
repository = "acme/widget"
workflow = "publish.yml"
projects = ["Acme_Widget"]
"""
AUDIENCE = '[trusted_publishing]\naudience = "packages.example"\n'


def settings(tmp_path: Path, text: str = "", **environ: str):
    document = tmp_path / "pinfold.toml"
    document.write_text(text)
    return load_settings(document, {f"PINFOLD_{name}": value for name, value in environ.items()})


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(InvalidSettings) as caught:
        settings(tmp_path, text)
    return caught.value.problems


@pytest.mark.parametrize(
    ("server", "is_open"),
    [
        ("", True),
        ('host = "::1"', True),
        ('host = "127.8.8.8"', True),
        ('host = "localhost"', True),
        ('host = "0.0.0.0"', False),
        ('host = "::"', False),
        ('host = "192.0.2.7"', False),
        ('host = "packages.example"', False),
        ('base_url = "https://packages.example"', False),
        ('trusted_proxies = ["127.0.0.1"]', False),
    ],
)
def test_an_index_is_open_only_while_nobody_but_this_machine_can_ask(tmp_path, server, is_open):
    assert settings(tmp_path, f"[server]\n{server}\n").open_indexes == ({"main"} if is_open else set())


def test_what_is_said_of_an_index_counts_wherever_it_listens(tmp_path):
    indexes = "[indexes.main]\nanonymous = true\n[indexes.closed]\nanonymous = false\n[indexes.plain]\n"
    text = f'[server]\nhost = "{{}}"\n{indexes}'
    assert settings(tmp_path, text.format("0.0.0.0")).open_indexes == {"main"}
    assert settings(tmp_path, text.format("127.0.0.1")).open_indexes == {"main", "plain"}
    found = settings(tmp_path, SERVER__HOST="0.0.0.0", INDEXES__MAIN__ANONYMOUS="true")
    assert found.open_indexes == {"main"}


def test_a_publisher_is_read_with_its_defaults(tmp_path):
    found = settings(tmp_path, AUDIENCE + PUBLISHER)
    (publisher,) = found.trusted_publishing.publishers
    assert (publisher.projects, publisher.indexes, publisher.issuer) == (("acme-widget",), ("main",), None)
    assert found.audience == "packages.example"


def test_the_audience_is_the_outside_host(tmp_path):
    text = '[server]\nbase_url = "https://packages.example:8443/mirror"\n' + PUBLISHER
    assert settings(tmp_path, text).audience == "packages.example:8443"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PUBLISHER, "trusted_publishing.audience: missing: name this installation"),
        (AUDIENCE + PUBLISHER + 'indexes = ["prdo"]', "there is no index prdo"),
        (AUDIENCE + PUBLISHER + PUBLISHER, "publishers 1 and 2 are the same workflow"),
        (AUDIENCE + PUBLISHER + PUBLISHER.replace("acme/w", "ACME/W"), "publishers 1 and 2 are the same workflow"),
        (AUDIENCE + PUBLISHER.replace("acme/widget", "widget"), "publishers.0.repository"),
        (AUDIENCE + PUBLISHER.replace('["Acme_Widget"]', "[]"), "publishers.0.projects"),
        (AUDIENCE + PUBLISHER.replace("GitHub", "Gitea"), "publishers.0.kind"),
        (AUDIENCE + PUBLISHER + 'issuer = "http://gitlab.example"', "asked by https"),
        (AUDIENCE + PUBLISHER + 'issuer = "gitlab.example"', "publishers.0.issuer: must be an address"),
        (AUDIENCE + PUBLISHER + 'enviroment = "x"', "did you mean environment?"),
        ('[trusted_publishing]\naudience = "a b"', "trusted_publishing.audience"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path, text, said):
    (problem,) = problems(tmp_path, text)
    assert said in problem


def test_one_issuer_is_of_one_kind(tmp_path):
    ours = PUBLISHER + 'issuer = "https://git.example/"\n'
    (problem,) = problems(tmp_path, AUDIENCE + ours + ours.replace("GitHub", "GitLab"))
    assert "https://git.example is either GitHub's or GitLab's kind" in problem
    (one,) = settings(tmp_path, AUDIENCE + ours).trusted_publishing.publishers
    assert one.issuer == "https://git.example"
