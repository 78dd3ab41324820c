import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.fakes.proxy import FakeProxy
from tests.fakes.upstream import FakeUpstream, Fault, Manners
from tests.fakes.upstream.certificates import local_certificate
from tests.fakes.upstream.names import FakeNames
from tests.fakes.upstream.reading import entry_of, page_of, read
from tests.unit.adapters.upstream.conftest import Connect

from pinfold.adapters.upstream import HttpUpstream, UpstreamOptions
from pinfold.domain.errors import InvalidSettings, UpstreamError
from pinfold.domain.names import FileKind
from pinfold.domain.project import File
from pinfold.ports.upstream import Missing

PAGE = "/simple/litellm/"
SECRET = {"username": "reader", "password": "s3cret"}
BASIC = "Basic cmVhZGVyOnMzY3JldA=="


@pytest.fixture
async def elsewhere() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as running:
        yield running


def authorizations(index: FakeUpstream) -> list[str | None]:
    return [request.headers.get("Authorization") for request in index.requests]


def file_at(url: str) -> File:
    return File("litellm-1.0.tar.gz", url, "0" * 64, FileKind.SDIST, "1.0")


# Redirects.


async def test_a_redirect_is_followed_and_relative_addresses_start_where_it_led(
    index: FakeUpstream, connect: Connect
) -> None:
    index.add_file("litellm", "1.82.6")
    body = b'<html><a href="litellm-1.0.tar.gz#sha256=' + b"0" * 64 + b'">x</a></html>'
    index.befall("/moved/here/", Fault(status=200, headers={"Content-Type": "text/html"}, content=body))
    index.befall(PAGE, Fault(redirect_to="/moved/here/?x=1#fragment"))
    page = await page_of(connect(index.url), "litellm")
    assert [file.url for file in page.project.files] == [f"{index.origin}/moved/here/litellm-1.0.tar.gz"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_every_redirect_is_followed(index: FakeUpstream, connect: Connect, status: int) -> None:
    served = index.add_file("litellm", "1.82.6")
    file = await entry_of(connect(index.url), served)
    index.befall("/old.whl", Fault(status=status, redirect_to=served.path))
    assert await read(connect(index.url), replace(file, url=f"{index.origin}/old.whl")) == served.content


async def test_a_redirect_is_not_waited_out(index: FakeUpstream, connect: Connect) -> None:
    served = index.add_file("litellm", "1.82.6")
    file = await entry_of(connect(index.url), served)
    endless = Fault(status=302, redirect_to=served.path, content=bytes(10_000), drip=(1, 0.1))
    index.befall("/old.whl", endless)
    assert await read(connect(index.url), replace(file, url=f"{index.origin}/old.whl")) == served.content


async def test_a_chain_of_redirects_has_an_end(index: FakeUpstream, connect: Connect) -> None:
    index.add_file("litellm", "1.82.6")
    index.befall(PAGE, Fault(redirect_to="/hop/1"))
    for hop in range(1, 5):
        index.befall(f"/hop/{hop}", Fault(redirect_to=f"/hop/{hop + 1}"))
    index.befall("/hop/5", Fault(redirect_to=PAGE))
    with pytest.raises(UpstreamError, match="redirected more than 5 times"):
        await connect(index.url).project("litellm", None)
    assert len(index.requests) == 6


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://169.254.169.254/latest/meta-data/", "not public"),
        ("http://[::ffff:169.254.169.254]/", "not public"),
        ("http://2130706433/", "no plain host name"),
        ("http://127.0.0.1:1/", "unusual port"),
        ("file:///etc/passwd", "neither http nor https"),
        ("ftp://files.example/", "neither http nor https"),
        ("http://user:s3cret@files.example/", "carries credentials"),
        ("//files.example:22/", "unusual port"),
    ],
)
async def test_a_redirect_leads_no_further_than_a_page_could(
    index: FakeUpstream, connect: Connect, location: str, why: str
) -> None:
    index.befall("/old.whl", Fault(redirect_to=location))
    with pytest.raises(UpstreamError, match=f"is not followed: it .*{why}") as raised:
        await read(connect(index.url), file_at(f"{index.origin}/old.whl"))
    assert "s3cret" not in str(raised.value)
    assert len(index.requests) == 1


async def test_another_index_does_not_speak_for_the_upstream(
    index: FakeUpstream, elsewhere: FakeUpstream, connect: Connect
) -> None:
    """As where a private index forwards unknown names to a public one, on which anybody may register them."""
    elsewhere.add_file("litellm", "1.82.6")
    index.befall(PAGE, Fault(redirect_to=f"{elsewhere.origin}{PAGE}"))
    with pytest.raises(UpstreamError, match=f"redirected to {elsewhere.origin}{PAGE}, another index"):
        await connect(index.url).project("litellm", None)
    assert elsewhere.requests == []
    upstream = connect(index.url, file_hosts=(elsewhere.file_host,))
    assert len((await page_of(upstream, "litellm")).project.files) == 1


async def test_a_name_that_leads_to_this_machine_is_not_connected_to(index: FakeUpstream, connect: Connect) -> None:
    names = FakeNames({"index.example": ["1.1.1.1"], "evil.example": ["127.0.0.1"]})
    port = index.file_host.partition(":")[2]
    upstream = connect("http://index.example/simple/", resolver=names, file_hosts=(f"evil.example:{port}",))
    served = index.add_file("litellm", "1.82.6")
    file = await entry_of(connect(index.url), served)
    with pytest.raises(UpstreamError, match=r"evil\.example is not followed: it resolves to no public address"):
        await read(upstream, replace(file, url=f"http://evil.example:{port}{served.path}"))
    assert index.requests_for(served) == []


async def test_what_was_checked_is_what_is_connected_to(index: FakeUpstream, connect: Connect) -> None:
    """A second look-up would be answered differently; there is none between the check and the connection."""
    names = FakeNames({"index.example": ["127.0.0.1"], "files.example": ["127.0.0.1"]})
    port = index.file_host.partition(":")[2]
    served = index.add_file("litellm", "1.82.6")
    file = await entry_of(connect(index.url), served)
    upstream = connect(f"http://index.example:{port}/simple/", resolver=names, file_hosts=(f"files.example:{port}",))
    assert await read(upstream, replace(file, url=f"http://files.example:{port}{served.path}")) == served.content
    assert names.asked.count("files.example") == 1


# Credentials.


async def test_credentials_go_to_the_upstream(connect: Connect) -> None:
    async with FakeUpstream(Manners(credentials=("reader", "s3cret"))) as index:
        upstream = connect(index.url, **SECRET)
        served = index.add_file("litellm", "1.82.6")
        assert await read(upstream, await entry_of(upstream, served)) == served.content
        assert authorizations(index) == [BASIC, BASIC]


async def test_credentials_do_not_go_to_other_hosts_that_a_page_names(
    index: FakeUpstream, elsewhere: FakeUpstream, connect: Connect
) -> None:
    served = elsewhere.add_file("litellm", "1.82.6")
    file = await entry_of(connect(elsewhere.url), served)
    upstream = connect(index.url, **SECRET, file_hosts=(elsewhere.file_host,))
    assert await read(upstream, file) == served.content
    await upstream.metadata(file)
    await upstream.read_range(file, 0, 9)
    assert authorizations(elsewhere) == [None] * 4


async def test_credentials_do_not_follow_a_redirect_to_another_origin_nor_back(
    index: FakeUpstream, elsewhere: FakeUpstream, connect: Connect
) -> None:
    index.add_file("litellm", "1.82.6")
    index.befall(PAGE, Fault(redirect_to=f"{elsewhere.origin}/bounce"))
    elsewhere.befall("/bounce", Fault(redirect_to=f"{index.origin}/simple/other/"))
    upstream = connect(index.url, **SECRET, file_hosts=(elsewhere.file_host,))
    assert await upstream.project("litellm", None) == Missing()
    assert [
        (request.path, request.headers.get("Authorization")) for request in index.requests + elsewhere.requests
    ] == [
        (PAGE, BASIC),
        ("/simple/other/", None),
        ("/bounce", None),
    ]


async def test_credentials_stay_on_a_redirect_within_the_upstream(index: FakeUpstream, connect: Connect) -> None:
    index.add_file("litellm", "1.82.6")
    index.befall("/simple/moved/", Fault(redirect_to=PAGE))
    with pytest.raises(UpstreamError):
        await connect(index.url, **SECRET).project("moved", None)
    assert authorizations(index) == [BASIC, BASIC]


async def test_a_file_elsewhere_cannot_bounce_a_request_into_the_upstream_with_its_credentials(
    index: FakeUpstream, elsewhere: FakeUpstream, connect: Connect
) -> None:
    served = elsewhere.add_file("litellm", "1.82.6")
    file = await entry_of(connect(elsewhere.url), served)
    elsewhere.befall(served, Fault(redirect_to=f"{index.origin}/admin/delete-everything"))
    with pytest.raises(Exception, match="answered 404"):
        await read(connect(index.url, **SECRET, file_hosts=(elsewhere.file_host,)), file)
    assert authorizations(index) == [None]


async def test_credentials_show_nowhere(index: FakeUpstream, connect: Connect) -> None:
    options = UpstreamOptions(name="pypi", url=index.url, **SECRET)
    assert "s3cret" not in repr(options)
    assert "reader" not in repr(options)
    index.befall(PAGE, Fault(raw=b"nonsense"))
    with pytest.raises(UpstreamError) as raised:
        await connect(index.url, **SECRET).project("litellm", None)
    shown = f"{raised.value!r} {raised.value} {raised.value.__cause__!r}"
    assert "s3cret" not in shown
    assert BASIC not in shown


async def test_a_users_password_may_hold_any_character(index: FakeUpstream, connect: Connect) -> None:
    index.manners = Manners(credentials=("reader", "pä:ß\u2603"))
    index.add_file("litellm", "1.82.6")
    await page_of(connect(index.url, username="reader", password="pä:ß\u2603"), "litellm")


# The environment.


@pytest.fixture
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("clean_environment")
async def test_credentials_may_come_from_the_netrc_file(
    index: FakeUpstream, elsewhere: FakeUpstream, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login reader password s3cret\n")
    index.add_file("litellm", "1.82.6")
    index.befall(PAGE, Fault(redirect_to=elsewhere.url))
    for options in ({"trust_env": True}, {"trust_env": True, **SECRET, "username": "other"}, {"trust_env": False}):
        with pytest.raises(UpstreamError):
            await connect(index.url, **options, file_hosts=(elsewhere.file_host,)).project("litellm", None)
    assert authorizations(index) == [BASIC, "Basic b3RoZXI6czNjcmV0", None]
    assert authorizations(elsewhere) == [None, None, None]


@pytest.mark.usefixtures("clean_environment")
async def test_a_proxy_is_asked_in_the_upstreams_place(
    index: FakeUpstream, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fake index stands in for the proxy: it answers whatever host it is asked for."""
    monkeypatch.setenv("HTTP_PROXY", index.origin.replace("127.0.0.1", "walker:pr0xy@proxy.example"))
    served = index.add_file("litellm", "1.82.6")
    names = FakeNames({"proxy.example": ["127.0.0.1"]})
    upstream = connect("http://index.example/simple/", trust_env=True, resolver=names, **SECRET)
    page = await page_of(upstream, "litellm")
    assert [file.filename for file in page.project.files] == [served.filename]
    assert index.requests[0].headers["Host"] == "index.example"
    assert index.requests[0].headers["Proxy-Authorization"] == "Basic d2Fsa2VyOnByMHh5"
    assert index.requests[0].headers["Authorization"] == BASIC
    assert set(names.asked) == {"proxy.example"}


@pytest.mark.usefixtures("clean_environment")
async def test_a_proxy_is_not_told_of_addresses_that_are_out_of_bounds(
    index: FakeUpstream, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", index.origin)
    upstream = connect("http://index.example/simple/", trust_env=True, resolver=FakeNames({}))
    for url in ("http://169.254.169.254/", "http://127.0.0.1/", "http://10.0.0.1/"):
        index.befall("/old.whl", Fault(redirect_to=url))
        with pytest.raises(UpstreamError, match="not public"):
            await read(upstream, file_at("http://index.example/old.whl"))
    assert [request.path for request in index.requests] == ["/old.whl"] * 3


@pytest.mark.usefixtures("clean_environment")
async def test_a_proxy_that_is_not_there_is_told_of(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTP_PROXY", f"http://walker:pr0xy@127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(UpstreamError, match="the proxy cannot be reached") as raised:
            await connect("http://index.example/simple/", trust_env=True, retries=0).project("litellm", None)
    assert "pr0xy" not in str(raised.value)


@pytest.mark.usefixtures("clean_environment")
async def test_a_proxy_that_wants_credentials_says_so(
    index: FakeUpstream, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", index.origin)
    with pytest.raises(UpstreamError, match=r"the proxy answered [0-9]+; check HTTPS_PROXY and the credentials in it"):
        await connect("https://index.example/simple/", trust_env=True).project("litellm", None)


# TLS.


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[tuple[FakeUpstream, Path]]:
    tls, ca_file = local_certificate(tmp_path)
    async with FakeUpstream(tls=tls) as running:
        running.add_file("litellm", "1.82.6")
        yield running, ca_file


async def test_a_certificate_of_the_organisations_own_is_trusted_by_ca_file(
    secure: tuple[FakeUpstream, Path], connect: Connect
) -> None:
    index, ca_file = secure
    upstream = connect(index.url, ca_file=ca_file)
    file: File = (await page_of(upstream, "litellm")).project.files[0]
    assert await read(upstream, file)


@pytest.mark.usefixtures("clean_environment")
async def test_a_proxy_tunnels_https_without_seeing_the_credentials(
    secure: tuple[FakeUpstream, Path], connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, ca_file = secure
    async with FakeProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://walker:pr0xy@{proxy.address}")
        upstream = connect(index.url, ca_file=ca_file, trust_env=True, **SECRET)
        file = (await page_of(upstream, "litellm")).project.files[0]
        assert await read(upstream, file)
        await upstream.aclose()
    (head,) = proxy.connects
    assert head.startswith(f"CONNECT {index.file_host} ")
    assert "Proxy-Authorization: Basic d2Fsa2VyOnByMHh5" in head
    assert BASIC not in head
    assert authorizations(index) == [BASIC, BASIC]
    assert all("Proxy-Authorization" not in request.headers for request in index.requests)


async def test_a_certificate_of_a_strangers_is_not_trusted(secure: tuple[FakeUpstream, Path], connect: Connect) -> None:
    index, _ = secure
    with pytest.raises(UpstreamError, match=r"its certificate is not trusted: .*; ca_file can name its CA"):
        await connect(index.url).project("litellm", None)
    assert index.requests == []


async def test_https_is_never_left_for_http(
    secure: tuple[FakeUpstream, Path], index: FakeUpstream, connect: Connect
) -> None:
    safe, ca_file = secure
    upstream = connect(safe.url, ca_file=ca_file, file_hosts=(index.file_host,), **SECRET)
    safe.befall(PAGE, Fault(redirect_to=index.url))
    with pytest.raises(UpstreamError, match="would leave https"):
        await upstream.project("litellm", None)
    plain = await entry_of(connect(index.url), index.add_file("litellm", "1.82.6"))
    with pytest.raises(UpstreamError, match="would leave https"):
        await read(upstream, plain)
    assert authorizations(index) == [None]


async def test_https_is_not_left_again_on_the_way(
    secure: tuple[FakeUpstream, Path], index: FakeUpstream, connect: Connect
) -> None:
    safe, ca_file = secure
    index.befall(PAGE, Fault(redirect_to=f"{safe.origin}{PAGE}"))
    safe.befall(PAGE, Fault(redirect_to=f"{index.origin}/simple/other/"))
    with pytest.raises(UpstreamError, match="would leave https"):
        await connect(index.url, ca_file=ca_file, file_hosts=(safe.file_host,)).project("litellm", None)
    assert len(index.requests) == 1


async def test_plain_http_on_a_tls_port_is_told(secure: tuple[FakeUpstream, Path], connect: Connect) -> None:
    index, _ = secure
    with pytest.raises(UpstreamError, match=r"connection was lost|not HTTP"):
        await connect(index.url.replace("https", "http"), retries=0).project("litellm", None)


async def test_tls_on_a_plain_port_is_told(index: FakeUpstream, connect: Connect) -> None:
    with pytest.raises(UpstreamError, match="TLS failed"):
        await connect(index.url.replace("http", "https"), retries=0).project("litellm", None)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
async def test_a_ca_file_without_certificates_is_a_setting_to_correct(tmp_path: Path, content: bytes | None) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_bytes(content)
    with pytest.raises(InvalidSettings, match=r"upstreams\.pypi\.ca_file"):
        HttpUpstream(UpstreamOptions(name="pypi", url="https://index.example/simple/", ca_file=ca_file))
