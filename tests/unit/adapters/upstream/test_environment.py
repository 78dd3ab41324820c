from pathlib import Path
from urllib.request import getproxies

import pytest
from yarl import URL

from pinfold.adapters.upstream.environment import netrc_credentials, proxy_for
from pinfold.domain.errors import UpstreamError


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("variable", "value", "url", "proxy"),
    [
        ("HTTPS_PROXY", "http://proxy.example:3128", "https://index.example/", "http://proxy.example:3128"),
        ("HTTPS_PROXY", "proxy.example:3128", "https://index.example/", "http://proxy.example:3128"),
        ("https_proxy", "https://proxy.example", "https://index.example/", "https://proxy.example"),
        ("ALL_PROXY", "http://proxy.example", "https://index.example/", "http://proxy.example"),
        ("HTTP_PROXY", "http://proxy.example", "https://index.example/", None),
        ("HTTPS_PROXY", "", "https://index.example/", None),
    ],
)
def test_the_environment_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, url: str, proxy: str | None
) -> None:
    monkeypatch.setenv(variable, value)
    assert proxy_for(URL(url), getproxies()) == (URL(proxy) if proxy else None)


@pytest.mark.parametrize(
    ("exempt", "url"),
    [
        ("other.test, index.example", "https://index.example/"),
        (".example", "https://index.example/"),
        ("index.example:8443", "https://index.example:8443/"),
        ("127.0.0.1", "https://127.0.0.1:8443/"),
        ("*", "https://index.example/"),
    ],
)
def test_no_proxy_exempts_hosts(monkeypatch: pytest.MonkeyPatch, exempt: str, url: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("NO_PROXY", exempt)
    assert proxy_for(URL(url), getproxies()) is None
    assert proxy_for(URL("https://elsewhere.test/"), getproxies()) == (
        None if exempt == "*" else URL("http://proxy.example")
    )


@pytest.mark.parametrize("proxy", ["socks5://user:secret@proxy.example", "http://user:secret@proxy.example:port"])
def test_a_proxy_that_cannot_be_used_is_an_error_without_its_credentials(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(UpstreamError, match=r"^the environment names a proxy") as raised:
        proxy_for(URL("https://index.example/"), getproxies())
    assert "secret" not in str(raised.value)


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return tmp_path / "netrc"


def test_the_netrc_file_has_credentials_by_host(netrc: Path) -> None:
    netrc.write_text("machine index.example login reader password s3cret\n")
    assert netrc_credentials("index.example") == ("reader", "s3cret")
    assert netrc_credentials("files.example") is None


def test_without_netrc_file_there_are_no_credentials(netrc: Path) -> None:
    assert netrc_credentials("index.example") is None


def test_a_broken_netrc_file_is_told_of_without_its_content(netrc: Path, caplog: pytest.LogCaptureFixture) -> None:
    netrc.write_text("machine index.example login reader s3cret oops\n")
    assert netrc_credentials("index.example") is None
    assert "netrc" in caplog.text
    assert "s3cret" not in caplog.text
