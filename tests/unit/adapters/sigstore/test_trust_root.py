"""Which trust root is used, and what is told of it."""

import hashlib
import importlib.util
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.sigstore import LocalSigstore

from pinfold.adapters.sigstore.attestation import AttestationVerifier
from pinfold.adapters.sigstore.trust_root import read_trust_root
from pinfold.adapters.sigstore.verifier import SigstoreVerifier
from pinfold.domain.errors import TrustRootError


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


async def test_the_packaged_root_is_read_from_the_package_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    verifier = SigstoreVerifier(None, FakeClock())
    root = await verifier.load()
    verifier.close()
    assert is_empty(tmp_path)
    spec = importlib.util.find_spec("sigstore")
    assert spec is not None
    assert spec.origin is not None
    assert root.path.is_relative_to(Path(spec.origin).parent)
    assert root == read_trust_root(None)


def test_a_root_is_known_by_its_hash_and_age(tmp_path: Path) -> None:
    path = tmp_path / "root.json"
    path.write_bytes(b"{}")
    os.utime(path, times=(NOON.timestamp(), NOON.timestamp()))
    root = read_trust_root(path)
    assert root.sha256 == hashlib.sha256(b"{}").hexdigest()
    assert root.modified_at == datetime(2026, 3, 24, 12, tzinfo=UTC)
    assert root.age(NOON + timedelta(days=40)) == timedelta(days=40)


def test_a_root_that_cannot_be_read_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(TrustRootError, match=r"missing\.json cannot be read: No such file"):
        read_trust_root(tmp_path / "missing.json")
    with pytest.raises(TrustRootError, match="cannot be read: Is a directory"):
        read_trust_root(tmp_path)


def test_a_root_that_changes_after_it_was_identified_is_not_used(sigstore: LocalSigstore) -> None:
    identified = replace(read_trust_root(sigstore.trusted_root_path), sha256="0" * 64)
    with pytest.raises(TrustRootError, match="changed while it was read"):
        AttestationVerifier(identified)


def test_without_sigstore_there_is_no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TrustRootError, match="not installed"):
        read_trust_root(None)
