import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pinfold.web.listen import listen

DEFAULT = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()


@contextmanager
def accepted(host: str, count: int = 1) -> Iterator[socket.socket]:
    """A connection that came to one of the sockets of a host."""
    sockets = [each for shared in listen(host, 0, count) for each in shared]
    try:
        sockets[0].listen()
        for other in sockets[1:]:
            other.close()
        with socket.create_connection(("127.0.0.1", sockets[0].getsockname()[1])):
            connection, _ = sockets[0].accept()
            with connection:
                yield connection
    finally:
        for each in sockets:
            each.close()


def congestion_control(connection: socket.socket) -> str:
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()


@pytest.mark.parametrize("count", [1, 2])
def test_who_asks_from_this_machine_is_not_paced(count: int) -> None:
    with accepted("127.0.0.1", count) as connection:
        assert congestion_control(connection) == "reno"


def test_who_may_ask_from_elsewhere_is_sent_to_as_the_machine_has_it() -> None:
    with accepted("0.0.0.0") as connection:
        assert congestion_control(connection) == DEFAULT


def test_a_kernel_that_knows_no_other_way_is_no_hindrance(monkeypatch: pytest.MonkeyPatch) -> None:
    # No such option of TCP.
    monkeypatch.setattr("pinfold.web.listen._CONGESTION", 9999)
    with accepted("127.0.0.1") as connection:
        assert congestion_control(connection) == DEFAULT
