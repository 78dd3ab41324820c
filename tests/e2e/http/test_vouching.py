"""Bytes that nobody has vouched for never arrive whole, however they are asked for."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from tests.e2e.http.addresses import address
from tests.fakes.upstream import Fault

from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.records import Waiver
from pinfold.domain.target import parse_target
from pinfold.policy.document import parse_policy
from pinfold.ports.audit_log import AuditQuery
from pinfold.usecases import file_download
from pinfold.usecases.file_content import HELD_BACK
from pinfold.usecases.replay import ReplayPolicy

MIB = 1024 * 1024
NOW = datetime.now(UTC)
POLICY = '[[rule]]\nid = "contents"\nparams = {params}\n'
HOOK = {"widget_init.pth": b"import os  # in the incident, this line ran at every start of the interpreter\n"}
DATA = {"widget/data.bin": hashlib.shake_128(b"data").digest(2 * MIB)}


@pytest.fixture
def overrides(overrides, upstream, tmp_path):
    upstream.add_file("widget", "1.0", upload_time=NOW - timedelta(days=90))
    overrides |= {"upstreams.pypi.freshness": "0s", "feeds.osv.source": ""}
    for index, params in {"main": "{ }", "mild": '{ ignore = ["new-start-up-hook"] }'}.items():
        path = tmp_path / f"{index}.toml"
        path.write_text(POLICY.format(params=params))
        overrides[f"indexes.{index}.policy"] = str(path)
    overrides["indexes.other.policy"] = str(path := tmp_path / "other.toml")
    path.write_text('[[rule]]\nid = "vanished"\n')
    return overrides


@pytest.fixture(autouse=True)
def large(monkeypatch):
    """Let 2 MiB be a large file, as long as a test does not want it otherwise."""
    monkeypatch.setattr(file_download, "JUDGED_FIRST", MIB)


def release(upstream, version="1.1", *, small=False, hook=True):
    files = {**({} if small else DATA), **(HOOK if hook else {})}
    return upstream.add_file("widget", version, upload_time=NOW - timedelta(days=5), files=files)


async def actions(pinfold):
    return [entry.action for entry in await pinfold.audited()]


async def acted(pinfold, expected):
    """Wait for the entries that follow the end of a connection."""
    for _ in range(500):
        if (found := await actions(pinfold)) == expected:
            break
        await asyncio.sleep(0.01)
    return found == expected


async def test_a_large_file_breaks_off_before_its_last_block_and_is_refused_from_then_on(pinfold, upstream):
    file = release(upstream)
    upstream.befall(file, Fault(drip=(len(file.content) // 8, 0.05)))
    answer = await pinfold.get(address(file))
    assert answer.status == 200
    assert len(answer.body) == len(file.content) - HELD_BACK
    assert await acted(pinfold, ["file.served", "file.refused", "file.broken-off"])
    refusal = (await pinfold.installation.audit_log.search(AuditQuery()))[1].entry
    assert (refusal.rule, refusal.decision) == ("contents", "quarantine")
    again = await pinfold.get(address(file))
    assert again.status == 403
    assert "quarantined by contents: new-start-up-hook: widget_init.pth line 1" in again.reason
    page = await pinfold.get("/simple/widget/", Accept="application/vnd.pypi.simple.v1+json")
    assert b'"yanked":"pinfold: quarantined by contents' in page.body


async def test_a_small_file_is_refused_before_its_first_byte(pinfold, upstream):
    file = release(upstream, small=True)
    answer = await pinfold.get(address(file))
    assert (answer.status, await actions(pinfold)) == (403, ["file.refused"])


async def test_a_file_of_everyday_size_is_refused_before_its_first_byte_though_it_only_just_arrives(
    pinfold, upstream, monkeypatch
):
    monkeypatch.setattr(file_download, "JUDGED_FIRST", 8 * MIB)
    file = release(upstream)
    upstream.befall(file, Fault(drip=(len(file.content) // 8, 0.05)))
    answers = await asyncio.gather(*(pinfold.get(address(file)) for _ in range(5)))
    assert {answer.status for answer in answers} == {403}
    assert all("quarantined by contents: new-start-up-hook: widget_init.pth" in answer.reason for answer in answers)
    assert await actions(pinfold) == ["file.refused"] * 5
    assert len(upstream.requests_for(file)) == 1


@pytest.mark.parametrize("hook", [True, False], ids=["bad", "good"])
async def test_nobody_waits_long_for_a_slow_upstream(pinfold, upstream, monkeypatch, hook):
    monkeypatch.setattr(file_download, "JUDGED_FIRST", 8 * MIB)
    monkeypatch.setattr(file_download, "PATIENCE_SECONDS", 0.1)
    file = release(upstream, hook=hook)
    upstream.befall(file, Fault(drip=(len(file.content) // 8, 0.1)))
    answer = await pinfold.get(address(file))
    assert answer.status == 200
    assert len(answer.body) == len(file.content) - (HELD_BACK if hook else 0)


async def test_the_first_byte_of_a_good_file_leaves_before_the_last_has_arrived(pinfold, upstream):
    file = release(upstream, hook=False)
    upstream.befall(file, Fault(drip=(len(file.content) // 8, 0.1)))
    digest, first = hashlib.sha256(), None
    async with aiohttp.ClientSession() as session, session.get(pinfold.url + address(file)) as response:
        async for chunk in response.content.iter_any():
            first = first or await pinfold.installation.blobs.find(file.sha256) or "nothing stored yet"
            digest.update(chunk)
    assert first == "nothing stored yet"
    assert digest.hexdigest() == file.sha256
    served, vouched = await pinfold.installation.audit_log.search(AuditQuery(newest_first=False))
    assert [one.entry.action.value for one in (served, vouched)] == ["file.served", "file.vouched"]
    assert vouched.entry.details["served"] == served.seq
    assert vouched.entry.evidence_digest != served.entry.evidence_digest
    candidate = parse_policy(POLICY.format(params="{ }"), "candidate.toml")
    use = ReplayPolicy(pinfold.installation.audit_log, pinfold.installation.audit_log, pinfold.installation.records)
    replay = await use.run(candidate, NOW - timedelta(days=1))
    assert (replay.judged, replay.without_evidence, replay.changes) == (1, 0, {})


@pytest.mark.parametrize("stored", [False, True], ids=["while it arrives", "from here"])
@pytest.mark.parametrize("last", [1, 22, HELD_BACK])
async def test_no_range_reaches_into_the_last_block(pinfold, upstream, stored, last):
    file = release(upstream)
    if stored:
        assert (await pinfold.get(address(file, "other"))).body == file.content
    size = len(file.content)
    for wanted in (f"bytes=-{last}", f"bytes={size - last}-", f"bytes=0-{size - 1}", f"bytes={size - HELD_BACK - 5}-"):
        answer = await pinfold.get(address(file), Range=wanted)
        assert answer.status in {206, 403}
        assert file.content[-HELD_BACK:][:16] not in answer.body
        assert file.content[-16:] not in answer.body


async def test_what_lies_before_the_last_block_may_be_had_in_ranges_while_it_arrives(pinfold, upstream):
    file = release(upstream, hook=False)
    upstream.befall(file, Fault(drip=(len(file.content) // 4, 0.1)))
    assert (await pinfold.get(address(file), Range="bytes=0-99")).body == file.content[:100]


async def test_indexes_judge_the_same_bytes_at_once_each_by_its_own_policy(pinfold, upstream):
    file = release(upstream)
    upstream.befall(file, Fault(drip=(len(file.content) // 4, 0.1)))
    indexes = ["main", "mild", "other", "main", "mild"]
    answers = await asyncio.gather(*(pinfold.get(address(file, index)) for index in indexes))
    for index, answer in zip(indexes, answers, strict=True):
        assert (answer.body == file.content) is (index != "main"), index
        assert len(answer.body) <= len(file.content) - HELD_BACK or index != "main"
    assert len(upstream.requests_for(file)) == 1


async def test_an_index_that_needs_no_inspection_causes_none(pinfold, upstream):
    file = release(upstream)
    assert (await pinfold.get(address(file, "other"))).body == file.content
    assert b"pinfold_inspection_seconds_count" not in (await pinfold.get("/metrics")).body


async def test_nobody_is_told_that_what_they_have_is_good_before_it_is_vouched_for(pinfold, upstream):
    file = release(upstream)
    answer = await pinfold.get(address(file), If_None_Match=f'"{file.sha256}"')
    assert answer.status == 403


async def test_what_was_inspected_is_never_inspected_again(pinfold, upstream):
    file = release(upstream, hook=False)
    for _ in range(3):
        assert (await pinfold.get(address(file))).body == file.content
    metrics = (await pinfold.get("/metrics")).body
    assert b'pinfold_inspection_seconds_count{outcome="complete"} 1.0' in metrics


async def test_a_second_release_of_the_same_wave_is_not_held_against_the_first(pinfold, upstream):
    release(upstream, "1.1", small=True)
    second = release(upstream, "1.2", small=True)
    answer = await pinfold.get(address(second))
    assert answer.status == 403
    assert "unlike widget-1.0-py3-none-any.whl; last good 1.0" in answer.reason


async def yanked(pinfold, version):
    """Return why a page says that a release must not be used, as soon as it says so."""
    for _ in range(500):
        page = await pinfold.get("/simple/widget/", Accept="application/vnd.pypi.simple.v1+json")
        (file,) = (file for file in json.loads(page.body)["files"] if f"-{version}-" in file["filename"])
        if file["yanked"]:
            return file["yanked"]
        await asyncio.sleep(0.02)
    raise AssertionError(f"the page goes on listing {version}")


async def test_a_new_release_of_what_is_in_use_is_inspected_before_anybody_asks_for_it(pinfold, upstream):
    used = release(upstream, "1.1", hook=False)
    assert (await pinfold.get(address(used))).status == 200
    release(upstream, "1.2")
    assert "quarantined by contents: new-start-up-hook" in await yanked(pinfold, "1.2")
    unpinned = await pinfold.get("/simple/widget/", Accept="application/vnd.pypi.simple.v1+json")
    assert unpinned.body.count(b'"yanked":false') == 2


async def test_nothing_of_a_project_that_nobody_uses_is_fetched_ahead(pinfold, upstream):
    file = release(upstream)
    await pinfold.get("/simple/widget/")
    await asyncio.sleep(0.2)
    assert upstream.requests_for(file) == []


async def test_a_package_that_belongs_to_another_project_in_use_is_told(pinfold, upstream):
    theirs = upstream.add_file("requests", "1.0", upload_time=NOW - timedelta(days=90))
    files = {"requests/__init__.py": b"# over theirs\n", "unheard_of/__init__.py": b"", "odd name/__init__.py": b""}
    for project in ("early", "late"):
        file = upstream.add_file(project, "1.0", upload_time=NOW - timedelta(days=5), files=files)
        assert (await pinfold.get(address(file))).status == 200
        (await pinfold.get(address(theirs)))
    warned = await pinfold.installation.audit_log.search(AuditQuery(decision="warn"))
    told = {
        each.entry.project: [verdict["reason"] for verdict in each.entry.verdicts if verdict["effect"] == "warn"]
        for each in warned
    }
    # Nobody had asked for the other project when the early one was inspected.
    assert told == {"late": ["foreign-package: requests installs 'requests', which belongs to requests"]}


async def test_an_archive_that_cannot_be_inspected_is_held_and_not_asked_about_again(pinfold, upstream):
    content = b"this is no zip archive" * 10
    file = upstream.add_file("broken", "1.0", upload_time=NOW - timedelta(days=5), content=content)
    for _ in range(2):
        answer = await pinfold.get(address(file))
        assert answer.status == 403
        assert "quarantined by contents: unreadable-archive" in answer.reason
    assert b'pinfold_inspection_seconds_count{outcome="incomplete"} 1.0' in (await pinfold.get("/metrics")).body


async def test_a_predecessor_that_cannot_be_had_leaves_the_question_open(pinfold, upstream):
    file = release(upstream, small=True)
    before = next(iter(upstream._projects["widget"].files.values()))
    upstream.befall(before, Fault(status=503))
    answer = await pinfold.get(address(file))
    assert answer.status == 403
    assert "widget-1.0-py3-none-any.whl, which it would be compared with, cannot be had" in answer.reason
    upstream.recover()
    assert "new-start-up-hook" in (await pinfold.get(address(file))).reason


async def test_a_hook_that_the_release_before_had_as_well_passes_once_that_one_was_accepted(pinfold, upstream):
    first, second = release(upstream, "1.1", small=True), release(upstream, "1.2", small=True)
    assert (await pinfold.get(address(first))).status == 403
    accepted = Waiver(
        "W-1",
        parse_target("widget==1.1"),
        "contents",
        "ours",
        "alice",
        NOW - timedelta(hours=1),
        NOW + timedelta(days=1),
    )
    await pinfold.installation.records.add_waiver(accepted, Entry(Action.WAIVER_ADD, NOW, Actor("alice")))
    assert (await pinfold.get(address(second))).status == 200


async def test_a_hook_that_a_busy_project_always_had_passes_at_once(pinfold, upstream):
    """Of daily releases that all have it, the oldest that nobody needs to vouch for is found in a few steps."""
    for day in range(1, 70):
        age = timedelta(days=70 - day)
        upstream.add_file("widget", f"2.{day}", upload_time=NOW - age, files=HOOK)
    newest = upstream.add_file("widget", "2.70", upload_time=NOW - timedelta(hours=1), files=HOOK)
    assert (await pinfold.get(address(newest))).status == 200
    changed = {"widget_init.pth": b"import os, sys  # another line than ever before\n"}
    new = upstream.add_file("widget", "2.71", upload_time=NOW - timedelta(minutes=1), files=changed)
    answer = await pinfold.get(address(new))
    assert answer.status == 403
    assert "new-start-up-hook" in answer.reason
    assert "unlike widget-2.70-py3-none-any.whl" in answer.reason
