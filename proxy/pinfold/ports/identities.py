"""The port to those who vouch for workflows."""

from typing import Protocol

from pinfold.domain.trusted_publishing import Identity


class IdentityVerifier(Protocol):
    """Verifies identity tokens of the issuers that the settings name, and of no other."""

    async def verify(self, assertion: str) -> Identity:
        """Return what an identity token says.

        Raises InvalidIdentity for one that does not hold here and now, and UpstreamError where its issuer's keys cannot
        be had.
        """
        ...

    async def ask(self, issuer: str) -> None:
        """See that an issuer's keys can be had; raises UpstreamError where they cannot."""
        ...
