"""Names that could be taken for one another: one slip of a finger or of the eye apart."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

SHORTEST = 5
"""Letters from which on a name has look-alikes: of shorter ones nearly every neighbour is somebody's honest name."""
SHORTEST_PART = 4
"""The same for the one part in which two names differ, as in `mypy-boto3-ecr` and `mypy-boto3-ecs`."""

_AFFIX = re.compile(r"^(?:python3?|py3?)-|-(?:python3?|py3?)$")
_CONFUSABLE = str.maketrans({"1": "l", "i": "l", "0": "o"})


class Slip(StrEnum):
    """How one name is mistaken for another; the words stand between the two."""

    LETTERS = "one letter away from"
    """Added, left out, doubled, swapped with its neighbour, or another one."""
    SEPARATORS = "separated otherwise than"
    CONFUSABLE = "hard to tell from"
    """Letters that look alike: l, 1 and i, o and 0, rn and m, vv and w."""
    AFFIX = "another form of"
    """The same with or without `python-` or `py-` before it, or behind it."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """A known name that another one resembles."""

    name: str
    slip: Slip
    everyday: bool
    """It is on the shipped list, rather than in use here."""


@dataclass(frozen=True, slots=True)
class Resemblance:
    """A project that nobody used here before, under a name that resembles known ones."""

    likenesses: tuple[Likeness, ...]
    first_upload: datetime | None
    """Of all files of the project; None where the upstream states none."""
    releases: int
    """How many there are, and were."""


class NameIndex:
    """Known names, laid out so that those near any other are found without going through them (as SymSpell does).

    Two names are a letter apart only where they share a form with one letter left out, so that those forms are keys.
    There are more of them than a name has letters, and thousands of names: keys are mere hashes of forms, since what
    they lead to is compared anyway, and nearly all lead to one name alone, by the same tuple.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names: set[str] = set()
        self._by_letters: dict[int, tuple[str, ...]] = {}
        self._by_look: dict[str, tuple[str, ...]] = {}
        self._by_stem: dict[str, tuple[str, ...]] = {}
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Take a normalised name in."""
        if name in self._names:
            return
        self._names.add(name)
        if len(name) < SHORTEST:
            return
        alone = (name,)
        for form in {hash(form) for form in _forms(name)}:
            others = self._by_letters.get(form)
            self._by_letters[form] = (*others, name) if others else alone
        for names, key in ((self._by_look, _look(name)), (self._by_stem, _stem(name))):
            others = names.get(key)
            names[key] = (*others, name) if others else alone

    def near(self, name: str) -> dict[str, Slip]:
        """Return the other known names that a normalised name could be taken for."""
        if len(name) < SHORTEST - 1:
            return {}
        found: dict[str, Slip] = {}
        for known in self._by_stem.get(_stem(name), ()):
            found[known] = Slip.AFFIX
        for form in map(hash, _forms(name)):
            for known in self._by_letters.get(form, ()):
                if known not in found and _is_one_letter_apart(name, known):
                    found[known] = Slip.LETTERS
        for known in self._by_look.get(_look(name), ()):
            found[known] = Slip.SEPARATORS if _joined(known) == _joined(name) else Slip.CONFUSABLE
        # A name that is known has its own stem, before anything else.
        found.pop(name, None)
        return found


def _forms(name: str) -> Iterator[str]:
    yield name
    for position in range(len(name)):
        yield name[:position] + name[position + 1 :]


def _joined(name: str) -> str:
    return name.replace("-", "")


def _look(name: str) -> str:
    """Return what is left of a name for who does not look twice."""
    return _joined(name).replace("rn", "m").replace("vv", "w").translate(_CONFUSABLE)


def _stem(name: str) -> str:
    return _AFFIX.sub("", name)


def _is_one_letter_apart(name: str, known: str) -> bool:
    """Tell whether an optimal string alignment of two different names has the distance 1, in a part long enough.

    Numbers are not slips: `pyqt6` follows `pyqt5`.
    """
    longer, shorter = (name, known) if len(name) >= len(known) else (known, name)
    at = next((at for at, (a, b) in enumerate(zip(longer, shorter, strict=False)) if a != b), len(shorter))
    if len(longer) > len(shorter):
        apart = longer[at + 1 :] == shorter[at:]
    elif longer[at].isdigit() and shorter[at].isdigit():
        return False
    else:
        swapped = longer[at + 1 : at + 2] + longer[at] == shorter[at : at + 2] and at + 1 < len(longer)
        apart = longer[at + 1 :] == shorter[at + 1 :] or (swapped and longer[at + 2 :] == shorter[at + 2 :])
    return apart and len(_part(longer, at)) >= SHORTEST_PART


def _part(name: str, at: int) -> str:
    """Return the part of a name between the separators around a place; the whole of one where that is a separator."""
    if at < len(name) and name[at] == "-":
        return name
    return name[name.rfind("-", 0, at) + 1 : (name.find("-", at) + 1 or len(name) + 1) - 1]
