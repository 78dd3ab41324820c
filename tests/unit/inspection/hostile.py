"""The register of hostile archives: small functions, each named for the trick it plays."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pinfold.domain.inspection import Kind
from pinfold.inspection import Limits


@dataclass(frozen=True)
class Hostile:
    """A hostile archive and all that must be seen in it, by itself and against the clean release before it."""

    name: str
    build: Callable[[], bytes]
    kinds: frozenset[Kind]
    new: frozenset[Kind] = field(default_factory=frozenset)
    limits: Limits | None = None


class Register(list[Hostile]):
    """Collects builders as they are defined."""

    def seen_as(
        self, *kinds: Kind, new: tuple[Kind, ...] = (), limits: Limits | None = None
    ) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
        def register(build: Callable[[], bytes]) -> Callable[[], bytes]:
            self.append(Hostile(build.__name__, build, frozenset(kinds), frozenset(new), limits))
            return build

        return register
