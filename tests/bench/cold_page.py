"""What does a page of thousands of files cost that nobody asked for before, and after a policy changed?

    make bench-cold          or, for another length:   make bench-cold ARGS="--files 1000 --pages 20"

All figures are CPU, whatever else the machine does. The whole way is that of a server, up to its HTTP: an installation
in this process, in front of an upstream that makes up projects, judged by `baseline`. How long the event loop did not
run is told in CPU of the process as well, of all its threads together, with the garbage collector.
"""

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import cast

import aiohttp
import msgspec
import uvloop

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.loaded import made_up_index
from tests.bench.made_up_index import page_of

from pinfold.adapters.filesystem.policy_files import PolicyFiles
from pinfold.bootstrap import Installation, open_installation
from pinfold.domain.advisory import ProjectClaims, Snapshot
from pinfold.domain.decision import PASS, Effect, Finding, Outcome
from pinfold.domain.evidence import Evidence, Known
from pinfold.domain.listing import Listing, observe
from pinfold.domain.records import Records
from pinfold.index.negotiate import Encoding, Representation
from pinfold.index.parse import parse_project_json
from pinfold.policy.document import parse_policy
from pinfold.policy.engine import PolicyRule
from pinfold.policy.rule import Rule
from pinfold.ports.catalog import Stored
from pinfold.ports.upstream import Upstream, Validators
from pinfold.settings import Settings
from pinfold.usecases.compress import compress
from pinfold.usecases.find_project import Found
from pinfold.usecases.indexes import Index, Source
from pinfold.usecases.inspections import Contents
from pinfold.usecases.judge_project import judge
from pinfold.usecases.judgement import Grounds
from pinfold.usecases.list_project import HTML, JSON, Entries, Lister
from pinfold.usecases.provenances import Knowledge

NOW = datetime.now(UTC)
ROUNDS = 7
GROUNDS = Grounds(Records(0), Knowledge(), Contents(), Known(ProjectClaims((Snapshot("osv", "0" * 64, NOW, 1),))))
EIGHT = (
    *("private-name", "hash-changed", "known-malware", "vanished", "upstream-status", "provenance-downgrade"),
    *("look-alike", "known-vulnerability"),
)
TEN_RULES = "\n".join(f'[[rule]]\nid = "{name}"' for name in EIGHT)
"""With the two that are part of every policy."""


class Nobody:
    """An upstream that is not asked."""

    name = "pypi"


class OneOfTen(Rule):
    """A rule that refuses one file of ten, as that of some organisation may."""

    id = "one-of-ten"

    def judge(self, evidence: Evidence, at: datetime) -> Finding:
        """Go by the version."""
        return Finding(Outcome.FAIL, "not wanted here") if (evidence.file.version or "").endswith("7") else PASS


@dataclass
class Stretches:
    """How much CPU the process spent while its event loop did not run."""

    longest: float = 0.0
    _last: float = 0.0

    async def run(self) -> None:
        """Look every millisecond."""
        self._last = process_time()
        while True:
            await asyncio.sleep(0.001)
            now = process_time()
            self.longest, self._last = max(self.longest, now - self._last), now

    def since_last(self) -> float:
        """Return the longest stretch since this was asked before, in milliseconds."""
        longest, self.longest = self.longest, 0.0
        return longest * 1e3


@dataclass
class Figures:
    """What was measured, by name, in milliseconds."""

    of: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the CPU of what is done meanwhile."""
        began = process_time()
        yield
        self.add(name, (process_time() - began) * 1e3)

    def add(self, name: str, milliseconds: float) -> None:
        """Add one measurement."""
        self.of.setdefault(name, []).append(milliseconds)

    def median(self, name: str) -> float:
        """Return the middle of what a name's measurements came to."""
        return statistics.median(self.of[name])

    def show(self, title: str) -> None:
        """Print all as a table."""
        print(f"\n| {title} | least | median | most |\n|---|--:|--:|--:|")
        for name, each in self.of.items():
            print(f"| {name} | {min(each):.1f} | {self.median(name):.1f} | {max(each):.1f} |")


@asynccontextmanager
async def running(upstream: str, folder: Path) -> AsyncIterator[tuple[Installation, Stretches]]:
    """Open an installation as a server does, and watch its event loop."""
    pypi, osv = {"url": upstream, "freshness": "1d"}, {"source": ""}
    settings = Settings.model_validate({"data": folder, "upstreams": {"pypi": pypi}, "feeds": {"osv": osv}})
    async with open_installation(settings) as installation:
        await installation.ready()
        await installation.warm_up()
        gc.freeze()
        stretches = Stretches()
        probe = asyncio.create_task(stretches.run())
        try:
            yield installation, stretches
        finally:
            probe.cancel()


async def measure_way(upstream: str, folder: Path, files: int, pages: int, figures: Figures) -> None:
    """Ask for pages for the first time, and again after their policy changed."""
    names = [f"f{files}-{number}" for number in range(pages)]
    async with running(upstream, folder) as (installation, stretches), aiohttp.ClientSession() as session:
        index = installation.index("main")
        for name in names:
            with figures.timed("bare fetch"):
                async with session.get(f"{upstream}{name}/") as response:
                    await response.read()
        await page(installation, index, "f10-0", Representation.JSON)
        stretches.since_last()

        async def ask(what: str, index: Index, name: str, representation: Representation) -> None:
            with figures.timed(what):
                await page(installation, index, name, representation)
            figures.add("without the loop", stretches.since_last())

        refusing = PolicyRule(OneOfTen(), Effect.DENY, Effect.DENY)
        for name in names:
            await ask("first request, JSON", index, name, Representation.JSON)
            await ask("then HTML", index, name, Representation.HTML)
        for what, policy in (
            ("policy changed", replace(index.policy)),
            ("one file of ten refused", replace(index.policy, rules=(*index.policy.rules, refusing))),
        ):
            changed = replace(index, policy=policy)
            for name in names:
                await ask(f"{what}, JSON", changed, name, Representation.JSON)
                await ask(f"{what}, HTML", changed, name, Representation.HTML)


async def page(installation: Installation, index: Index, name: str, representation: Representation) -> None:
    """Ask for a page as installers do, with gzip."""
    answer = await installation.pages.get(index, name, representation, Encoding.GZIP)
    assert answer is not None


def measure_parts(files: int, figures: Figures) -> None:
    """Measure what the way consists of, each part alone."""
    baseline, ten = PolicyFiles().load("baseline"), parse_policy(TEN_RULES, "ten.toml")
    assert len(ten.rules) == 10
    source = Source(cast("Upstream", Nobody()))
    unpack = msgspec.json.Decoder(Listing).decode
    for number in range(ROUNDS):
        name = f"f{files}-{number}"
        body = page_of(name, files).encode()
        shorter = page_of(name, files * 4 // 5).encode()
        with figures.timed("parse"):
            project = parse_project_json(body, project=name, base_url="http://127.0.0.1/simple/")
        with figures.timed("note what is new"):
            listing = observe(None, project, NOW)
        with figures.timed("encode for the catalog"):
            packed = msgspec.json.encode(listing)
        with figures.timed("decode from the catalog"):
            unpack(packed)
        found = Found(source, Stored(listing, Validators(), NOW + timedelta(days=1)))
        with figures.timed("judge by baseline"):
            judged = judge(Index("main", (source,), baseline), name, found, GROUNDS, NOW).whole()
        shorter_listing = observe(None, parse_project_json(shorter, project=name, base_url="http://127.0.0.1/"), NOW)
        fewer = replace(found, stored=replace(found.stored, listing=shorter_listing))
        with figures.timed("judge four fifths by ten rules"):
            judge(Index("main", (source,), ten), name, fewer, GROUNDS, NOW).whole()
        for form, called in ((JSON, "JSON"), (HTML, "HTML")):
            entries, lister = Entries(judged, {}), Lister({}, None, set())
            with figures.timed(f"list and render, {called}"):
                rendered = lister.render(judged, form, entries)
            with figures.timed(f"render of kept entries, {called}"):
                lister.render(judged, form, entries)
            assert rendered is not None
            with figures.timed(f"gzip, {called}"):
                compress(rendered, Encoding.GZIP)


def main() -> None:
    """Measure and print both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=5_000)
    parser.add_argument("--pages", type=int, default=4, help="no more than memory has room for")
    chosen = parser.parse_args()
    parts, way = Figures(), Figures()
    measure_parts(chosen.files, parts)
    parts.show(f"parts, {chosen.files:,} files")
    with made_up_index() as upstream, tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure_way(upstream, Path(folder), chosen.files, chosen.pages, way))
    way.show(f"the whole way, {chosen.pages} pages of {chosen.files:,} files")
    beyond = way.median("first request, JSON") + way.median("then HTML") - way.median("bare fetch")
    after = way.median("policy changed, JSON") - parts.median("judge by baseline")
    print(f"\nfirst request in both forms, beyond the fetch: {beyond:.0f} ms")
    print(f"after a policy changed, beyond judging: {after:.1f} ms")
    print(f"longest stretch without the event loop: {max(way.of['without the loop']):.0f} ms")


if __name__ == "__main__":
    main()
