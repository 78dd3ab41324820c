"""Checkpoints posted to an operator's witness: another machine, which keeps them."""

from pathlib import Path

from pinfold.adapters.posting import NotTaken, Posting
from pinfold.adapters.upstream.tls import trusting
from pinfold.ports.checkpoints import NotKept


class Witness:
    """An address that takes checkpoints by POST."""

    def __init__(self, url: str, ca_file: Path | None = None) -> None:
        """Take certificates, in PEM, that vouch for the address in place of the system's; raise InvalidSettings."""
        self._posting = Posting(url, trusting(ca_file, "audit.checkpoint_ca_file"))

    @property
    def name(self) -> str:
        """What to call it."""
        return "checkpoint_url"

    async def keep(self, note: bytes) -> None:
        """Post a checkpoint; raises NotKept, without the address, which may hold a token."""
        try:
            await self._posting.post(note, {"Content-Type": "text/plain; charset=utf-8"})
        except NotTaken as error:
            raise NotKept(str(error)) from None

    async def aclose(self) -> None:
        """Close connections."""
        await self._posting.aclose()
