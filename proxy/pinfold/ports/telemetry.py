"""The port to what operators watch: counters of what the gate does."""

from datetime import datetime
from typing import Protocol

from pinfold.domain.advisory import Snapshot
from pinfold.domain.provenance import TrustRoot


class Telemetry(Protocol):
    """Counts events; never raises and never blocks."""

    def decided(self, index: str, rule: str, effect: str) -> None:
        """Count the decision of one requested file: the rule that decided (`-` where none did) and its effect."""
        ...

    def looked_up(self, cache: str, *, hit: bool) -> None:
        """Count a look-up in one of the caches: `page`, `rendering` or `file`."""
        ...

    def stale_page(self, upstream: str) -> None:
        """Count a page that was served although its upstream could not refresh it."""
        ...

    def verified_provenance(self, outcome: str) -> None:
        """Count a verification: `verified`, `invalid`, `unattested`, `unknown`, or `unavailable` for no document."""
        ...

    def inspected(self, outcome: str, seconds: float) -> None:
        """Count an inspection: `complete`, `incomplete`, or `failed` where there is no report."""
        ...

    def trust_root(self, root: TrustRoot) -> None:
        """Tell what provenance is verified with."""
        ...

    def trust_root_checked(self, checked_at: datetime | None) -> None:
        """Tell when the source of the trust root last confirmed it."""
        ...

    def feed(self, snapshot: Snapshot, checked_at: datetime | None) -> None:
        """Tell an advisory feed's snapshot, and when its source last confirmed it."""
        ...
