"""Trust roots from a TUF repository: taken over when they are right, and never in place of one that serves."""

import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.sigstore import WHEEL, WHEEL_SHA256, LocalSigstore, tuf

from pinfold.adapters.sigstore import tuf_repository as under_test
from pinfold.adapters.sigstore.tuf_repository import TufRepository
from pinfold.adapters.sigstore.verifier import SigstoreVerifier
from pinfold.domain.errors import TrustRootError
from pinfold.domain.evidence import Known, Unknown
from pinfold.domain.provenance import Invalid, Verified

HOUR = timedelta(hours=1)


@dataclass
class Site:
    """A repository that hands out the root of a local sigstore, and what is kept of it here."""

    remote: tuf.TufRepository
    sigstore: LocalSigstore
    clock: FakeClock
    local: TufRepository
    url: str

    @property
    def root(self) -> bytes:
        return self.sigstore.trusted_root_path.read_bytes()


@pytest.fixture
def site(sigstore: LocalSigstore, tmp_path: Path) -> Iterator[Site]:
    remote = tuf.TufRepository(tmp_path / "remote")
    remote.publish(sigstore.trusted_root_path.read_bytes())
    clock = FakeClock()
    with tuf.served(remote.folder) as url:
        local = TufRepository(f"{url}/", remote.root_path, tmp_path / "trust", clock)
        yield Site(remote, sigstore, clock, local, url)


def another_root(folder: Path) -> bytes:
    folder.mkdir()
    return LocalSigstore(folder).trusted_root_path.read_bytes()


async def test_the_root_is_put_in_its_place_for_this_user_alone(site: Site) -> None:
    assert (await site.local.state()).checked_at is None
    await site.local.refresh()
    assert site.local.place.read_bytes() == site.root
    assert await site.local.state() == under_test.Refreshment(NOON)
    folder = site.local.place.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(site.local.place.stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == [
        "metadata",
        "refreshed.json",
        "targets",
        under_test.TARGET,
    ]


async def test_what_did_not_change_is_confirmed_and_left_alone(site: Site) -> None:
    await site.local.refresh()
    before = site.local.place.stat()
    site.clock.advance(HOUR)
    await site.local.refresh()
    assert (site.local.place.stat().st_ino, site.local.place.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert (await site.local.state()).checked_at == NOON + HOUR


@pytest.mark.parametrize("rotated", [False, True], ids=["same key", "another key"])
async def test_a_newer_root_is_taken_over(site: Site, tmp_path: Path, rotated: bool) -> None:
    await site.local.refresh()
    if rotated:
        site.remote.rotate()
    newer = another_root(tmp_path / "newer")
    site.remote.publish(newer)
    await site.local.refresh()
    assert site.local.place.read_bytes() == newer


def signed_by_others(remote: tuf.TufRepository, newer: bytes) -> None:
    remote.publish(newer, key=CryptoSigner.generate_ed25519())


def expired(remote: tuf.TufRepository, newer: bytes) -> None:
    remote.publish(newer, lasts=-HOUR)


def rolled_back(remote: tuf.TufRepository, newer: bytes) -> None:
    remote.publish(newer, version=1)


def other_bytes(remote: tuf.TufRepository, newer: bytes) -> None:
    remote.publish(newer)
    for path in (remote.folder / "targets").iterdir():
        path.write_bytes(path.read_bytes().replace(b"rekor", b"rek0r"))


def not_handed_out(remote: tuf.TufRepository, newer: bytes) -> None:
    remote.publish(newer, target="signing_config.json")


def no_trust_root(remote: tuf.TufRepository, newer: bytes) -> None:
    remote.publish(b'{"mediaType": "text/plain"}')


def no_json(remote: tuf.TufRepository, newer: bytes) -> None:
    remote.publish(b"\0" * 100)


def too_large(remote: tuf.TufRepository, newer: bytes) -> None:
    remote.publish(newer + b" " * under_test.MAX_SIZE)


def garbage(remote: tuf.TufRepository, newer: bytes) -> None:
    remote.publish(newer)
    (remote.folder / "timestamp.json").write_bytes(b"<html>Sign in to the network</html>")


def gone(remote: tuf.TufRepository, newer: bytes) -> None:
    (remote.folder / "timestamp.json").unlink()


def half(remote: tuf.TufRepository, newer: bytes) -> None:
    remote.publish(newer)
    for path in (remote.folder / "targets").iterdir():
        path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    "wrong",
    [
        signed_by_others,
        expired,
        rolled_back,
        other_bytes,
        not_handed_out,
        no_trust_root,
        no_json,
        too_large,
        garbage,
        gone,
        half,
    ],
    ids=lambda wrong: wrong.__name__,
)
async def test_what_is_wrong_leaves_the_last_good_root_in_force(
    site: Site, tmp_path: Path, wrong: Callable[[tuf.TufRepository, bytes], None]
) -> None:
    site.remote.publish(site.root)
    await site.local.refresh()
    wrong(site.remote, another_root(tmp_path / "newer"))
    site.clock.advance(HOUR)
    with pytest.raises(TrustRootError):
        await site.local.refresh()
    assert site.local.place.read_bytes() == site.root
    state = await site.local.state()
    assert (state.checked_at, state.failed_at) == (NOON, NOON + HOUR)
    assert site.url in state.failure or under_test.TARGET in state.failure


async def test_what_failed_once_is_made_good_by_the_next_refresh(site: Site, tmp_path: Path) -> None:
    await site.local.refresh()
    garbage(site.remote, b"")
    with pytest.raises(TrustRootError):
        await site.local.refresh()
    newer = another_root(tmp_path / "newer")
    site.remote.publish(newer)
    await site.local.refresh()
    assert site.local.place.read_bytes() == newer
    assert not (await site.local.state()).failure


async def test_a_damaged_note_is_written_anew(site: Site) -> None:
    await site.local.refresh()
    (site.local.place.parent / "refreshed.json").write_bytes(b"{")
    assert await site.local.state() == under_test.Refreshment()
    await site.local.refresh()
    assert (await site.local.state()).checked_at == NOON


async def test_another_repository_with_a_root_of_its_own_is_not_believed(site: Site, tmp_path: Path) -> None:
    stranger = tuf.TufRepository(tmp_path / "stranger")
    stranger.publish(another_root(tmp_path / "newer"))
    with tuf.served(stranger.folder) as url:
        local = TufRepository(url, site.remote.root_path, tmp_path / "elsewhere", site.clock)
        with pytest.raises(TrustRootError):
            await local.refresh()
        assert not local.place.exists()


async def test_a_folder_that_cannot_be_written_is_an_error_of_the_refresh(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    local = TufRepository(site.url, site.remote.root_path, tmp_path / "file" / "trust", site.clock)
    with pytest.raises(TrustRootError):
        await local.refresh()


async def test_a_verifier_goes_over_to_what_was_refreshed_and_knows_the_keys_of_it(site: Site, tmp_path: Path) -> None:
    (tmp_path / "newer").mkdir()
    newer = LocalSigstore(tmp_path / "newer")
    verifier = SigstoreVerifier(None, site.clock, refreshed=site.local.place)
    try:

        async def verify(sigstore: LocalSigstore) -> object:
            return await verifier.verify(*_provenance(sigstore))

        packaged = await verifier.trust_root()
        await site.local.refresh()
        assert await verifier.trust_root() == packaged, "what is identified stays until it is renewed"
        assert (await verifier.renew()).path == site.local.place
        assert isinstance((result := await verify(site.sigstore)), Known)
        assert isinstance(result.value, Verified)
        site.remote.publish(newer.trusted_root_path.read_bytes())
        await site.local.refresh()
        renewed = await verifier.renew()
        assert (await verifier.trust_root()).sha256 == renewed.sha256 != packaged.sha256
        assert isinstance((result := await verify(newer)), Known)
        assert isinstance(result.value, Verified)
        assert isinstance((result := await verify(site.sigstore)), Known)
        assert isinstance(result.value, Invalid)
        site.local.place.write_bytes(b"damaged")
        with pytest.raises(TrustRootError):
            await verifier.renew()
        assert not isinstance(await verify(newer), Unknown)
        assert (await verifier.trust_root()).sha256 == renewed.sha256
    finally:
        verifier.close()


def _provenance(sigstore: LocalSigstore) -> tuple[bytes, str, str]:
    return json.dumps(sigstore.provenance([sigstore.attest()])).encode(), WHEEL, WHEEL_SHA256
