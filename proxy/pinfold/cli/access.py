"""Who may read without a token: said at every start, and by the doctor, so that neither answer surprises anybody."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinfold.settings import Settings


def needs_tokens(settings: "Settings") -> Iterator[tuple[str, str]]:
    """Yield what is found of each index that is closed without anybody having said so, and what to do about it."""
    for name, index in settings.indexes.items():
        if index.anonymous is None and name not in settings.open_indexes:
            yield (
                f"index {name} needs a token: others than this machine can ask, and nothing says that they may",
                f"pinfold token create NAME --role reader, or [indexes.{name}] anonymous = true",
            )


def open_to_all(settings: "Settings") -> Iterator[tuple[str, str]]:
    """Yield what is found of each index that was opened to whoever can reach this server, and what to do about it."""
    for name in sorted(settings.open_indexes):
        if not settings.server.stays_local:
            yield (
                f"whoever reaches this server can read index {name} without a token, private projects included",
                f"[indexes.{name}] anonymous = false, unless that is what you want",
            )
