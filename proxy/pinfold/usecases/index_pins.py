"""What the pin set of an index says of a project: asked for each page, so that it must be cheap."""

from pinfold.domain.evidence import Item, Known, Unknown
from pinfold.domain.pins import ProjectPins
from pinfold.ports.pins import PinStore


async def pins_of(store: PinStore, pin_set: str | None, project: str) -> Item[ProjectPins] | None:
    """Return what an index's pin set holds of a project; None for an index that has none. Raises StoreError."""
    if pin_set is None:
        return None
    present = await store.current(pin_set)
    if present is None:
        return Unknown(f"there is no pin set {pin_set} yet; pinfold pin import {pin_set} LOCKFILE makes it")
    return Known(present.of(project))
