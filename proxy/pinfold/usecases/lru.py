"""Memory with a budget: the least recently used entries make room for new ones."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lru(Generic[K, V]):
    """A mapping that keeps the sum of its entries' weights within a budget."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._weight = 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return an entry and count it as used, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def peek(self, key: K) -> V | None:
        """Return an entry, and do not count it as used, or None."""
        entry = self._entries.get(key)
        return entry[0] if entry is not None else None

    def oldest(self) -> tuple[K, V] | None:
        """Return the least recently used entry with its key, and do not count it as used; None where there is none."""
        for key, (value, _) in self._entries.items():
            return key, value
        return None

    def put(self, key: K, value: V, weight: int) -> None:
        """Keep an entry; one that exceeds the whole budget is not kept."""
        self.drop(key)
        if weight > self._budget:
            return
        self._entries[key] = (value, weight)
        self._weight += weight
        while self._weight > self._budget:
            _, (_, oldest) = self._entries.popitem(last=False)
            self._weight -= oldest

    def drop(self, key: K) -> None:
        """Forget an entry, if there is one."""
        _, weight = self._entries.pop(key, (None, 0))
        self._weight -= weight


class Recalling(Lru[K, V]):
    """One that finds again what had to make room for as long as somebody works with it, and it is in memory anyway."""

    def __init__(self, budget: int) -> None:
        super().__init__(budget)
        self._alive: WeakValueDictionary[K, V] = WeakValueDictionary()

    def get(self, key: K) -> V | None:
        """Return an entry and count it as used, or None."""
        entry = super().get(key)
        return self._alive.get(key) if entry is None else entry

    def put(self, key: K, value: V, weight: int) -> None:
        """Keep an entry; one that exceeds the whole budget is kept by those alone who work with it."""
        super().put(key, value, weight)
        self._alive[key] = value

    def drop(self, key: K) -> None:
        """Forget an entry, if there is one."""
        super().drop(key)
        self._alive.pop(key, None)
