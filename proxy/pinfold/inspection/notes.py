"""Where the parts of an inspection write down what they see."""

import hashlib
from collections import Counter

from pinfold.domain.inspection import Kind, Observation, Trait
from pinfold.inspection.limits import Limits, TooLarge

MAX_TEXT = 200
MAX_PATH = 400
MAX_OF_A_KIND = 20


def printable(text: str, length: int = MAX_TEXT) -> str:
    """Return a text in printable ASCII, everything else escaped, cut to a length."""
    if len(text) <= length and text.isascii() and text.isprintable():
        return text
    escaped = text[:length].encode("ascii", "backslashreplace").decode("ascii")
    clean = "".join(sign if " " <= sign <= "~" else f"\\x{ord(sign):02x}" for sign in escaped)
    return clean if len(clean) <= length and len(text) <= length else clean[: length - 3] + "..."


class Notes:
    """Observations and traits in the order they are found; a flood of one kind is counted, not kept."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._observations: dict[Observation, None] = {}
        self._seen: Counter[Kind] = Counter()
        self._traits: dict[tuple[Kind, str], Trait] = {}

    def observe(self, kind: Kind, text: str, file: str | None = None, line: int | None = None) -> None:
        """Note what is wrong or unusual by itself, once."""
        observation = _observation(kind, text, file, line)
        if observation in self._observations:
            return
        self._seen[kind] += 1
        if self._seen[kind] <= MAX_OF_A_KIND:
            self._observations[observation] = None

    def remember(self, kind: Kind, identity: str, text: str, file: str | None = None, line: int | None = None) -> None:
        """Note what the next release is compared by; raises TooLarge when there is too much of it."""
        if len(identity) > MAX_PATH:
            identity = hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()
        identity = printable(identity, MAX_PATH * 4)
        if (kind, identity) in self._traits:
            return
        if len(self._traits) >= self.limits.traits:
            raise TooLarge(f"more than {self.limits.traits} things to compare releases by")
        self._traits[kind, identity] = Trait(identity, _observation(kind, text, file, line))

    @property
    def observations(self) -> tuple[Observation, ...]:
        """What was observed, with the number of those left out at the end."""
        left_out = [
            Observation(kind, f"and {count - MAX_OF_A_KIND} more like it")
            for kind, count in self._seen.items()
            if count > MAX_OF_A_KIND
        ]
        return (*self._observations, *left_out)

    @property
    def traits(self) -> tuple[Trait, ...]:
        """What was remembered."""
        return tuple(self._traits.values())


def _observation(kind: Kind, text: str, file: str | None, line: int | None) -> Observation:
    return Observation(kind, printable(text), None if file is None else printable(file, MAX_PATH), line)
