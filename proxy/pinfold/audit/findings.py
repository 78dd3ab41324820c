"""What a verification of the audit log found, in the order of the log."""

from dataclasses import dataclass
from enum import StrEnum

LIMIT = 1000
"""How many problems are named; the rest is only counted, so that a ruined log cannot exhaust memory."""


class Kind(StrEnum):
    """What is wrong, the most precise first."""

    CHANGED = "changed"
    """An entry's bytes are not those that were logged."""
    MISSING = "missing"
    """Entries that were logged are not there."""
    INSERTED = "inserted"
    """An entry is there that was never logged, or once more than it was."""
    REORDERED = "reordered"
    """An entry that was logged stands in another place."""
    HASH_CHANGED = "hash-changed"
    """An entry is as it was logged, but the hash that is stored for it is not."""
    CONTRADICTED = "contradicted"
    """A checkpoint that somebody kept elsewhere says that the log's past was another."""
    UNPROVEN = "unproven"
    """No signed checkpoint vouches for some entries: one of them, or of the hashes, is wrong or gone."""
    MALFORMED = "malformed"
    """Something cannot be read, or is not where or as it must be."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    kind: Kind
    seq: int
    """The first entry, or place of an entry, that is concerned; 0 where it is the whole."""
    text: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer: the entries `first` to `last` are what was logged, or what is wrong with them."""

    first: int
    last: int
    proven: int
    """The size of the largest checkpoint that what was seen leads to; 0 where there is none."""
    problems: tuple[Problem, ...] = ()
    """In the order of the log: the first one is the earliest damage."""
    more: int = 0
    """How many further problems there are."""

    @property
    def ok(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self.problems


class Findings:
    """Collects problems, of which it keeps the earliest up to the limit."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._more = 0

    def add(self, kind: Kind, seq: int, text: str) -> None:
        """Note a problem."""
        self._problems.append(Problem(kind, seq, text))
        if len(self._problems) > 2 * LIMIT:
            self._keep_earliest()

    def verification(self, first: int, last: int, proven: int) -> Verification:
        """Return the answer."""
        self._keep_earliest()
        return Verification(first, last, proven, tuple(self._problems), self._more)

    def _keep_earliest(self) -> None:
        kinds = list(Kind)
        self._problems.sort(key=lambda problem: (problem.seq, kinds.index(problem.kind)))
        self._more += len(self._problems[LIMIT:])
        del self._problems[LIMIT:]


def spelled(first: int, last: int) -> str:
    """Return a range of entries as a text has it."""
    return f"entry {first}" if first == last else f"entries {first} to {last}"
