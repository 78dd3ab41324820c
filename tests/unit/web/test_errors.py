"""What a client is told of what went wrong, and what only the log has."""

import pytest

from pinfold.domain.errors import PinfoldError, StoreError, TrustRootError
from pinfold.web.errors import _explained

IN_THE_LOG = "the server's log has the details"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StoreError("/srv/pinfold/ledger.db cannot grow: the disk is full"), 503),
        (TrustRootError("the trust root /srv/pinfold/root.json cannot be read"), 500),
        (PinfoldError("/srv/pinfold"), 500),
    ],
)
def test_whatever_is_not_a_clients_business_is_in_the_log_alone(
    error: PinfoldError, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    answer = _explained(error)
    assert answer.status == status
    assert IN_THE_LOG in str(answer.reason)
    assert "/srv" not in f"{answer.reason} {answer.headers} {answer.text}"
    assert str(error) in caplog.text
