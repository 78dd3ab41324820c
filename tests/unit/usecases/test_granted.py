"""How long what was granted stands, as far as time alone changes it."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from tests.fakes.clock import NOON
from tests.fakes.evidence import a_file, evidence_of

from pinfold.domain.decision import Decision, Effect
from pinfold.usecases.file_download import Granted
from pinfold.usecases.judged_files import JudgedFile

SOON, LATER = NOON + timedelta(hours=1), NOON + timedelta(hours=2)


@pytest.mark.parametrize(("project", "file"), [(SOON, None), (SOON, LATER), (LATER, SOON)])
def test_a_file_is_granted_for_no_longer_than_its_own_decision_stands(project: datetime, file: datetime | None) -> None:
    judged = JudgedFile(a_file(), evidence_of, Decision(Effect.ALLOW, (), "", changes_at=file))
    assert Granted(SimpleNamespace(stands_until=project), judged).stands_until == SOON  # type: ignore[arg-type]
