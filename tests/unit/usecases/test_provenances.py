"""How provenance is found out: once for everybody, remembered by all, and never in anybody's way."""

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.evidence import OTHER_SHA256, a_file
from tests.fakes.provenance_store import FakeProvenanceStore
from tests.fakes.publishers import OWN, THIEF, proof_of
from tests.unit.usecases.provenance_world import FILE, World, a_world, several

from pinfold.domain.errors import StoreError, TrustRootError, UpstreamError
from pinfold.domain.evidence import Item, Known, Unknown
from pinfold.domain.provenance import Invalid, Provenance, TrustRoot, Unattested
from pinfold.ports.look_back import INTENT
from pinfold.ports.provenance_store import Checked
from pinfold.usecases import provenances as module
from pinfold.usecases.present import TRUSTED_SECONDS, Present
from pinfold.usecases.provenances import Provenances, key_of


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as world:
        yield world


async def test_a_file_is_fetched_and_verified_by_its_name_and_hash(world: World) -> None:
    process = world.process()
    assert (await process.known("litellm")).checked == {}
    assert await world.establish(process, FILE) == {}
    assert world.verifier.asked == [(b"{}", FILE.filename, FILE.sha256)]
    checked = (await process.known("litellm")).checked[key_of(FILE)]
    assert (checked.result, checked.trust_root) == (proof_of(OWN), world.verifier.root.sha256)


async def test_nobody_waits_twice_and_nothing_is_verified_twice(world: World) -> None:
    process = world.process()
    await asyncio.gather(*(world.establish(process, FILE) for _ in range(20)))
    await world.establish(process, FILE)
    await world.establish(world.process(), FILE)
    assert world.upstream.asked == [FILE.filename]


async def test_other_bytes_under_the_same_name_are_another_file(world: World) -> None:
    process = world.process()
    await world.establish(process, FILE, replace(FILE, sha256=OTHER_SHA256))
    assert sorted(sha256 for _, _, sha256 in world.verifier.asked) == sorted([FILE.sha256, OTHER_SHA256])


async def test_what_another_process_found_out_is_known_as_soon_as_the_store_tells(world: World) -> None:
    here, there = world.process(), world.process()
    before = await here.known("litellm")
    await world.establish(there, FILE)
    after = await here.known("litellm")
    assert after is not before
    assert key_of(FILE) in after.checked


async def test_what_is_known_stays_the_same_object_while_only_of_others_something_is_learnt(world: World) -> None:
    process = world.process()
    await world.establish(process, FILE)
    known = await process.known("litellm")
    assert await process.known("litellm") is known
    await world.store.remember("other", next(iter(known.checked.values())), b"{}")
    assert await process.known("litellm") is known


async def test_whoever_asks_after_something_was_found_out_is_told_of_it_while_an_earlier_look_is_under_way(
    world: World,
) -> None:
    class Slow(FakeProvenanceStore):
        gate = asyncio.Event()

        async def results(self, project: str, after: int = 0) -> list[Checked]:
            found = await super().results(project, after)
            await self.gate.wait()
            return found

    store = world.store = Slow()
    process = world.process()
    early = asyncio.create_task(process.known("litellm"))
    await asyncio.sleep(0.01)
    root = await world.verifier.trust_root()
    checked = Checked(FILE.filename, FILE.sha256, "0" * 64, root.sha256, world.clock.now(), proof_of(OWN))
    await store.remember("litellm", checked, b"{}")
    late = asyncio.create_task(process.known("litellm"))
    await asyncio.sleep(0.01)
    store.gate.set()
    assert not (await early).checked
    assert (await late).checked == {key_of(FILE): checked}


async def test_a_renewed_trust_root_counts_within_a_second(world: World) -> None:
    process = world.process()
    await world.establish(process, FILE)
    world.verifier.root = TrustRoot("0" * 64, world.verifier.root.modified_at)
    await asyncio.sleep(TRUSTED_SECONDS)
    assert (await process.known("litellm")).checked == {}


async def test_another_trust_root_has_everything_verified_anew_and_forgets_no_publisher(world: World) -> None:
    await world.establish(world.process(), FILE)
    world.verifier.root = TrustRoot("0" * 64, world.verifier.root.modified_at)
    later = world.process()
    knowledge = await later.known("litellm")
    assert knowledge.checked == {}
    attested = knowledge.publishers_of(FILE)
    assert attested is not None
    assert attested.publishers == (OWN,)
    await world.establish(later, FILE)
    assert world.upstream.asked == [FILE.filename] * 2


async def test_a_publisher_is_not_forgotten_when_the_index_falls_silent(world: World) -> None:
    process = world.process()
    await world.establish(process, FILE)
    for silence in (True, False):
        attested = (await process.known("litellm")).publishers_of(replace(FILE, provenance=silence))
        assert attested is not None
        assert attested.publishers == (OWN,)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (UpstreamError("pypi: https://secret.example answered 500"), "its provenance cannot be fetched now"),
        (None, "its provenance is not where the index says that it is"),
    ],
    ids=["error", "missing"],
)
async def test_what_cannot_be_fetched_is_unknown_and_left_alone_for_a_while(
    document: Any, why: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = world.process()
    world.upstream.documents[FILE.filename] = document
    assert await world.establish(process, FILE) == {FILE.filename: why}
    assert await world.establish(process, FILE) == {FILE.filename: why}
    assert len(world.upstream.asked) == 1
    later = module.monotonic() + module.LEFT_ALONE_SECONDS
    monkeypatch.setattr(module, "monotonic", lambda: later)
    world.upstream.documents.clear()
    assert await world.establish(process, FILE) == {}


async def test_provenance_that_does_not_arrive_is_unknown_in_time_and_known_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.01)
    process = world.process()
    world.upstream.gate.clear()
    assert await world.establish(process, FILE) == {FILE.filename: "its provenance did not arrive in time"}
    world.upstream.gate.set()
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 5)
    assert await world.establish(process, FILE) == {}
    assert len(world.upstream.asked) == 1


async def test_a_client_that_goes_away_leaves_the_verification_to_the_others(world: World) -> None:
    process = world.process()
    world.upstream.gate.clear()
    gone, patient = (asyncio.create_task(world.establish(process, FILE)) for _ in range(2))
    await asyncio.sleep(0.01)
    gone.cancel()
    world.upstream.gate.set()
    assert await patient == {}
    assert len(world.upstream.asked) == 1


@pytest.mark.parametrize(
    "result",
    [Unknown("publishers of the kind 'CircleCI' are not known"), Known(Invalid("damaged")), Known(Unattested())],
    ids=["unknown", "invalid", "unattested"],
)
async def test_what_proves_nothing_is_tried_again_after_an_hour(result: Item[Provenance], world: World) -> None:
    process = world.process()
    world.verifier.result = result
    for _ in range(2):
        assert await world.establish(process, FILE) == {}
    assert (await process.known("litellm")).checked[key_of(FILE)].result == result
    world.clock.advance(timedelta(hours=1))
    world.verifier.result, world.upstream.documents[FILE.filename] = proof_of(THIEF), b'{"version": 1}'
    await world.establish(process, FILE)
    assert (await process.known("litellm")).checked[key_of(FILE)].result == proof_of(THIEF)
    assert len(world.upstream.asked) == 2


async def test_what_proves_nothing_goes_on_doing_so_while_its_upstream_fails(world: World) -> None:
    process = world.process()
    world.verifier.result = Known(Invalid("forged"))
    await world.establish(process, FILE)
    world.clock.advance(timedelta(hours=1))
    world.upstream.documents[FILE.filename] = UpstreamError("down")
    assert await world.establish(process, FILE) == {}
    assert (await process.known("litellm")).checked[key_of(FILE)].result == Known(Invalid("forged"))


async def test_what_was_proven_stays_proven(world: World) -> None:
    process = world.process()
    await world.establish(process, FILE)
    world.clock.advance(timedelta(days=900))
    await world.establish(process, FILE)
    assert len(world.upstream.asked) == 1


async def test_without_a_trust_root_nothing_is_fetched_and_no_path_is_told(world: World) -> None:
    world.verifier.failure = TrustRootError("the trust root /etc/secret cannot be read")
    process = world.process()
    failures = await world.establish(process, FILE)
    assert failures == {FILE.filename: "the trust root cannot be read, so that nothing can be verified"}
    assert world.upstream.asked == []


async def test_nothing_is_asked_of_files_without_provenance(world: World) -> None:
    process = world.process()
    assert await world.establish(process, a_file(provenance=True), a_file(provenance=False)) == {}
    assert world.upstream.asked == []


async def test_a_store_that_fails_is_told(world: World) -> None:
    process = world.process()
    world.store.failure = StoreError("full")
    with pytest.raises(StoreError):
        await process.known("litellm")
    with pytest.raises(StoreError):
        await world.establish(process, FILE)


async def test_a_document_comes_from_here_once_it_was_verified_and_else_from_its_upstream(world: World) -> None:
    process = world.process()
    world.upstream.documents[FILE.filename] = b'{"version": 1}'
    assert await process.document(world.upstream, "litellm", FILE) == b'{"version": 1}'
    await world.establish(process, FILE)
    world.upstream.documents[FILE.filename] = None
    assert await process.document(world.upstream, "litellm", FILE) == b'{"version": 1}'
    assert len(world.upstream.asked) == 2


async def test_outcomes_are_counted(world: World) -> None:
    process = world.process()
    await world.establish(process, FILE)
    world.upstream.documents["litellm-1.0-py3-none-any.whl"] = None
    await world.establish(process, *several(1))
    metrics = world.telemetry.render().decode()
    for outcome in ("verified", "unavailable"):
        assert f'pinfold_provenance_verifications_total{{outcome="{outcome}"}} 1.0' in metrics


class TestNews:
    """Whoever looks back hears of results that are not the ones before."""

    @staticmethod
    def hearing(world: World) -> tuple[Provenances, list[tuple[object, str, object]]]:
        heard: list[tuple[object, str, object]] = []

        async def noticed(projects: Collection[str] | None, cause: str, /, *, until: datetime | None = None) -> None:
            heard.append((projects, cause, until))

        process = Provenances(world.store, world.verifier, world.clock, world.telemetry, Present(), noticed)
        world.running.append(process)
        return process, heard

    async def test_a_result_is_told_of_before_and_after_it_is_kept(self, world: World) -> None:
        process, heard = self.hearing(world)
        await world.establish(process, FILE)
        cause = "provenance was verified"
        assert heard == [(["litellm"], cause, world.clock.now() + INTENT), (["litellm"], cause, None)]

    async def test_the_same_result_is_no_news_and_another_one_is(self, world: World) -> None:
        process, heard = self.hearing(world)
        world.verifier.result = Known(Invalid("no signature"))
        for result, news in (
            (Known(Invalid("no signature")), 2),
            (Known(Invalid("no signature")), 2),
            (proof_of(OWN), 4),
        ):
            world.verifier.result = result
            await world.establish(process, FILE)
            assert len(heard) == news
            world.clock.advance(module.UNPROVEN_HOLDS)
