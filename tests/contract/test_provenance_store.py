"""What every memory of verified provenance keeps to, whatever it is made of."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.fakes.clock import NOON
from tests.fakes.provenance_store import FakeProvenanceStore

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.provenance import SqliteProvenanceStore
from pinfold.domain.evidence import Item, Known, Unknown
from pinfold.domain.provenance import (
    AccountPublisher,
    Attestation,
    Environment,
    Invalid,
    Predicate,
    Provenance,
    PublisherKind,
    Unattested,
    Verified,
    WorkflowPublisher,
)
from pinfold.ports.provenance_store import Checked, ProvenanceStore

GITHUB = WorkflowPublisher(
    PublisherKind.GITHUB, "example/widget", "publish.yml", Environment("release", certified=True), "1", "2"
)
RESULTS: list[Item[Provenance]] = [
    Known(
        Verified(
            (
                Attestation(Predicate.PUBLISH, GITHUB, NOON),
                Attestation(Predicate.SLSA_PROVENANCE, AccountPublisher("robot@example.com"), NOON),
            )
        )
    ),
    Known(Invalid('the certificate names "ünexpected"')),
    Known(Unattested()),
    Unknown("publishers of the kind 'CircleCI' are not known"),
]
CHECKED = Checked("widget-1.0.tar.gz", "1" * 64, "d" * 64, "f" * 64, NOON, RESULTS[0])


@pytest.fixture(params=["sqlite", "fake"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProvenanceStore]:
    if request.param == "fake":
        yield FakeProvenanceStore()
        return
    file = await Database.open(tmp_path / "catalog.db", schema.catalog, durable=False)
    yield SqliteProvenanceStore(file)
    await file.close()


async def test_at_first_nothing_is_known(store: ProvenanceStore) -> None:
    assert await store.results("widget") == []
    assert await store.document("d" * 64) is None


@pytest.mark.parametrize("result", RESULTS, ids=["verified", "invalid", "unattested", "unknown"])
async def test_a_result_is_kept_whole_with_its_document(store: ProvenanceStore, result: Item[Provenance]) -> None:
    checked = replace(CHECKED, result=result)
    await store.remember("widget", checked, b"{}")
    assert await store.results("widget") == [checked]
    assert await store.document("d" * 64) == b"{}"


async def test_projects_are_kept_apart(store: ProvenanceStore) -> None:
    await store.remember("widget", CHECKED, b"{}")
    assert await store.results("other") == []


@pytest.mark.parametrize(
    "change",
    [{"filename": "widget-1.1.tar.gz"}, {"sha256": "2" * 64}, {"document": "e" * 64}, {"trust_root": "0" * 64}],
    ids=lambda change: next(iter(change)),
)
async def test_each_of_the_keys_tells_results_apart(store: ProvenanceStore, change: dict[str, str]) -> None:
    other = replace(CHECKED, **change)  # type: ignore[arg-type]
    await store.remember("widget", CHECKED, b"{}")
    await store.remember("widget", other, b"{}")
    assert await store.results("widget") == [CHECKED, other]


async def test_a_later_result_of_the_same_document_replaces_the_earlier_and_comes_last(store: ProvenanceStore) -> None:
    other = replace(CHECKED, filename="widget-1.1.tar.gz")
    later = replace(CHECKED, checked_at=NOON + timedelta(hours=1), result=RESULTS[3])
    for checked in (CHECKED, other, later):
        await store.remember("widget", checked, b"{}")
    assert await store.results("widget") == [other, later]


async def test_what_was_remembered_after_a_revision_can_be_had_alone(store: ProvenanceStore) -> None:
    other = replace(CHECKED, filename="widget-1.1.tar.gz")
    await store.remember("widget", CHECKED, b"{}")
    await store.remember("widget", other, b"{}")
    between = await store.revision("widget")
    assert await store.results("widget", between) == []
    await store.remember("widget", CHECKED, b"{}")
    assert await store.results("widget", between) == [CHECKED]


async def test_what_is_remembered_of_one_project_leaves_the_others_alone(store: ProvenanceStore) -> None:
    await store.remember("widget", CHECKED, b"{}")
    before = [await store.revision("widget"), await store.revision("never-seen")]
    await store.remember("other", CHECKED, b"{}")
    assert [await store.revision("widget"), await store.revision("never-seen")] == before
    assert await store.revision("other") > before[1]
    assert await store.results("widget", before[0]) == []


async def test_the_revision_grows_with_each_result_also_with_a_replaced_one(store: ProvenanceStore) -> None:
    seen = [await store.revision("widget")]
    for checked in (CHECKED, replace(CHECKED, filename="widget-1.1.tar.gz"), CHECKED):
        await store.remember("widget", checked, b"{}")
        seen.append(await store.revision("widget"))
    assert seen == sorted(set(seen))
