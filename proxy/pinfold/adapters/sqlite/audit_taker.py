"""Has the ledger take up what other processes record, so that they need not.

A process that also serves would have its event loop wait for the interpreter meanwhile, and each of several would
begin with a look at what the others appended. Nobody relies on this one: what is not in the ledger within
`audit_recorder.DELAY`, because it died, hangs or fails, whoever recorded it takes up, and so meets what is wrong.
"""

import asyncio
import logging

from pinfold.adapters.outage import Outage
from pinfold.adapters.sqlite.audit_journal import how_many_wait, settle
from pinfold.adapters.sqlite.audit_recorder import RETRY
from pinfold.adapters.sqlite.database import Database
from pinfold.domain.errors import StoreError

log = logging.getLogger(__name__)

BEAT = 0.04
"""Seconds between two looks while entries keep coming: few enough that whoever recorded them finds them taken up."""
IDLE = 0.5
"""Seconds between two looks while none come; the first that do are taken up by whoever recorded them."""


async def take_up_for_all(ledger: Database) -> None:
    """Take up what any process records, until cancelled."""
    outage = Outage(log, "the audit log takes nothing up", "the audit log takes up what was recorded")
    delay = IDLE
    while True:
        await asyncio.sleep(delay)
        try:
            delay = BEAT if await settle(ledger) else IDLE
        except Exception as error:  # noqa: BLE001 - whatever it is, those who record meet it too, and then record nothing
            if outage.is_due:
                outage.failed(error, await _waiting(ledger))
            delay = RETRY
        else:
            outage.succeeded()


async def _waiting(ledger: Database) -> int | None:
    try:
        return await how_many_wait(ledger)
    except StoreError:
        # The same may be why nothing is taken up.
        return None
