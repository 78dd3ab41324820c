"""A clock that tests set."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, length: timedelta) -> None:
        self._now += length
