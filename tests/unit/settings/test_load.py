"""Settings: sources in order, every problem at once with its place, secrets never shown."""

import contextlib
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.domain.errors import InvalidSettings
from pinfold.settings import Settings, load_settings

BAD_NAME = "a name is made of lower-case letters and digits, with single hyphens between them"
BAD_GLOB = "must be a project name, where * and ? may stand for other characters, such as acme-*"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, path: Path = Path("pinfold.toml")) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def problems(text: str = "", environ: dict[str, str] | None = None, **overrides: object) -> list[str]:
    write(text)
    with pytest.raises(InvalidSettings) as caught:
        load_settings(None, environ or {}, {key.replace("__", "."): value for key, value in overrides.items()})
    return caught.value.problems


def test_every_key_has_a_default() -> None:
    settings = load_settings(None, {})
    assert settings == Settings()
    assert settings.data == Path("pinfold-data")
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8765)
    assert list(settings.upstreams) == ["pypi"]
    assert settings.upstreams["pypi"].freshness == timedelta(minutes=10)
    assert settings.indexes["main"].upstreams == ("pypi",)
    assert settings.indexes["main"].policy == "baseline"


def test_pypi_is_where_pypi_simple_says_and_is_loaded_only_when_asked_for() -> None:
    code = (
        "import sys; from pinfold.settings import load_settings; settings = load_settings(None, {});"
        "assert 'pypi_simple' not in sys.modules; address = settings.upstreams['pypi'].address;"
        "import pypi_simple; assert address == pypi_simple.PYPI_SIMPLE_ENDPOINT"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_sources_count_in_order_defaults_file_environment_flags() -> None:
    write("[server]\nport = 1\nhost = 'file'\nworkers = 2\n")
    environ = {"PINFOLD_SERVER__PORT": "2", "PINFOLD_SERVER__HOST": "environment", "HOME": "/nowhere"}
    server = load_settings(None, environ, {"server.port": 3, "server.workers": None}).server
    assert (server.port, server.host, server.workers) == (3, "environment", 2)


def test_the_file_named_counts_and_the_one_in_the_folder_does_not() -> None:
    write("[server]\nport = 1\n")
    named = write("[server]\nport = 2\n", Path("named.toml"))
    by_variable = write("[server]\nport = 3\n", Path("variable.toml"))
    environ = {"PINFOLD_CONFIG": str(by_variable)}
    assert load_settings(None, {}).server.port == 1
    assert load_settings(None, environ).server.port == 3
    assert load_settings(named, environ).server.port == 2


def test_a_named_file_must_exist() -> None:
    with pytest.raises(InvalidSettings, match=r"absent\.toml: cannot be read: No such file"):
        load_settings(Path("absent.toml"), {})


@pytest.mark.parametrize("content", [b"[server\n", b"port = \xff\n", b"\xff\xfe"])
def test_a_file_that_is_not_toml_says_so(content: bytes) -> None:
    Path("pinfold.toml").write_bytes(content)
    with pytest.raises(InvalidSettings, match=r"^pinfold\.toml: is not a TOML document"):
        load_settings(None, {})


def test_variables_reach_lists_and_names_with_hyphens() -> None:
    environ = {
        "PINFOLD_UPSTREAMS__OUR_OWN__URL": "https://index.example/simple",
        "PINFOLD_UPSTREAMS__OUR_OWN__PRIVATE": "true",
        "PINFOLD_INDEXES__MAIN__UPSTREAMS": "our-own, pypi",
        "PINFOLD_INDEXES__MAIN__PRIVATE": "Acme_*,acme",
    }
    settings = load_settings(None, environ)
    assert settings.upstreams["our-own"].private is True
    assert settings.upstreams["our-own"].address == "https://index.example/simple/"
    assert settings.indexes["main"].upstreams == ("our-own", "pypi")
    assert settings.indexes["main"].private == ("acme-*", "acme")


def test_an_empty_trust_root_is_sigstores_own() -> None:
    write('[sigstore]\ntrusted_root = ""\n')
    assert load_settings().sigstore.trusted_root is None
    assert load_settings(None, {"PINFOLD_SIGSTORE__TRUSTED_ROOT": ""}).sigstore.trusted_root is None


def test_all_problems_are_reported_at_once_with_their_places() -> None:
    found = problems(
        """
        dat = "x"
        [server]
        port = 99999
        drain = 10
        [upstreams.corp]
        url = "index.example"
        [upstreams."Big Corp"]
        [indexes.main]
        refusals = "shout"
        private = ["fine-*", "[a-z]"]
        [indexes.simple]
        """,
        {"PINFOLD_SERVER__WORKERS": "many", "PINFOLD_SERVR__HOST": "x"},
        server__host=5,
    )
    assert found == [
        "command line: server.host: must be a text in quotes",
        "pinfold.toml: server.port: must be less than or equal to 65535",
        "PINFOLD_SERVER__WORKERS: must be a whole number",
        'pinfold.toml: server.drain: must be a length of time in quotes, such as "15m"',
        "pinfold.toml: upstreams.corp.url: must be an address that starts with http:// or https://",
        f"pinfold.toml: upstreams.Big Corp: {BAD_NAME}",
        f"pinfold.toml: indexes.main.private.1: {BAD_GLOB}",
        "pinfold.toml: indexes.main.refusals: must be 'explain' or 'hide'",
        "pinfold.toml: indexes.simple: /simple/ is an address of Pinfold's own: give the index another name",
        "pinfold.toml: dat: there is no such key; did you mean data?",
        "PINFOLD_SERVR__HOST: there is no such key; did you mean server?",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server = 5", "pinfold.toml: server: must be a table"),
        ("upstreams = []", "pinfold.toml: upstreams: must be a table"),
        ("[indexes]\nmain = 'x'", "pinfold.toml: indexes.main: must be a table"),
        ("[indexes.main]\nprivate = 5", "pinfold.toml: indexes.main.private: must be a list"),
        ("[upstreams.pypi]\nurll = ''", "pinfold.toml: upstreams.pypi.urll: there is no such key; did you mean url?"),
        ("[upstreams.corp]", "pinfold.toml: upstreams.corp.url: missing: only pypi has an address by default"),
        (
            "[indexes.prod]\npackages_from = ['mian']",
            "pinfold.toml: indexes.prod.packages_from: there is no other [indexes.mian]; did you mean main?",
        ),
        ("[indexes.main]\npackages_from = ['main']", "pinfold.toml: indexes.main.packages_from: there is no other"),
        ("[publishing]\nmax_file_size = 'large'", "pinfold.toml: publishing.max_file_size"),
        ("[publishing]\nmax_file_size = 0", "pinfold.toml: publishing.max_file_size"),
        (
            "[indexes.main]\nupstreams = ['pypii']",
            "pinfold.toml: indexes.main.upstreams: there is no [upstreams.pypii]; did you mean pypi?",
        ),
        ("[indexes.prod]\npins = 'Not a name'", "pinfold.toml: indexes.prod.pins: a name is made of lower-case"),
        ("[indexes.as-of]", "pinfold.toml: indexes.as-of: /as-of/ is an address of Pinfold's own"),
        ("[server]\nbase_url = 'x'", "pinfold.toml: server.base_url: must be an address"),
        ("[upstreams.pypi]\nca_file = 'absent.pem'", "pinfold.toml: upstreams.pypi.ca_file: there is no such file"),
        ("[upstreams.pypi]\nidle_timeout = '0s'", "pinfold.toml: upstreams.pypi.idle_timeout: must be longer"),
        ("[upstreams.pypi]\nfile_hosts = ['https://files.example/']", "pinfold.toml: upstreams.pypi.file_hosts.0"),
    ],
)
def test_one_problem_is_one_line_that_names_its_place(text: str, expected: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(expected)


def test_a_table_that_the_environment_set_is_called_by_its_variable() -> None:
    assert problems("", {"PINFOLD_UPSTREAMS__CORP__USERNAME": "x"}) == [
        "PINFOLD_UPSTREAMS__CORP__USERNAME: credentials are a username with a password or a password_file"
    ]


@pytest.mark.parametrize(
    "variable", ["PINFOLD_PORT", "PINFOLD_", "PINFOLD___", "PINFOLD_SERVER", "PINFOLD_DATA__X", "PINFOLD_FOO"]
)
def test_variables_that_set_nothing_are_errors(variable: str) -> None:
    (problem,) = problems("", {variable: "8765"})
    assert problem.startswith(variable)


def test_what_kubernetes_says_of_a_service_called_pinfold_is_passed_over() -> None:
    environ = {
        "PINFOLD_SERVICE_HOST": "192.0.2.1",
        "PINFOLD_SERVICE_PORT": "80",
        "PINFOLD_SERVICE_PORT_HTTP": "80",
        "PINFOLD_PORT": "tcp://192.0.2.1:80",
        "PINFOLD_PORT_80_TCP": "tcp://192.0.2.1:80",
        "PINFOLD_PORT_80_TCP_ADDR": "192.0.2.1",
        "PINFOLD_CONSOLE_SERVICE_HOST": "192.0.2.2",
        "PINFOLD_CONSOLE_PORT": "tcp://192.0.2.2:80",
    }
    assert load_settings(None, environ) == Settings()


@pytest.mark.parametrize("name", ["simple", "files", "packages", "api", "console", "legacy", "integrity", "healthz"])
def test_an_index_cannot_take_an_address_of_pinfolds_own(name: str) -> None:
    (problem,) = problems(f"[indexes.{name}]")
    assert "address of Pinfold's own" in problem


@pytest.mark.parametrize("name", ["..", "a/b", "a b", "A", "-a", "a-", "a--b", "é", "a%2e", "_", "", "x" * 65])
def test_index_names_are_safe_in_addresses(name: str) -> None:
    with pytest.raises(ValueError, match="a name is made of"):
        Settings.model_validate({"indexes": {name: {}}})


@pytest.mark.parametrize(
    "url",
    [
        "ftp://index.example/",
        "https://",
        "https:///simple/",
        "https://index.example/simple\n/",
        "https://index.example/a b",
        "https://index.example/simple/?token=1",
        "https://index.example/simple/#x",
        "https://index.example:port/",
        "https://index.example:99999/",
        "https://[::1/",
        "https://indéx.example/",
        "file:///etc/passwd",
        "",
    ],
)
def test_addresses_that_are_none_are_refused(url: str) -> None:
    (problem,) = problems("", {"PINFOLD_UPSTREAMS__CORP__URL": url})
    assert problem.startswith("PINFOLD_UPSTREAMS__CORP__URL: ")


class TestSecrets:
    SECRET = "hunter2-hunter2"

    def test_a_password_is_never_shown(self) -> None:
        table = {"url": "https://index.example/", "username": "me", "password": self.SECRET}
        settings = Settings.model_validate({"upstreams": {"corp": table}})
        assert settings.upstreams["corp"].credentials() == ("me", self.SECRET)
        assert self.SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"

    @pytest.mark.parametrize(
        "text",
        [
            "url = 'https://me:{secret}@index.example/'",
            "url = 'https://{secret}@index.example/'",
            "url = 'https://index.example/'\nusername = 'me'\npassword = ['{secret}']",
            "url = 'https://index.example/'\npassword = '{secret}'",
            "url = 'https://index.example/'\nusername = 'me'\npassword = '{secret}'\npasswort = '{secret}'",
            "url = 'https://index.example/'\nusername = 'me'\npassword = '{secret}'\npassword_file = 'password'",
        ],
    )
    def test_no_problem_shows_a_value(self, text: str) -> None:
        write("x", Path("password"))
        assert self.SECRET not in "".join(problems("[upstreams.corp]\n" + text.format(secret=self.SECRET)))

    def test_a_password_file_is_read_without_its_line_end(self) -> None:
        write(f" {self.SECRET}\n", Path("password"))
        write("[upstreams.pypi]\nusername = 'me'\npassword_file = 'password'")
        upstream = load_settings(None, {}).upstreams["pypi"]
        assert upstream.credentials() == ("me", f" {self.SECRET}")
        Path("password").unlink()
        with pytest.raises(InvalidSettings, match="password_file password cannot be read"):
            upstream.credentials()


@pytest.mark.parametrize("host", ["files.example", "files.example:8443", "192.0.2.1", "[2001:db8::1]:443", "Localhost"])
def test_file_hosts_are_hosts_with_or_without_a_port(host: str) -> None:
    settings = load_settings(None, {"PINFOLD_UPSTREAMS__PYPI__FILE_HOSTS": host})
    assert settings.upstreams["pypi"].file_hosts == (host.lower(),)


@pytest.mark.parametrize(
    "host", ["https://files.example", "files.example/x", "a@b", "*.example", "a:b", "a:99999", "a:", "?"]
)
def test_file_hosts_are_nothing_else(host: str) -> None:
    (problem,) = problems("", {"PINFOLD_UPSTREAMS__PYPI__FILE_HOSTS": host})
    assert problem.startswith("PINFOLD_UPSTREAMS__PYPI__FILE_HOSTS.0: ")


def test_trusted_proxies_are_addresses() -> None:
    (problem,) = problems("[server]\ntrusted_proxies = ['192.0.2.7', 'proxy.example']")
    assert problem == "pinfold.toml: server.trusted_proxies.1: must be an IP address, such as 192.0.2.7"


@pytest.mark.parametrize(
    "location",
    ["/files/", "/main/", "blobs", "/_blobs", "_blobs/", "/_/", "/_a/../", "/_a%2f/", "/_a/b/", "/_a\n/", "//_a/"],
)
def test_where_a_front_has_files_is_apart_from_all_other_addresses(location: str) -> None:
    (problem,) = problems("[server]\ntrusted_proxies = ['127.0.0.1']\nfront_files = " + json.dumps(location))
    assert problem.startswith("pinfold.toml: server.front_files: must be a location of nginx")


def test_only_a_front_that_is_known_sends_files() -> None:
    (problem,) = problems("[server]\nfront_files = '/_blobs/'")
    assert problem == "pinfold.toml: server: front_files needs trusted_proxies, which say what stands in front"
    known = load_settings(None, {"PINFOLD_SERVER__FRONT_FILES": "/_b/", "PINFOLD_SERVER__TRUSTED_PROXIES": "127.0.0.1"})
    assert known.server.front_files == "/_b/"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings(None, {}).server.port = 1  # type: ignore[misc]


@given(st.dictionaries(st.text("ABCXYZ_0", max_size=12).map("PINFOLD_".__add__), st.text(max_size=5), max_size=4))
def test_any_environment_either_loads_or_is_refused_with_problems(environ: dict[str, str]) -> None:
    environ.pop("PINFOLD_CONFIG", None)
    with contextlib.suppress(InvalidSettings):
        assert load_settings(None, environ).indexes["main"]


WEBHOOK = "[[alerts.webhook]]\nurl = 'https://hooks.example/services/T0/B0?token=x'\n"


def test_webhooks_have_names_in_their_order() -> None:
    write(f"{WEBHOOK}{WEBHOOK}name = 'soc'\nshape = 'slack'\n{WEBHOOK}")
    webhooks = load_settings(None, {}).alerts.webhook
    assert [(one.name, one.shape) for one in webhooks] == [
        ("webhook-1", "json"),
        ("soc", "slack"),
        ("webhook-3", "json"),
    ]
    assert webhooks[0].url.get_secret_value() == "https://hooks.example/services/T0/B0?token=x"
    assert webhooks[0].signing_secret() is None


def test_a_webhooks_secret_may_stand_in_a_file() -> None:
    write("s3cret\n", Path("secret"))
    write(f"{WEBHOOK}secret_file = 'secret'\n{WEBHOOK}secret = 'inline'")
    first, second = load_settings(None, {}).alerts.webhook
    assert (first.signing_secret(), second.signing_secret()) == ("s3cret", "inline")
    assert "hooks.example" not in repr(first)
    Path("secret").unlink()
    with pytest.raises(InvalidSettings, match="secret_file secret cannot be read"):
        first.signing_secret()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[alerts.webhook]]\nurl = 'ftp://TOKEN.example/'", "alerts.webhook.0.url: must be an address"),
        ("[[alerts.webhook]]\nurl = 'https://me:TOKEN@hooks.example/'", "alerts.webhook.0.url: an address has no"),
        ("[[alerts.webhook]]\nurl = 'https://hooks.example/TOKEN x'", "alerts.webhook.0.url: must be an address"),
        (f"{WEBHOOK}secret = 'TOKEN'\nsecret_file = 'pinfold.toml'", "alerts.webhook.0: set secret or secret_file"),
        (f"{WEBHOOK}shape = 'TOKEN'", "alerts.webhook.0.shape: must be 'json' or 'slack'"),
        (f"{WEBHOOK}name = 'a'\n{WEBHOOK}name = 'a'", "alerts.webhook: webhooks need names of their own"),
        (f"{WEBHOOK}name = 'log'", "alerts.webhook: webhooks need names of their own"),
        (f"{WEBHOOK}sceret = 'TOKEN'", "alerts.webhook.0.sceret: there is no such key; did you mean secret"),
    ],
)
def test_a_webhook_that_is_wrong_is_told_without_its_secrets(text: str, problem: str) -> None:
    (told,) = problems(text)
    assert told.startswith(f"pinfold.toml: {problem}")
    assert "TOKEN" not in told


def test_the_trust_root_is_refreshed_only_where_that_is_asked_for() -> None:
    assert load_settings(None, {}).sigstore.refresh is None
    write("[sigstore]\nrefresh = '1d'\ntuf_url = 'https://tuf.example'\ntuf_root = 'pinfold.toml'")
    sigstore = load_settings(None, {}).sigstore
    assert (sigstore.refresh, sigstore.tuf_url) == (timedelta(days=1), "https://tuf.example/")
    assert load_settings(None, {"PINFOLD_SIGSTORE__REFRESH": ""}).sigstore.refresh is None


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("refresh = '1d'\ntrusted_root = 'pinfold.toml'", "set trusted_root or refresh, not both"),
        ("tuf_url = 'https://tuf.example'", "another repository is a tuf_url with a tuf_root"),
        ("tuf_root = 'pinfold.toml'", "another repository is a tuf_url with a tuf_root"),
    ],
)
def test_ways_to_a_trust_root_that_contradict_each_other_are_told(keys: str, problem: str) -> None:
    (told,) = problems(f"[sigstore]\n{keys}")
    assert told.startswith(f"pinfold.toml: sigstore: {problem}")
