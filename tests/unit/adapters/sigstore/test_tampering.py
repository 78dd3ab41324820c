"""Every way of being wrong that has a name, each refused for its own reason."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.fakes.clock import NOON
from tests.fakes.sigstore import (
    Break,
    GitHubIdentity,
    GitLabIdentity,
    GoogleIdentity,
    Identity,
    LocalSigstore,
    statement,
)

from pinfold.adapters.sigstore.attestation import CLOCK_SKEW
from pinfold.domain.evidence import Known
from pinfold.domain.provenance import Invalid, Verified

BROKEN = {
    Break.CHAIN: "certificate chain: validation failed: candidates exhausted: signature does not match",
    Break.TIMESTAMP: "SCT verify failed: keyring: invalid signature",
    Break.NO_TIMESTAMP: "does not contain a signed certificate timestamp",
    Break.TWO_TIMESTAMPS: "Expected one certificate timestamp, found 2",
    Break.KEY_USAGE: "Key usage is not of type `digital signature`",
    Break.EXTENDED_KEY_USAGE: "Extended usage does not contain `code signing`",
    Break.EXPIRED: "cert is not valid at validation time",
    Break.TOO_EARLY: "cert is not valid at validation time",
    Break.SIGNATURE: "DSSE: invalid signature",
    Break.PROMISE: "SET: invalid inclusion promise: keyring: invalid signature",
    Break.NO_PROMISE: "must contain an inclusion promise",
    Break.CHECKPOINT: "checkpoint: invalid signature",
    Break.CHECKPOINT_OF_ANOTHER_TREE: "Inclusion proof contains invalid root hash signature",
    Break.MERKLE_PATH: "inclusion proof contains invalid root hash",
    Break.MERKLE_ROOT: "inclusion proof contains invalid root hash",
    Break.ENTRY_CHANGED: "inclusion proof contains invalid root hash",
    Break.ENTRY_OF_ANOTHER_PAYLOAD: "log entry payload hash does not match",
    Break.ENTRY_OF_ANOTHER_SIGNATURE: "log entry signatures do not match",
    Break.ENTRY_OF_ANOTHER_CERTIFICATE: "log entry signatures do not match",
    Break.ENTRY_KIND: "Unsupported DSSE log entry type: hashedrekord/0.0.1",
}


def test_every_break_has_its_reason() -> None:
    assert set(BROKEN) == set(Break)


@pytest.mark.parametrize("step", Break, ids=lambda step: step.name.lower())
async def test_a_broken_step_is_refused(step: Break, sigstore: LocalSigstore, judge: Any) -> None:
    result = await judge(sigstore.provenance([sigstore.attest(broken={step})]))
    assert BROKEN[step] in result.value.why
    assert isinstance(result.value, Invalid)


STATEMENTS = {
    "another payload type": (statement(), {"payload_type": "text/plain"}, "DSSE: invalid signature"),
    "not json": (b"published, honestly", {}, "no in-toto statement"),
    "not an object": (b"[]", {}, "no in-toto statement"),
    "deeply nested": (b'{"predicate":' + b"[" * 100_000, {}, "no in-toto statement"),
    "statement type": (statement(_type="https://in-toto.io/Statement/v0.1"), {}, "no in-toto statement v1"),
    "no predicate type": (statement(predicateType=None), {}, "no in-toto statement"),
    "malformed predicate type": (statement(predicateType="https://[/attestations/publish/v1"), {}, "malformed"),
    "other project": (statement("gadget-1.0-py3-none-any.whl"), {}, "is about gadget-1.0-py3-none-any.whl, not about"),
    "other version": (statement("widget-1.1-py3-none-any.whl"), {}, "is about widget-1.1-py3-none-any.whl, not about"),
    "other platform": (statement("widget-1.0-py3-none-win32.whl"), {}, "is about widget-1.0-py3-none-win32.whl"),
    "sdist": (statement("widget-1.0.tar.gz"), {}, "is about widget-1.0.tar.gz, not about"),
    "no distribution": (statement("widget.exe"), {}, "subject is no wheel or sdist"),
    "other bytes": (statement(sha256="0" * 64), {}, "about other bytes"),
    "upper-case digest": (statement(sha256="A" * 64), {}, "about other bytes"),
    "other algorithm only": (
        statement(subject=[{"name": "widget-1.0-py3-none-any.whl", "digest": {"sha512": "0" * 128}}]),
        {},
        "about other bytes",
    ),
    "no subject": (statement(subject=[]), {}, "about 0 subjects"),
    "two subjects": (statement(subject=json.loads(statement())["subject"] * 2), {}, "about 2 subjects"),
    "subject without name": (statement(subject=[{"digest": {"sha256": "0" * 64}}]), {}, "no in-toto statement"),
}


@pytest.mark.parametrize(("payload", "how", "why"), STATEMENTS.values(), ids=STATEMENTS)
async def test_a_statement_that_does_not_say_it_is_refused(
    payload: bytes, how: dict[str, Any], why: str, sigstore: LocalSigstore, judge: Any
) -> None:
    result = await judge(sigstore.provenance([sigstore.attest(payload=payload, **how)]))
    assert isinstance(result.value, Invalid)
    assert why in result.value.why


GITHUB = GitHubIdentity()
ELSEWHERE = "https://github.com/mallory/widget/.github/workflows/publish.yml@refs/tags/v1.0"
IDENTITIES: dict[str, tuple[Identity, dict[str, Any], str]] = {
    "repository": (
        GitHubIdentity(repository="mallory/widget"),
        GITHUB.publisher(),
        "is GitHub mallory/widget (publish.yml)'s, the index claims GitHub example/widget (publish.yml)",
    ),
    "workflow": (
        GitHubIdentity(workflow="test.yml"),
        GITHUB.publisher(),
        "is GitHub example/widget (test.yml)'s, the index claims GitHub example/widget (publish.yml)",
    ),
    "workflow in another case": (
        GitHubIdentity(workflow="Publish.yml"),
        GITHUB.publisher(),
        "is GitHub example/widget (Publish.yml)'s",
    ),
    "reusable workflow of the claimed repository": (
        GitHubIdentity(
            repository="mallory/gadget",
            reusable_workflow="example/widget/.github/workflows/publish.yml@refs/tags/v1.0",
        ),
        GITHUB.publisher(),
        "is GitHub mallory/gadget (publish.yml)'s",
    ),
    "issuer": (
        GitHubIdentity(issuer="https://token.actions.example"),
        GITHUB.publisher(),
        "an identity of https://token.actions.example, not of GitHub",
    ),
    "issuer with a slash": (
        GitHubIdentity(issuer="https://token.actions.githubusercontent.com/"),
        GITHUB.publisher(),
        "not of GitHub",
    ),
    "issuer in the deprecated extension only": (
        GitHubIdentity(overrides={8: None}),
        GITHUB.publisher(),
        "names no issuer",
    ),
    "kind": (GitHubIdentity(), GitLabIdentity(repository="example/widget").publisher(), "not of GitLab"),
    "gitlab's word for github": (
        GitLabIdentity(overrides=GITHUB.extensions() | {1: None, 8: "https://gitlab.com"}),
        GITHUB.publisher(),
        "an identity of https://gitlab.com, not of GitHub",
    ),
    "github's word for gitlab": (
        GitLabIdentity(issuer=GITHUB.issuer),
        GitLabIdentity().publisher(),
        "not of GitLab",
    ),
    "repository on another site": (
        GitHubIdentity(overrides={12: "https://github.com.example/example/widget"}),
        GITHUB.publisher(),
        "is not on GitHub",
    ),
    "no repository": (GitHubIdentity(overrides={12: None}), GITHUB.publisher(), "names no source repository"),
    "no build configuration": (
        GitHubIdentity(overrides={18: None}),
        GITHUB.publisher(),
        "names no build configuration",
    ),
    "build configuration of another repository": (
        GitHubIdentity(overrides={18: ELSEWHERE}),
        GITHUB.publisher(),
        "no workflow of its repository",
    ),
    "build configuration at another revision": (
        GitHubIdentity(overrides={14: "refs/heads/main"}),
        GITHUB.publisher(),
        "no workflow of its repository",
    ),
    "build configuration without a revision": (
        GitHubIdentity(overrides={13: None, 14: None}),
        GITHUB.publisher(),
        "no workflow of its repository",
    ),
    "environment": (
        GitHubIdentity(certified_environment="staging"),
        GITHUB.publisher() | {"environment": "production"},
        "names the environment 'staging', the index claims 'production'",
    ),
    "gitlab repository": (
        GitLabIdentity(repository="mallory/widget"),
        GitLabIdentity().publisher(),
        "is GitLab mallory/widget (.gitlab-ci.yml)'s",
    ),
    "gitlab configuration": (
        GitLabIdentity(workflow="ci/other.yml"),
        GitLabIdentity().publisher(),
        "is GitLab example/group/widget (ci/other.yml)'s",
    ),
    "google account": (
        GoogleIdentity(email="mallory@example.iam.gserviceaccount.com"),
        GoogleIdentity().publisher(),
        "is Google mallory@example.iam.gserviceaccount.com's",
    ),
    "two google accounts": (
        GoogleIdentity(others=("mallory@example.iam.gserviceaccount.com",)),
        GoogleIdentity().publisher(),
        "does not name exactly one email address",
    ),
    "empty issuer": (GitHubIdentity(overrides={8: ""}), GITHUB.publisher(), "names no issuer"),
    "environment of a job that had none": (
        GitHubIdentity(certified_environment=""),
        GITHUB.publisher() | {"environment": "production"},
        "names the environment '', the index claims 'production'",
    ),
    "google issuer": (GoogleIdentity(issuer="https://github.com/login/oauth"), GoogleIdentity().publisher(), "Google"),
}


@pytest.mark.parametrize(("identity", "claim", "why"), IDENTITIES.values(), ids=IDENTITIES)
async def test_the_certificate_decides_whatever_the_index_claims(
    identity: Identity, claim: dict[str, Any], why: str, sigstore: LocalSigstore, judge: Any
) -> None:
    result = await judge(sigstore.provenance([sigstore.attest(identity=identity)], claim))
    assert isinstance(result.value, Invalid)
    assert why in result.value.why


async def test_an_entry_from_the_future_is_refused(sigstore: LocalSigstore, judge: Any) -> None:
    result = await judge(sigstore.provenance([sigstore.attest(at=NOON + CLOCK_SKEW + timedelta(seconds=1))]))
    assert result == Known(Invalid("logged in the future, at 2026-03-24T12:05:01+00:00"))
    result = await judge(sigstore.provenance([sigstore.attest(at=NOON + CLOCK_SKEW)]))
    assert isinstance(result.value, Verified)


async def test_provenance_does_not_move_between_files(sigstore: LocalSigstore, judge: Any) -> None:
    other = sigstore.provenance([sigstore.attest("gadget-1.0-py3-none-any.whl", "0" * 64)])
    assert await judge(other) == Known(Invalid("the statement is about other bytes than the file's"))
    renamed = sigstore.provenance([sigstore.attest("gadget-1.0-py3-none-any.whl")])
    assert "is about gadget" in (await judge(renamed)).value.why


def _material(name: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def swap(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
        ours["verification_material"][name] = theirs["verification_material"][name]

    return swap


def _envelope(name: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def swap(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
        ours["envelope"][name] = theirs["envelope"][name]

    return swap


def _promise(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    entry, other = (each["verification_material"]["transparency_entries"][0] for each in (ours, theirs))
    entry["inclusionPromise"] = other["inclusionPromise"]


def _time(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    entry = ours["verification_material"]["transparency_entries"][0]
    entry["integratedTime"] = str(int(entry["integratedTime"]) + 1)


def _huge_time(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    ours["verification_material"]["transparency_entries"][0]["integratedTime"] = str(2**64 - 1)


def _no_time(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    del ours["verification_material"]["transparency_entries"][0]["integratedTime"]


def _two_entries(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    ours["verification_material"]["transparency_entries"] *= 2


SWAPS = {
    "certificate": (_material("certificate"), "DSSE: invalid signature"),
    "entry": (_material("transparency_entries"), "log entry payload hash does not match bundle"),
    "signature": (_envelope("signature"), "DSSE: invalid signature"),
    "statement": (_envelope("statement"), "DSSE: invalid signature"),
    "promise": (_promise, "SET: invalid inclusion promise"),
    "time": (_time, "SET: invalid inclusion promise"),
    "time beyond all calendars": (_huge_time, "malformed"),
    "no time": (_no_time, "malformed"),
    "two entries": (_two_entries, "transparency log entries in place of one"),
}


@pytest.mark.parametrize(("swap", "why"), SWAPS.values(), ids=SWAPS)
async def test_parts_of_other_attestations_do_not_fit(
    swap: Callable[[dict[str, Any], dict[str, Any]], None], why: str, sigstore: LocalSigstore, judge: Any
) -> None:
    ours = sigstore.attest()
    swap(ours, sigstore.attest("gadget-1.0-py3-none-any.whl", "0" * 64))
    result = await judge(sigstore.provenance([ours]))
    assert isinstance(result.value, Invalid)
    assert why in result.value.why


def _at(path: list[str | int], value: Any) -> Callable[[dict[str, Any]], Any]:
    def change(document: dict[str, Any]) -> Any:
        at: Any = document
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
        return document

    return change


ATTESTATION: list[str | int] = ["attestation_bundles", 0, "attestations", 0]
MATERIAL = [*ATTESTATION, "verification_material"]
ENTRY = [*MATERIAL, "transparency_entries", 0]
SHAPES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "null": (lambda document: None, "not as PEP 740 has it"),
    "list": (lambda document: [document], "not as PEP 740 has it"),
    "no json": (lambda document: b"<html>Sign in</html>", "not as PEP 740 has it"),
    "empty": (lambda document: b"", "not as PEP 740 has it"),
    "not utf-8": (lambda document: b'{"version": 1, "attestation_bundles": "\xff"}', "not as PEP 740 has it"),
    "nested without end": (lambda document: b'{"version":1,"x":' + b"[" * 200_000, "not as PEP 740 has it"),
    "two documents": (lambda document: json.dumps(document).encode() * 2, "not as PEP 740 has it"),
    "no version": (lambda document: {"attestation_bundles": []}, "not as PEP 740 has it"),
    "version as text": (_at(["version"], "1"), "not as PEP 740 has it"),
    "version as truth": (_at(["version"], True), "not as PEP 740 has it"),
    "bundles as object": (_at(["attestation_bundles"], {}), "not as PEP 740 has it"),
    "publisher as null": (_at(["attestation_bundles", 0, "publisher"], None), "not as PEP 740 has it"),
    "publisher without kind": (_at(["attestation_bundles", 0, "publisher"], {}), "not as PEP 740 has it"),
    "publisher without repository": (
        _at(["attestation_bundles", 0, "publisher"], {"kind": "GitHub", "workflow": "publish.yml"}),
        "not as PEP 740 has it",
    ),
    "attestations as object": (_at(["attestation_bundles", 0, "attestations"], {}), "not as PEP 740 has it"),
    "attestation as null": (_at(ATTESTATION, None), "not as PEP 740 has it"),
    "attestation version as text": (_at([*ATTESTATION, "version"], "1"), "not as PEP 740 has it"),
    "certificate as number": (_at([*MATERIAL, "certificate"], 7), "not as PEP 740 has it"),
    "certificate not in base64": (_at([*MATERIAL, "certificate"], "!"), "malformed"),
    "certificate not in ascii": (_at([*MATERIAL, "certificate"], "\N{SNOWMAN}"), "failed to load bundle"),
    "certificate of zero length": (_at([*MATERIAL, "certificate"], ""), "malformed"),
    "certificate of garbage": (_at([*MATERIAL, "certificate"], base64.b64encode(b"x" * 99).decode()), "malformed"),
    "no entry": (_at([*MATERIAL, "transparency_entries"], []), "transparency log entries in place of one"),
    "entry as null": (_at(ENTRY, None), "failed to load bundle"),
    "entry as text": (_at(ENTRY, "x"), "failed to load bundle"),
    "entry nested without end": (_at(ENTRY, json.loads("[" * 300 + "]" * 300)), "failed to load bundle"),
    "time as number": (_at([*ENTRY, "integratedTime"], 1), "failed to load bundle"),
    "negative time": (_at([*ENTRY, "integratedTime"], "-1"), "failed to load bundle"),
    "time of thousands of digits": (_at([*ENTRY, "integratedTime"], "9" * 5000), "failed to load bundle"),
    "body not in base64": (_at([*ENTRY, "canonicalizedBody"], "a"), "failed to load bundle"),
    "body not in json": (_at([*ENTRY, "canonicalizedBody"], "eA=="), "invalid log entry"),
    "checkpoint of garbage": (_at([*ENTRY, "inclusionProof", "checkpoint", "envelope"], "x"), "one blank line"),
    "checkpoint not in base64": (
        _at([*ENTRY, "inclusionProof", "checkpoint", "envelope"], "a\n1\nAA==\n\n\N{EM DASH} a a\n"),
        "malformed: Error",
    ),
    "no checkpoint": (_at([*ENTRY, "inclusionProof", "checkpoint"], None), "with checkpoint"),
    "index outside of the tree": (_at([*ENTRY, "inclusionProof", "logIndex"], "99999999"), "failed to load bundle"),
    "statement as object": (_at([*ATTESTATION, "envelope", "statement"], {}), "not as PEP 740 has it"),
    "empty signature": (_at([*ATTESTATION, "envelope", "signature"], ""), "signature must be non-empty"),
}


@pytest.mark.parametrize(("change", "why"), SHAPES.values(), ids=SHAPES)
async def test_another_shape_is_refused(
    change: Callable[[dict[str, Any]], Any], why: str, sigstore: LocalSigstore, judge: Any
) -> None:
    result = await judge(change(sigstore.provenance([sigstore.attest()])))
    assert isinstance(result.value, Invalid)
    assert why in result.value.why
