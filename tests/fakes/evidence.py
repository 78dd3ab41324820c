"""Evidence of an ordinary file, in which each test changes what it is about."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from pinfold.domain.advisory import Advisories, Snapshot
from pinfold.domain.evidence import Evidence, Known, Origin, StatusSighting
from pinfold.domain.inspection import Inspection
from pinfold.domain.listing import Sighting
from pinfold.domain.names import FileKind
from pinfold.domain.project import File, StatusMarker, UpstreamStatus
from pinfold.domain.provenance import Unattested
from pinfold.domain.release_lines import ProvenanceHistory

UPLOADED = datetime(2026, 3, 24, 10, 52, tzinfo=UTC)
SEEN = UPLOADED + timedelta(minutes=8)
SHA256 = "d2a0d5f564628773b6af7b9c11f6b86531a875bd2d186d7081ab62748a800ebb"
OTHER_SHA256 = "164a3ef3e19f309e3cabc199bef3d2045212712fefdfa25fc7f75884a5b5b205"
SNAPSHOT = Snapshot("osv", "0" * 64, UPLOADED - timedelta(hours=1), 50_000)


def a_file(**changes: object) -> File:
    wheel = File(
        filename="litellm-1.82.8-py3-none-any.whl",
        url="https://files.example/litellm-1.82.8-py3-none-any.whl",
        sha256=SHA256,
        kind=FileKind.WHEEL,
        version="1.82.8",
        upload_time=UPLOADED,
        provenance=True,
    )
    return replace(wheel, **changes)  # type: ignore[arg-type]


def a_sighting(**changes: object) -> Sighting:
    return replace(Sighting(first_seen=SEEN, sha256=SHA256), **changes)  # type: ignore[arg-type]


def a_status(marker: StatusMarker, since: datetime | None = None) -> Known[StatusSighting]:
    return Known(StatusSighting(UpstreamStatus(marker), since))


def evidence_of(file: File | None = None, **changes: object) -> Evidence:
    evidence = Evidence(
        project="litellm",
        file=file or a_file(),
        origin=Origin("pypi"),
        private_name=False,
        sighting=Known(a_sighting()),
        upstream_status=a_status(StatusMarker.ACTIVE),
        provenance=Known(Unattested()),
        history=Known(ProvenanceHistory()),
        advisories=Known(Advisories((SNAPSHOT,))),
        inspection=Known(Inspection(inspector=1)),
        resemblance=Known(None),
    )
    return replace(evidence, **changes)  # type: ignore[arg-type]
