"""A catalog that knows many projects already, as if each had been asked for once: neither fetched nor judged.

Through the port, as a server keeps what it was told, but many in each transaction.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from tests.bench.made_up_index import page_of

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.catalog import SqliteCatalog
from pinfold.adapters.sqlite.database import Database
from pinfold.domain.listing import observe
from pinfold.index.parse import parse_project_json
from pinfold.ports.catalog import Stored
from pinfold.ports.upstream import Validators

UPSTREAM = "pypi"
AT_ONCE = 200


def note(path: Path, names: Sequence[str], files: int) -> None:
    """Note the made-up projects of so many files in a catalog, which a server may have open."""
    asyncio.run(_note(path, names, files))


async def _note(path: Path, names: Sequence[str], files: int) -> None:
    file = await Database.open(path, schema.catalog, durable=False)
    try:
        catalog = SqliteCatalog(file)
        for first in range(0, len(names), AT_ONCE):
            some = names[first : first + AT_ONCE]
            await asyncio.gather(*(catalog.update(UPSTREAM, name, partial(_seen, name, files)) for name in some))
    finally:
        await file.close()


def _seen(name: str, files: int, previous: Stored | None) -> Stored:
    now = datetime.now(UTC)
    page = parse_project_json(page_of(name, files).encode(), project=name, base_url="http://127.0.0.1:9/simple/")
    listing = observe(previous.listing if previous else None, page, now)
    return Stored(listing, Validators(), now + timedelta(days=1))
