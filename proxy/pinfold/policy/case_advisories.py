"""The advisories of a case: what feeds said of its project, and from when to when."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from pinfold.advisories.osv_record import ECOSYSTEM, Record, read_record
from pinfold.domain.advisory import Bound, ProjectClaims, Snapshot
from pinfold.policy.toml_document import Table

_Texts = Annotated[tuple[str, ...], Field(strict=False)]


class AdvisoryFacts(Table):
    """One record, in the terms of the OSV schema."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
    known: AwareDatetime
    """When a feed had it, which is later than when it says that it was published."""
    withdrawn: AwareDatetime | None = None
    versions: _Texts = ()
    sha256: _Texts = ()
    introduced: str | None = None
    """`0` means every version from the first on."""
    fixed: str | None = None
    last_affected: str | None = None
    aliases: _Texts = ()
    sources: Annotated[int, Field(ge=1)] = 1
    """How many finders the record names."""
    severity: Literal["low", "moderate", "high", "critical"] | None = None

    def record(self, project: str, at: datetime) -> Record:
        """Return what a feed's intake makes of the record."""
        bounds = {Bound.INTRODUCED: self.introduced, Bound.FIXED: self.fixed, Bound.LAST_AFFECTED: self.last_affected}
        events = [{bound.value: version} for bound, version in bounds.items() if version is not None]
        affected: dict[str, Any] = {
            "package": {"ecosystem": ECOSYSTEM, "name": project},
            "versions": self.versions,
            "ranges": [{"type": "ECOSYSTEM", "events": events}] if events else [],
            "database_specific": {
                "indicators": {"package_integrity": [{"hashes": {"sha256": digest}} for digest in self.sha256]}
            },
        }
        told: dict[str, Any] = {"severity": self.severity}
        if self.id.startswith("MAL-"):
            told["malicious-packages-origins"] = [{"source": f"source {number}"} for number in range(self.sources)]
        return read_record(
            json.dumps(
                {
                    "id": self.id,
                    "modified": self.known.isoformat(),
                    "withdrawn": self.withdrawn.isoformat() if self.withdrawn else None,
                    "aliases": self.aliases,
                    "affected": [affected],
                    "database_specific": told,
                }
            ).encode(),
            at,
        )


def claims_at(project: str, advisories: Iterable[AdvisoryFacts], at: datetime) -> ProjectClaims:
    """Return what the feeds hold on a project at a moment."""
    records = [facts.record(project, at) for facts in advisories if facts.known <= at]
    snapshot = Snapshot("case", "0" * 64, max((record.modified for record in records), default=at), len(records))
    return ProjectClaims((snapshot,), tuple(claim for record in records for _, claim in record.claims))
