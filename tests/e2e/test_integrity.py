"""Provenance over HTTP: PyPI's answers, absolute addresses, and pages that learn what was verified behind them."""

import asyncio
import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from pypi_simple import ProjectPage
from pypi_simple.pep691 import Project
from tests.e2e.in_process import in_process
from tests.fakes.sigstore import Break, GitHubIdentity, LocalSigstore
from tests.fakes.upstream import FakeUpstream, Fault, Manners

from pinfold.usecases import provenances

JSON = "application/vnd.pypi.simple.v1+json"
INTEGRITY = "application/vnd.pypi.integrity.v1+json"
NOW = datetime.now(UTC)
WIDGET = GitHubIdentity()
THIEF = GitHubIdentity("thief/widget", repository_id="9", owner_id="9")
HALF_A_YEAR = "params = { ignore_after_days = 180 }"
LENIENT, FIRM = (
    f'[[rule]]\nid = "provenance-downgrade"\n{HALF_A_YEAR}\non_unknown = "{effect}"\n'
    for effect in ("warn", "quarantine")
)
ONLY_AGE = '[[rule]]\nid = "minimum-age"\nparams = { days = 3 }\n'


@pytest.fixture(scope="module")
def sigstore(tmp_path_factory):
    return LocalSigstore(tmp_path_factory.mktemp("sigstore"))


@pytest.fixture
async def upstream():
    async with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
def overrides(upstream, sigstore, tmp_path):
    for name, policy in (("age", ONLY_AGE), ("lenient", LENIENT), ("firm", FIRM)):
        (tmp_path / f"{name}.toml").write_text(policy)
    return {
        "upstreams.pypi.url": upstream.url,
        "upstreams.pypi.freshness": "0s",
        "sigstore.trusted_root": str(sigstore.trusted_root_path),
        "indexes.age.policy": str(tmp_path / "age.toml"),
    }


@pytest.fixture
async def pinfold(overrides, tmp_path):
    async with in_process(tmp_path / "data", overrides) as pinfold:
        yield pinfold


@pytest.fixture
def release(upstream, sigstore):
    def release(version, by=WIDGET, *, days=5.0, project="widget", broken=()):
        uploaded = NOW - timedelta(days=days)
        file = upstream.add_file(project, version, upload_time=uploaded)
        if by is not None:
            at = uploaded - timedelta(minutes=1)
            attestation = sigstore.attest(file.filename, file.sha256, by, at=at, broken=broken)
            file.provenance = json.dumps(sigstore.provenance([attestation], by.publisher())).encode()
        return file

    return release


def address(file):
    return f"/files/{file.project}/{file.sha256}/{file.filename}"


def integrity(file):
    return f"/integrity/{file.project}/{file.version}/{file.filename}/provenance"


async def entries(pinfold, index="", **headers):
    answer = await pinfold.get(f"{index}/simple/widget/", Accept=JSON, Accept_Encoding="identity", **headers)
    assert answer.status == 200, answer
    return {entry["filename"]: entry for entry in json.loads(answer.body)["files"]}


def page_request(host):
    lines = ["GET /simple/widget/ HTTP/1.1", f"Host: {host}", f"Accept: {JSON}", "Accept-Encoding: identity"]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


async def eventually(check):
    """Return once a check holds, which it must within seconds."""
    async with asyncio.timeout(10):
        while not await check():
            await asyncio.sleep(0.02)


async def test_provenance_is_served_as_its_upstream_made_it_under_every_index(pinfold, release):
    file = release("1.0")
    for prefix in ("", "/main", "/age"):
        answer = await pinfold.get(prefix + integrity(file))
        assert (answer.status, answer.body) == (200, file.provenance)
        assert answer.headers["Content-Type"] == INTEGRITY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = await pinfold.get(integrity(file), If_None_Match=answer.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    head = await pinfold.get(integrity(file), "HEAD")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", INTEGRITY),
        ("application/*", INTEGRITY),
        (f"application/json;q=0.5, {INTEGRITY}", INTEGRITY),
        ("application/json", "application/json"),
        (f"application/json, {INTEGRITY};q=0.1", "application/json"),
    ],
)
async def test_clients_choose_what_it_is_called(accept, content_type, pinfold, release):
    answer = await pinfold.get(integrity(release("1.0")), Accept=accept)
    assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)


async def test_what_is_not_there_is_said_in_pypis_words(pinfold, release):
    bare = release("1.0", None)
    answer = await pinfold.get(integrity(bare))
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json")
    assert json.loads(answer.body) == {"message": f"No provenance available for {bare.filename}"}
    html = await pinfold.get(integrity(release("1.1")), Accept="text/html")
    assert (html.status, json.loads(html.body)) == (406, {"message": "Request not acceptable"})
    for path in (
        "/integrity/widget/9.9/widget-9.9-py3-none-any.whl/provenance",
        integrity(bare).replace("1.0", "1.1", 1),
    ):
        assert (await pinfold.get(path)).status == 404


async def test_the_same_release_in_other_words_is_the_same(pinfold, release):
    file = release("1.0")
    for path in (
        integrity(file).replace("/widget/", "/Widget/"),
        integrity(file).replace("/1.0/", "/1.0.0/").replace("1.0.0", "v1.0"),
    ):
        assert (await pinfold.get(path)).status == 200, path


async def test_pages_name_provenance_by_absolute_addresses_that_clients_take(pinfold, release):
    attested, bare = release("1.0"), release("2.0", None)
    answer = await pinfold.get("/simple/widget/", Accept=JSON, Accept_Encoding="identity")
    page = ProjectPage.from_json_data(json.loads(answer.body), "http://packages.example/simple/widget/")
    assert [package.provenance_url for package in page.packages] == [
        f"http://packages.example{integrity(attested)}",
        None,
    ]
    assert Project.model_validate_json(answer.body).files[1].provenance is None
    html = await pinfold.get("/age/simple/widget/", Accept="text/html", Accept_Encoding="identity")
    assert re.findall(rb'data-provenance="([^"]*)"', html.body) == [
        f"http://packages.example/age{integrity(attested)}".encode()
    ]
    assert (await entries(pinfold))[bare.filename]["provenance"] is None


async def test_an_address_belongs_to_the_host_that_was_asked(pinfold, release):
    release("1.0")
    urls = set()
    for host in ("a.example", "b.example:8080", "a.example"):
        answer = await pinfold.send(page_request(host))
        (entry,) = json.loads(answer.body)["files"]
        assert entry["provenance"].startswith(f"http://{host}/integrity/")
        urls.add(entry["provenance"])
    assert len(urls) == 2


@pytest.mark.parametrize(
    "host", ['a"><script>', "a b", "user@evil.example", "evil.example/path", "a%0d", "", "x" * 300, "é"]
)
async def test_a_host_that_is_none_gets_no_address(host, pinfold, release):
    release("1.0")
    answer = await pinfold.send(page_request(host))
    assert answer.status in {200, 400}
    if answer.status == 200:
        (entry,) = json.loads(answer.body)["files"]
        assert "provenance" not in entry or re.fullmatch(r"http://[A-Za-z0-9.:-]+/integrity/.*", entry["provenance"])


async def test_the_configured_address_counts_whatever_the_client_says(overrides, release, tmp_path):
    file = release("1.0")
    overrides |= {"server.base_url": "https://pypi.acme.example/mirror/"}
    overrides |= {"indexes.main.anonymous": True, "indexes.age.anonymous": True}
    async with in_process(tmp_path / "data", overrides) as pinfold:
        found = await entries(pinfold)
        assert found[file.filename]["provenance"] == f"https://pypi.acme.example/mirror{integrity(file)}"
        found = await entries(pinfold, "/age")
        assert found[file.filename]["provenance"] == f"https://pypi.acme.example/mirror/age{integrity(file)}"


async def test_a_refused_file_has_no_provenance_here(pinfold, release):
    file = release("1.0", days=0.1)
    for prefix in ("", "/age"):
        answer = await pinfold.get(prefix + integrity(file))
        assert answer.status == 403
        assert "minimum-age" in answer.reason
        assert "provenance" not in (await entries(pinfold, prefix))[file.filename]


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
