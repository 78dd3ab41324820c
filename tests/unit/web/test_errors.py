"""What a client is told of what went wrong, and what only the log has."""

import json
import logging
from pathlib import Path

import pytest
from tests.e2e.in_process import in_process

from pinfold.domain.errors import PinfoldError, StoreError, TrustRootError
from pinfold.web.errors import _explained

IN_THE_LOG = "the server's log has the details"


@pytest.mark.parametrize(
    "path", ["/readyz", "/simple/six/", "/main/simple/six/", f"/files/six/{'0' * 64}/six-1.tar.gz"]
)
async def test_a_store_that_fails_keeps_its_paths_to_itself(
    tmp_path: Path, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with in_process(tmp_path / "data", {"upstreams.pypi.url": "http://127.0.0.1:9/simple/"}) as pinfold:
        await pinfold.installation.ledger.close()
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            answer = await pinfold.get(path)
    assert answer.status == 503
    assert answer.reason == f"pinfold: nothing can be decided or recorded now; {IN_THE_LOG}"
    assert json.loads(answer.body)["detail"] == answer.headers["X-Error-Message"] == answer.reason
    assert str(tmp_path).encode() not in answer.raw
    assert b"ledger" not in answer.raw
    assert f"{tmp_path / 'data' / 'ledger.db'} takes no more work" in caplog.text


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
