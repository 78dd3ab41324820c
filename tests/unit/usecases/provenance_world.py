"""Everything around the use case that finds provenance out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace
from tests.fakes.clock import FakeClock
from tests.fakes.evidence import a_file
from tests.fakes.provenance_store import FakeProvenanceStore
from tests.fakes.publishers import OWN, proof_of
from tests.fakes.verifier import FakeVerifier

from pinfold.adapters.prometheus import PrometheusTelemetry
from pinfold.domain.errors import UpstreamError
from pinfold.domain.project import File
from pinfold.usecases.present import Present
from pinfold.usecases.provenances import Provenances

FILE = a_file(provenance="https://index.example/integrity/litellm")


class Upstream:
    """Hands out `documents` by file name, after a while where `gate` is closed; what is an error is raised."""

    name = "pypi"

    def __init__(self) -> None:
        self.documents: dict[str, bytes | UpstreamError | None] = {}
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def provenance(self, file: File) -> bytes | None:
        self.asked.append(file.filename)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            found = self.documents.get(file.filename, b"{}")
            if isinstance(found, UpstreamError):
                raise found
            return found
        finally:
            self.at_once -= 1


class World:
    """Everything around the use case, with as many processes as a test wants."""

    def __init__(self) -> None:
        self.store, self.verifier, self.clock = FakeProvenanceStore(), FakeVerifier(), FakeClock()
        self.upstream: Any = Upstream()
        self.telemetry = PrometheusTelemetry()
        self.running: list[Provenances] = []

    def process(self) -> Provenances:
        self.running.append(Provenances(self.store, self.verifier, self.clock, self.telemetry, Present()))
        return self.running[-1]

    async def establish(self, process: Provenances, *files: File) -> dict[str, str]:
        failures = await process.establish(self.upstream, "litellm", files)
        return {filename: unknown.why for (filename, _), unknown in failures.items()}


def several(count: int) -> tuple[File, ...]:
    return tuple(replace(FILE, filename=f"litellm-1.{n}-py3-none-any.whl", version=f"1.{n}") for n in range(count))


@asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    """A world in which proof of the project's own publisher is found, and whose processes end with it."""
    world = World()
    world.verifier.result = proof_of(OWN)
    try:
        yield world
    finally:
        for process in world.running:
            await process.close()
