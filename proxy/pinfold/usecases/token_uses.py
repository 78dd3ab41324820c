"""When tokens were last used: noted in memory, and kept every now and then, so that no request waits for it."""

import asyncio
import logging
from datetime import datetime

from pinfold.domain.errors import PinfoldError
from pinfold.ports.tokens import TokenStore

log = logging.getLogger(__name__)

INTERVAL = 60.0
"""Seconds between two times of keeping; how coarse a token's last use is."""
LAST_SECONDS = 5.0


class TokenUses:
    """Notes uses of tokens, of which there are as many as somebody created."""

    def __init__(self, tokens: TokenStore, interval: float = INTERVAL) -> None:
        self._tokens = tokens
        self._interval = interval
        self._uses: dict[str, datetime] = {}

    def note(self, token_id: str, at: datetime) -> None:
        """Remember a use."""
        self._uses[token_id] = at

    async def run(self) -> None:
        """Keep what was noted until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(self._interval)
                await self._keep()
        finally:
            async with asyncio.timeout(LAST_SECONDS):
                await self._keep()

    async def _keep(self) -> None:
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self._tokens.note_uses(uses)
        except PinfoldError as error:
            log.warning("the last uses of %s tokens are not kept: %s", len(uses), error)
