"""Files and pages by their provenance: what was not published as it says reaches nobody, and nobody waits for it."""

import asyncio
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.http.addresses import address, integrity
from tests.e2e.http.provenance.attested import NOW, WIDGET, entries
from tests.e2e.in_process import in_process
from tests.fakes.sigstore import Break, GitHubIdentity
from tests.fakes.upstream import FakeUpstream, Fault, Manners

from pinfold.usecases import provenances

THIEF = GitHubIdentity("thief/widget", repository_id="9", owner_id="9")


async def eventually(check):
    """Return once a check holds, which it must within seconds."""
    async with asyncio.timeout(10):
        while not await check():
            await asyncio.sleep(0.02)


async def test_a_page_does_not_wait_and_learns_what_was_verified_behind_it(pinfold, release, upstream):
    release("1.0", days=40)
    forged = release("1.1", broken={Break.SIGNATURE})
    upstream.befall(forged.provenance_path, Fault(delay=0.5))
    begun = time.monotonic()
    first = await entries(pinfold)
    assert time.monotonic() - begun < 0.4
    assert first[forged.filename]["yanked"] is False

    async def refused():
        return "quarantined by provenance-downgrade" in str((await entries(pinfold))[forged.filename]["yanked"])

    await eventually(refused)
    assert len(upstream.requests_for(forged.provenance_path)) == 1


async def test_a_page_learns_also_what_could_not_be_had_at_first(pinfold, release, upstream, monkeypatch):
    monkeypatch.setattr(provenances, "LEFT_ALONE_SECONDS", 0.1)
    release("1.0", days=40)
    forged = release("1.1", broken={Break.SIGNATURE})
    upstream.befall(forged.provenance_path, Fault(status=404))
    await entries(pinfold)

    async def asked():
        return len(upstream.requests_for(forged.provenance_path)) > 0

    await eventually(asked)
    upstream.recover()

    async def refused():
        return "quarantined by provenance-downgrade" in str((await entries(pinfold))[forged.filename]["yanked"])

    await eventually(refused)


OTHERS = {
    "another file's": lambda sigstore, file, at: sigstore.provenance([sigstore.attest("other-1.0.tar.gz", at=at)]),
    "of other bytes": lambda sigstore, file, at: sigstore.provenance([sigstore.attest(file.filename, at=at)]),
    "from the future": lambda sigstore, file, at: sigstore.provenance(
        [sigstore.attest(file.filename, file.sha256, at=datetime.now(UTC) + timedelta(days=1))]
    ),
    "of another publisher than claimed": lambda sigstore, file, at: sigstore.provenance(
        [sigstore.attest(file.filename, file.sha256, THIEF, at=at)], WIDGET.publisher()
    ),
    "of another workflow than claimed": lambda sigstore, file, at: sigstore.provenance(
        [sigstore.attest(file.filename, file.sha256, WIDGET, at=at)], {**WIDGET.publisher(), "workflow": "other.yml"}
    ),
    "without a publication": lambda sigstore, file, at: sigstore.provenance([]),
    "of wrong types": lambda sigstore, file, at: {"version": 1, "attestation_bundles": {"publisher": []}},
    "a list": lambda sigstore, file, at: [1, 2, 3],
    "of another version": lambda sigstore, file, at: {"version": 2, "attestation_bundles": []},
    "larger than anything honest": lambda sigstore, file, at: {"version": 1, "pad": "x" * (4 << 20)},
}


async def test_nothing_that_was_tampered_with_reaches_a_client(overrides, release, upstream, sigstore, tmp_path):
    """Every step of an attestation broken by itself, and documents that are another's, each for a file of its own."""
    files = {}
    for step in Break:
        release("1.0", days=400, project=(project := f"broken-{step.name.lower().replace('_', '-')}"))
        files[step.name] = release("1.1", days=20, project=project, broken={step})
    for number, (name, document) in enumerate(OTHERS.items()):
        release("1.0", days=400, project=f"other-{number}")
        files[name] = file = release("1.1", days=20, project=f"other-{number}")
        made = document(sigstore, file, datetime.now(UTC) - timedelta(days=20))
        file.provenance = json.dumps(made).encode()
    assert len(files) >= 30
    firm = {**overrides, "indexes.main.policy": str(tmp_path / "firm.toml")}
    async with in_process(tmp_path / "data", firm) as pinfold:
        for name, file in files.items():
            for path in (address(file), f"{address(file)}.metadata", integrity(file)):
                answer = await pinfold.get(path)
                assert answer.status == 403, f"{name}: {path}: {answer}"
            assert upstream.requests_for(file) == [], name
        good = await pinfold.get(address(release("1.0", days=20)))
        assert good.status == 200


async def test_every_spelling_of_a_forged_file_is_refused_also_while_the_page_still_lists_it(
    pinfold, release, upstream
):
    forged = release("1.1", broken={Break.SIGNATURE})
    for path in (
        address(forged),
        address(forged) + ".metadata",
        forged.path,
        integrity(forged),
        "/main" + address(forged),
    ):
        for method in ("GET", "HEAD"):
            answer = await pinfold.get(path, method)
            assert answer.status == 403, path
            assert "its provenance is not valid" in answer.reason
    assert upstream.requests_for(forged) == []


async def test_a_file_is_decided_by_what_is_verified_before_it_is_fetched(pinfold, release, upstream):
    old, new = release("1.0", days=40), release("1.1", THIEF)
    answer = await pinfold.get(address(new))
    assert answer.status == 403
    assert (
        "published by GitHub thief/widget (publish.yml), but 1.0 by GitHub example/widget (publish.yml)"
        in answer.reason
    )
    assert upstream.requests_for(new) == []
    assert len(upstream.requests_for(old.provenance_path)) == 1


async def test_many_requests_for_one_file_verify_it_once(pinfold, release, upstream):
    file = release("1.0")
    upstream.befall(file.provenance_path, Fault(delay=0.1))
    answers = await asyncio.gather(*(pinfold.get(address(file)) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert len(upstream.requests_for(file.provenance_path)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=404),
        Fault(reset=True),
        Fault(content=b"x" * 300_000),
        Fault(redirect_to="http://169.254.169.254/"),
    ],
    ids=["error", "missing", "reset", "too large", "redirected inside"],
)
@pytest.mark.parametrize("policy", ["lenient", "firm"])
async def test_provenance_that_cannot_be_had_is_unknown_and_no_error(
    fault, policy, overrides, release, upstream, tmp_path
):
    release("1.0", days=400)
    file = release("1.1", days=20)
    upstream.befall(file.provenance_path, fault)
    async with in_process(
        tmp_path / "data", {**overrides, "indexes.main.policy": str(tmp_path / f"{policy}.toml")}
    ) as pinfold:
        answer = await pinfold.get(address(file))
    assert answer.status == (200 if policy == "lenient" else 403), answer
    for leak in (b"169.254", b"127.0.0.1", b"larger than", b"Traceback"):
        assert leak not in answer.raw
    assert policy == "lenient" or "last good 1.0" in answer.reason


async def test_an_index_whose_policy_asks_for_no_provenance_pays_nothing(pinfold, release, upstream):
    file = release("1.0", broken={Break.SIGNATURE})
    await entries(pinfold, "/age")
    assert (await pinfold.get(f"/age{address(file)}")).status == 200
    await asyncio.sleep(0.1)
    assert upstream.requests_for(file.provenance_path) == []


async def test_old_files_and_those_that_never_had_any_pay_nothing_either(pinfold, release, upstream):
    old, bare = release("1.0", days=40), release("1.0", None, project="other")
    for file in (old, bare):
        assert (await pinfold.get(address(file))).status == 200
    await asyncio.sleep(0.1)
    assert [request.path for request in upstream.requests if "integrity" in request.path] == []


async def test_an_index_that_is_silent_lets_everyday_work_pass(sigstore, overrides, tmp_path):
    async with FakeUpstream(Manners(provenance=False)) as silent:
        file = silent.add_file("widget", "1.0", upload_time=NOW - timedelta(days=5))
        async with in_process(tmp_path / "data", {**overrides, "upstreams.pypi.url": silent.url}) as pinfold:
            assert (await pinfold.get(address(file))).status == 200
            assert "provenance" not in (await entries(pinfold))[file.filename]


async def test_an_index_that_falls_silent_about_an_attested_line_is_noticed(overrides, release, upstream, tmp_path):
    release("1.0", days=20)
    lost = release("1.1", days=19)
    async with in_process(
        tmp_path / "data", {**overrides, "indexes.main.policy": str(tmp_path / "firm.toml")}
    ) as pinfold:
        assert (await pinfold.get(address(lost))).status == 200
        lost.provenance = None
        late = release("1.2", None, days=18)
        assert (await pinfold.get(address(lost))).status == 200, "what was proven once stays proven"
        answer = await pinfold.get(address(late))
        assert answer.status == 403
        assert "not attested, unlike its release line since 1.0" in answer.reason


async def test_evidence_and_metrics_tell_the_trust_root(pinfold, release, sigstore):
    file = release("1.0")
    await pinfold.installation.warm_up()
    found = await pinfold.installation.gate.judge_file(
        pinfold.installation.indexes["main"], "widget", file.filename, file.sha256
    )
    root = await pinfold.installation.verifier.load()
    assert root.path == sigstore.trusted_root_path
    assert found[1].evidence.trust_root.sha256 == root.sha256
    metrics = (await pinfold.get("/metrics")).body.decode()
    assert f'pinfold_trust_root_info{{sha256="{root.sha256}"}} 1.0' in metrics
    assert "pinfold_trust_root_age_seconds" in metrics
    assert 'pinfold_provenance_verifications_total{outcome="verified"} 1.0' in metrics


async def test_the_loop_goes_on_while_files_are_verified(pinfold, release):
    files = [release(f"1.{n}", project=f"widget{n % 10}") for n in range(60)]
    await pinfold.installation.warm_up()
    lags, done = [], asyncio.Event()

    async def watch():
        while not done.is_set():
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            lags.append(time.perf_counter() - begun - 0.001)

    watching = asyncio.create_task(watch())
    verified, gate = pinfold.installation.provenances, pinfold.installation.gate
    for project in {file.project for file in files}:
        judged = await gate.judge_project(pinfold.installation.indexes["main"], project)
        upstream = judged.found.source.upstream
        await verified.establish(upstream, project, [each.file for each in judged.files])
    done.set()
    await watching
    assert len(lags) > 50
    assert sorted(lags)[int(len(lags) * 0.99)] < 0.1, "far beyond what it is on an idle machine, to hold on a busy one"


def test_sigstore_is_not_imported_before_it_is_needed():
    code = "import sys, pinfold.bootstrap, pinfold.cli; print([n for n in sys.modules if n.startswith('sigstore')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
