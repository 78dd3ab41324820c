import pytest

from pinfold.web.staying_local import is_this_machine


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "LocalHost:8765",
        "localhost.",
        "a.localhost:80",
        "127.0.0.1:8765",
        "127.9.9.9",
        "[::1]",
        "[::1]:80",
    ],
)
def test_names_of_this_machine(host):
    assert is_this_machine(host)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8765",
            "notlocalhost",
            "192.0.2.1",
            "10.0.0.1:80",
        ),
        *(
            "[::2]",
            "[::1].evil.example",
            "[evil.example]",
            "0.0.0.0",
            "2130706433",
            "0x7f.1",
            "127.0.0.1@evil.example",
            "é",
        ),
    ],
)
def test_names_that_others_may_give_out(host):
    assert not is_this_machine(host)
