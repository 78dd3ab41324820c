import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.upstream.names import FakeNames
from yarl import URL

from pinfold.adapters.upstream.guard import Guard, GuardedResolver, shown
from pinfold.adapters.upstream.options import UpstreamOptions
from pinfold.domain.errors import UpstreamError


def guard(url: str = "https://index.example/simple/", *file_hosts: str, names: FakeNames | None = None) -> Guard:
    return Guard(UpstreamOptions(name="pypi", url=url, file_hosts=file_hosts), names or FakeNames({}))


def allowed(guarded: Guard, url: str) -> bool:
    try:
        guarded.check(URL(url))
    except UpstreamError:
        return False
    return True


@pytest.mark.parametrize(
    "url",
    [
        "https://index.example/packages/a.whl",
        "https://index.example:443/packages/a.whl",
        "https://INDEX.example/packages/a.whl",
        "https://files.example/a.whl",
        "https://files.example:443/a.whl?token=x",
        "https://xn--bcher-kva.example/a.whl",
        "https://under_score.files.example/a.whl",
        "https://1.1.1.1/a.whl",
        "https://[2606:4700::1111]/a.whl",
    ],
)
def test_plain_urls_on_default_ports_are_followed(url: str) -> None:
    assert allowed(guard(), url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://index.example/a.whl", "leave https"),
        ("http://files.example/a.whl", "leave https"),
        ("ftp://files.example/a.whl", "neither http nor https"),
        ("file:///etc/passwd", "neither http nor https"),
        ("data:text/html,x", "neither http nor https"),
        ("/relative", "neither http nor https"),
        ("https://user@files.example/a.whl", "credentials"),
        ("https://user:secret@files.example/a.whl", "credentials"),
        ("https://:secret@files.example/a.whl", "credentials"),
        ("https://user:secret@index.example/a.whl", "credentials"),
        ("https://files.example:8443/a.whl", "unusual port"),
        ("https://files.example:22/a.whl", "unusual port"),
        ("https://files.example:80/a.whl", "unusual port"),
        ("https://index.example:6379/a.whl", "unusual port"),
        ("https://files.example./a.whl", "plain host name"),
        ("https://localhost./a.whl", "plain host name"),
        ("https://127.0.0.1./a.whl", "plain host name"),
        ("https://2130706433/", "plain host name"),
        ("https://0x7f000001/", "plain host name"),
        ("https://0x7F.1/", "plain host name"),
        ("https://0177.0.0.1/", "plain host name"),
        ("https://127.1/", "plain host name"),
        ("https://127.0.0.1.0x1/", "plain host name"),
        ("https://a.0x/", "plain host name"),
        ("https://017700000001/", "plain host name"),
        ("https://[fe80::1%25eth0]/", "plain host name"),
        ("https://localhost%00.example/", "plain host name"),
        ("https://files example/", "plain host name"),
        ("https://-files.example/", "plain host name"),
        ("https://files..example/", "plain host name"),
    ],
)
def test_urls_that_could_lead_astray_are_not_followed(url: str, why: str) -> None:
    with pytest.raises(UpstreamError, match=f"^pypi: .*is not followed: it .*{why}"):
        guard().check(URL(url))


@pytest.mark.parametrize(
    "url",
    ["https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/", "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "https://[::ffff:127.0.0.1]/", "https://[::1]/"],
)  # fmt: skip
async def test_unicode_and_mapped_spellings_of_this_machine_are_not_followed(url: str) -> None:
    guarded = guard(names=FakeNames({"index.example": ["1.1.1.1"], "localhost": ["127.0.0.1"]}))
    resolver = GuardedResolver(guarded, FakeNames({"localhost": ["127.0.0.1"]}))

    async def follow() -> None:
        await guarded.admit(URL(url))
        await resolver.resolve(URL(url).raw_host or "")

    with pytest.raises(UpstreamError):
        await follow()


def test_an_upstream_asked_by_http_may_name_https_and_http() -> None:
    guarded = guard("http://index.example:8080/simple/")
    assert allowed(guarded, "http://files.example/a.whl")
    assert allowed(guarded, "https://files.example/a.whl")
    assert allowed(guarded, "http://index.example:8080/a.whl")
    assert not allowed(guarded, "https://index.example:8080/a.whl")
    assert not allowed(guarded, "http://files.example:8080/a.whl")


def test_listed_hosts_are_the_only_ones_besides_the_upstreams_own_origin() -> None:
    guarded = guard("https://index.example/simple/", "files.example", "mirror.example:8443", "[2606:4700::1111]:8443")
    assert allowed(guarded, "https://index.example/a.whl")
    assert allowed(guarded, "https://files.example/a.whl")
    assert allowed(guarded, "https://files.example:443/a.whl")
    assert allowed(guarded, "https://mirror.example:8443/a.whl")
    assert allowed(guarded, "https://[2606:4700::1111]:8443/a.whl")
    assert not allowed(guarded, "https://files.example:8443/a.whl")
    assert not allowed(guarded, "https://mirror.example/a.whl")
    assert not allowed(guarded, "https://other.example/a.whl")
    assert not allowed(guarded, "https://files.example.evil.example/a.whl")
    assert not allowed(guarded, "https://evil.files.example/a.whl")
    assert not allowed(guarded, "https://index.example:8443/a.whl")
    assert not allowed(guarded, "http://files.example/a.whl")


@given(st.text(max_size=60))
def test_whatever_a_page_says_is_followed_to_plain_hosts_only(text: str) -> None:
    guarded = guard()
    for url in (text, f"https://{text}", f"https://files.example{text}", f"//{text}"):
        try:
            parsed = URL(url)
        except ValueError:
            continue
        if allowed(guarded, str(parsed)):
            assert parsed.scheme == "https"
            assert parsed.raw_host
            assert parsed.raw_user is None
            assert not parsed.raw_host.endswith(".")
            assert parsed.port == 443


PRIVATE = ["10.0.0.7", "192.168.1.1", "fd00::1", "203.0.113.80", "::ffff:10.0.0.7"]
HERE = ["127.0.0.1", "127.0.0.53", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"]
METADATA = ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "fe80::1", "100.100.100.200"]


def addressed(address: str) -> URL:
    return URL(f"https://[{address}]/a.whl" if ":" in address else f"https://{address}/a.whl")


@pytest.mark.parametrize("address", PRIVATE + HERE + METADATA)
async def test_a_public_upstream_cannot_lead_into_private_networks(address: str) -> None:
    names = FakeNames({"index.example": ["1.1.1.1"], "evil.example": [address]})
    guarded = guard(names=names)
    with pytest.raises(UpstreamError, match="not public"):
        await guarded.admit(addressed(address))
    with pytest.raises(UpstreamError, match=r"evil\.example is not followed: it resolves to no public address"):
        await GuardedResolver(guarded, names).resolve("evil.example", 443)


@pytest.mark.parametrize("own", ["203.0.113.80", "10.1.1.1", "fd00::7"])
@pytest.mark.parametrize("address", PRIVATE)
async def test_an_upstream_in_a_private_network_may_lead_around_in_it(own: str, address: str) -> None:
    names = FakeNames({"index.example": [own], "files.example": [address]})
    guarded = guard(names=names)
    await guarded.admit(addressed(address))
    found = await GuardedResolver(guarded, names).resolve("files.example", 443)
    assert [result["host"] for result in found] == [address]


@pytest.mark.parametrize("address", HERE)
async def test_an_upstream_in_a_private_network_does_not_lead_to_this_machine(address: str) -> None:
    names = FakeNames({"index.example": ["10.1.1.1"], "evil.example": [address]})
    guarded = guard(names=names)
    with pytest.raises(UpstreamError, match="not public"):
        await guarded.admit(addressed(address))
    with pytest.raises(UpstreamError, match="no public address"):
        await GuardedResolver(guarded, names).resolve("evil.example", 443)


@pytest.mark.parametrize("own", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("address", PRIVATE + HERE)
async def test_an_upstream_on_this_machine_may_lead_to_it_and_around(own: str, address: str) -> None:
    names = FakeNames({"index.example": [own], "files.example": [address]})
    guarded = guard(names=names)
    await guarded.admit(addressed(address))
    assert await GuardedResolver(guarded, names).resolve("files.example", 443)


@pytest.mark.parametrize("address", METADATA)
async def test_no_upstream_leads_to_a_metadata_service(address: str) -> None:
    names = FakeNames({"index.example": ["10.1.1.1"], "evil.example": [address]})
    for guarded in (guard(names=names), guard("https://index.example/", addressed(address).host_subcomponent or "")):
        with pytest.raises(UpstreamError, match="not public"):
            await guarded.admit(addressed(address))
        with pytest.raises(UpstreamError, match="no public address"):
            await GuardedResolver(guarded, names).resolve("evil.example", 443)


@pytest.mark.parametrize("address", METADATA)
async def test_the_upstreams_own_name_does_not_lead_to_a_metadata_service_either(address: str) -> None:
    names = FakeNames({"index.example": [address]})
    with pytest.raises(UpstreamError, match="no public address"):
        await GuardedResolver(guard(names=names), names).resolve("index.example", 443)


async def test_an_upstream_that_is_itself_a_link_local_address_is_asked() -> None:
    guarded = guard("http://169.254.169.254/simple/")
    await guarded.admit(URL("http://169.254.169.254/simple/litellm/"))
    for elsewhere in ("http://169.254.170.2/", "http://10.0.0.1/", "http://127.0.0.1/"):
        with pytest.raises(UpstreamError, match="not public"):
            await guarded.admit(URL(elsewhere))


async def test_an_upstream_given_by_a_private_address_is_in_a_private_network() -> None:
    guarded = guard("http://192.168.1.5:3141/simple/", "192.168.1.6:9000")
    await guarded.admit(URL("http://192.168.1.5:3141/simple/litellm/"))
    await guarded.admit(URL("http://192.168.1.6:9000/a.whl"))


async def test_listing_a_host_does_not_vouch_for_its_addresses() -> None:
    names = FakeNames({"index.example": ["1.1.1.1"], "files.example": ["127.0.0.1"]})
    with pytest.raises(UpstreamError, match="no public address"):
        await GuardedResolver(guard("https://index.example/", "files.example", names=names), names).resolve(
            "files.example", 443
        )


async def test_of_several_addresses_only_the_allowed_ones_are_connected_to() -> None:
    names = FakeNames(
        {"index.example": ["1.1.1.1"], "files.example": ["127.0.0.1", "1.0.0.1", "169.254.169.254", "not an address"]}
    )
    found = await GuardedResolver(guard(names=names), names).resolve("files.example", 443)
    assert [result["host"] for result in found] == ["1.0.0.1"]


async def test_a_public_address_costs_no_further_look_up() -> None:
    names = FakeNames({"index.example": ["1.1.1.1"], "files.example": ["1.0.0.1"]})
    assert await GuardedResolver(guard(names=names), names).resolve("files.example", 443)
    assert names.asked == ["files.example"]


async def test_an_upstream_whose_own_name_cannot_be_resolved_counts_as_public() -> None:
    names = FakeNames({"files.example": ["10.0.0.7"]})
    with pytest.raises(UpstreamError):
        await GuardedResolver(guard(names=names), names).resolve("files.example", 443)


async def test_a_name_that_does_not_exist_is_an_error_of_the_network() -> None:
    names = FakeNames({"empty.example": []})
    resolver = GuardedResolver(guard(names=names), names)
    for host in ("nowhere.example", "empty.example"):
        with pytest.raises(OSError, match=r"name|lookup"):
            await resolver.resolve(host, 443)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://user:secret@files.example/a.whl?token=secret#secret", "https://files.example/a.whl"),
        ("https://files.example/a%0d%0ab", "https://files.example/a%0D%0Ab"),
        ("https://files.example/" + "a" * 300, "https://files.example/" + "a" * 175 + "..."),
        ("/relative?token=secret", "/relative"),
    ],
)
def test_urls_are_shown_without_secrets(url: str, text: str) -> None:
    assert shown(URL(url)) == text
