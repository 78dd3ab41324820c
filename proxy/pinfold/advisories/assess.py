"""Which advisories mean which files of a project: worked out for all of its versions at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pinfold.advisories.ranges import Versions, affected, fixes
from pinfold.domain.advisory import (
    Advisories,
    AdvisoryKind,
    Claim,
    Fix,
    Hit,
    MatchedBy,
    ProjectClaims,
    credit,
)
from pinfold.domain.project import File


@dataclass(frozen=True)
class Assessment:
    """What a project's claims come to; `of` answers for single files without looking at ranges again."""

    nothing: Advisories
    """Shared by the files that no advisory means, which are nearly all."""
    by_version: Mapping[str | None, Advisories]
    by_hash: Mapping[str, tuple[Hit, ...]]
    fixed_by: Mapping[str, tuple[Claim, ...]]
    replaces: str | None = None
    """The newest release that is allowed without any exemption for fixes, once that is known."""

    @property
    def means_nothing(self) -> bool:
        """Whether no file is meant, so that the same is known of each."""
        return not (self.by_version or self.by_hash or self.fixed_by)

    def of(self, file: File) -> Advisories:
        """Return the open advisories that mean a file."""
        meant = self.by_version.get(file.version, self.nothing)
        if named := self.by_hash.get(file.sha256):
            # A hash says more than a version: where a record knows both, only the hash is told.
            hits = {_order(hit): hit for hit in (*meant.hits, *named)}
            meant = replace(meant, hits=tuple(hits[key] for key in sorted(hits)))
        fixed = self.fixes_of(file)
        return replace(meant, fixes=fixed) if fixed else meant

    def fixes_of(self, file: File) -> tuple[Fix, ...]:
        """Return the vulnerabilities of the release that the file would replace which end with its version."""
        if self.replaces is None or file.version is None or file.version == self.replaces:
            return ()
        claims = self.fixed_by.get(file.version, ())
        present = {hit.id for hit in self.by_version.get(self.replaces, self.nothing).hits} if claims else ()
        return tuple(Fix(claim.id, self.replaces, claim.severity) for claim in claims if claim.id in present)

    def replacing(self, version: str | None) -> "Assessment":
        """Return the same with what is known of the release that new ones would replace."""
        return replace(self, replaces=version)


def assess(about: ProjectClaims, files: Iterable[File]) -> Assessment:
    """Match a project's claims with its files."""
    by_version: dict[str | None, list[Hit]] = {}
    by_hash: dict[str, list[Hit]] = {}
    fixed_by: dict[str, list[Claim]] = {}
    versions = Versions.of(file.version for file in files if about.claims and file.version is not None)
    for claim in about.claims:
        by_its_version = _hit(claim, MatchedBy.VERSION)
        # A file whose name carries no version may be of any: what cannot be told apart is judged alike.
        anything = (None,) if claim.versions or claim.ranges else ()
        for version in (*affected(claim, versions), *anything):
            by_version.setdefault(version, []).append(by_its_version)
        for digest in claim.hashes:
            by_hash.setdefault(digest, []).append(_hit(claim, MatchedBy.HASH))
        if claim.kind is AdvisoryKind.VULNERABILITY:
            for version in fixes(claim):
                fixed_by.setdefault(version, []).append(claim)
    return Assessment(
        Advisories(about.snapshots),
        {version: Advisories(about.snapshots, _once(hits)) for version, hits in by_version.items()},
        {digest: _once(hits) for digest, hits in by_hash.items()},
        {version: tuple(claims) for version, claims in fixed_by.items()},
    )


def _once(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """Return hits in one order, whatever order the feeds have, and each record's once."""
    by_record = {_order(hit): hit for hit in hits}
    return tuple(by_record[key] for key in sorted(by_record))


def _order(hit: Hit) -> tuple[str, str]:
    return hit.kind, hit.id


def _hit(claim: Claim, matched_by: MatchedBy) -> Hit:
    return Hit(
        id=claim.id,
        kind=claim.kind,
        matched_by=matched_by,
        severity=claim.severity,
        score=claim.score,
        sources=claim.sources,
        aliases=claim.aliases,
        summary=claim.summary,
        credit=credit(claim.id),
    )
