"""Pin sets in memory."""

from pinfold.domain.audit_entry import Entry
from pinfold.domain.errors import InvalidRecord, StoreError
from pinfold.domain.pins import PinAct, PinSet, PinSetVersion


class FakePinStore:
    """Keeps everything, with the entries that came along in `audited`; raises `failure`, where it is set."""

    def __init__(self) -> None:
        self.audited: list[Entry] = []
        self.failure: StoreError | None = None
        self._versions: dict[tuple[str, int], PinSet] = {}

    async def current(self, name: str) -> PinSet | None:
        self._may_fail()
        latest = max((one for one in self._versions if one[0] == name), default=None)
        present = self._versions[latest] if latest else None
        return None if present is None or present.head.act is PinAct.REMOVE else present

    async def version(self, name: str, number: int) -> PinSet | None:
        self._may_fail()
        return self._versions.get((name, number))

    async def history(self, name: str | None = None) -> list[PinSetVersion]:
        self._may_fail()
        return [one.head for one in self._versions.values() if name in (None, one.head.name)]

    async def add(self, pin_set: PinSet, entry: Entry) -> None:
        self._may_fail()
        head = pin_set.head
        if head.number != len(await self.history(head.name)) + 1:
            raise InvalidRecord(f"somebody changed pin set {head.name} meanwhile")
        self._versions[head.name, head.number] = pin_set
        self.audited.append(entry)

    def _may_fail(self) -> None:
        if self.failure is not None:
            raise self.failure
