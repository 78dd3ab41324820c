"""Releases with attestations, and policies that ask for them."""

import json
from datetime import timedelta

import pytest
from tests.e2e.http.provenance.attested import NOW, WIDGET

HALF_A_YEAR = "params = { ignore_after_days = 180 }"
LENIENT, FIRM = (
    f'[[rule]]\nid = "provenance-downgrade"\n{HALF_A_YEAR}\non_unknown = "{effect}"\n'
    for effect in ("warn", "quarantine")
)
ONLY_AGE = '[[rule]]\nid = "minimum-age"\nparams = { days = 3 }\n'


@pytest.fixture
def overrides(overrides, sigstore, tmp_path):
    for name, policy in (("age", ONLY_AGE), ("lenient", LENIENT), ("firm", FIRM)):
        (tmp_path / f"{name}.toml").write_text(policy)
    return overrides | {
        "upstreams.pypi.freshness": "0s",
        "sigstore.trusted_root": str(sigstore.trusted_root_path),
        "indexes.age.policy": str(tmp_path / "age.toml"),
    }


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
