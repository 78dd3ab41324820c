import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from pinfold.web.actor import actor_of

PIP = (
    'pip/26.3 {"ci":null,"cpu":"x86_64","implementation":{"name":"CPython","version":"3.11.7"},'
    '"installer":{"name":"pip","version":"26.3"},"python":"3.11.7","system":{"name":"Linux"}}'
)
UV = 'uv/0.13.9 {"installer":{"name":"uv","version":"0.13.9"},"python":"3.12.1","ci":true}'


class Transport:
    def __init__(self, peer):
        self.peer = peer

    def get_extra_info(self, name, default=None):
        return (self.peer, 4711) if name == "peername" else default


def actor(agent=None, forwarded=(), peer="192.0.2.7", trusted=()):
    headers = [("User-Agent", agent)] if agent is not None else []
    headers += [("X-Forwarded-For", line) for line in forwarded]
    from multidict import CIMultiDict

    request = make_mocked_request("GET", "/", CIMultiDict(headers), transport=Transport(peer))
    return actor_of(request, trusted)


@pytest.mark.parametrize(
    ("agent", "installer", "version", "python", "ci"),
    [
        (PIP, "pip", "26.3", "3.11.7", None),
        (UV, "uv", "0.13.9", "3.12.1", True),
        ("poetry/2.5.1 CPython/3.11.7 Linux/6.1", "poetry", "2.5.1", "3.11.7", None),
        ("pdm/2.29.4 CPython/3.11.7", "pdm", "2.29.4", "3.11.7", None),
        ("curl/8.1.0", "curl", "8.1.0", None, None),
        ("", None, None, None, None),
        (None, None, None, None, None),
        ("pip/1.0 {broken", "pip", "1.0", None, None),
        ("pip/1.0 [1,2]", "pip", "1.0", None, None),
        ('pip/1.0 {"python": 3, "ci": "yes"}', "pip", "1.0", None, None),
    ],
)
def test_the_user_agent_tells_installer_python_and_ci(agent, installer, version, python, ci):
    found = actor(agent)
    assert (found.installer, found.installer_version, found.python, found.ci) == (installer, version, python, ci)


def test_a_forwarded_address_counts_only_from_a_trusted_proxy():
    assert actor(forwarded=["203.0.113.5"]).address == "192.0.2.7"
    assert actor(forwarded=["203.0.113.5"], trusted=["192.0.2.7"]).address == "203.0.113.5"


def test_what_a_client_forges_before_the_proxy_appends_is_ignored():
    forged = ["10.0.0.1, 203.0.113.5"]
    assert actor(forwarded=forged, trusted=["192.0.2.7"]).address == "203.0.113.5"


def test_a_chain_of_trusted_proxies_is_walked_to_the_client():
    chain = ["203.0.113.5, 192.0.2.8"]
    assert actor(forwarded=chain, trusted=["192.0.2.7", "192.0.2.8"]).address == "203.0.113.5"


def test_a_forwarded_text_that_is_no_address_is_not_believed():
    assert actor(forwarded=['<script>"'], trusted=["192.0.2.7"]).address == "192.0.2.7"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=2000))
def test_no_user_agent_breaks_the_reading_or_keeps_control_characters(agent):
    found = actor(agent)
    assert found.user_agent is None or found.user_agent.isprintable()
    assert len(found.user_agent or "") <= 1024
