"""Tells of what keeps failing: when it begins, now and then as long as it lasts, and when it is over."""

import logging
from time import monotonic

FIRST = 2.0
"""Seconds until it is told again, and each time twice as many."""
LONGEST = 60.0


class Outage:
    """What is tried again and again, and told of in a log as often as somebody may want to read it."""

    def __init__(self, log: logging.Logger, fails: str, succeeds: str) -> None:
        """`fails` and `succeeds` are what to say of it, such as "the disk is full" and "the disk has room"."""
        self._log = log
        self._fails = fails
        self._succeeds = succeeds
        self._since: float | None = None
        self._told = 0.0
        self._pause = FIRST

    @property
    def is_due(self) -> bool:
        """Whether another failure would be told."""
        return self._since is None or monotonic() >= self._told + self._pause

    def failed(self, error: Exception, waiting: int | None) -> None:
        """Note a failure, and how many entries wait for it to end, as far as that is known."""
        if not self.is_due:
            return
        now, facts = monotonic(), []
        if self._since is None:
            self._since, self._pause = now, FIRST
        else:
            self._pause = min(2 * self._pause, LONGEST)
            facts.append(f"for {now - self._since:.0f} s")
        if waiting is not None:
            facts.append(f"entries waiting: {waiting}")
        self._told = now
        self._log.error("%s%s: %s", self._fails, f" ({', '.join(facts)})" if facts else "", error)

    def succeeded(self) -> None:
        """Note that it went well."""
        if self._since is not None:
            self._log.info("%s again, after %.0f s", self._succeeds, monotonic() - self._since)
            self._since = None
