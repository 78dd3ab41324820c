"""Which advisories mean which files of a project: worked out for all of its versions at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

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


class _Key(NamedTuple):
    kind: AdvisoryKind
    id: str


@dataclass(frozen=True)
class Assessment:
    """What a project's claims come to; `of` answers for single files without looking at ranges again."""

    nothing: Advisories
    """Shared by the files that no advisory means, which are nearly all."""
    by_version: Mapping[str | None, tuple[Claim, ...]]
    by_hash: Mapping[str, tuple[Claim, ...]]
    fixed_by: Mapping[str, tuple[Claim, ...]]
    replaces: str | None = None
    """The newest release that is allowed without any exemption for fixes, once that is known."""

    def of(self, file: File) -> Advisories:
        """Return the open advisories that mean a file."""
        named, versions = self.by_hash.get(file.sha256, ()), self.by_version.get(file.version, ())
        fixed = self.fixes_of(file)
        if not (named or versions or fixed):
            return self.nothing
        # A hash says more than a version: where a record knows both, only the hash is told.
        by_id = {_Key(claim.kind, claim.id): _hit(claim, MatchedBy.VERSION) for claim in versions}
        by_id |= {_Key(claim.kind, claim.id): _hit(claim, MatchedBy.HASH) for claim in named}
        return Advisories(self.nothing.snapshots, tuple(by_id[key] for key in sorted(by_id)), fixed)

    def fixes_of(self, file: File) -> tuple[Fix, ...]:
        """Return the vulnerabilities of the release that the file would replace which end with its version."""
        if self.replaces is None or file.version is None or file.version == self.replaces:
            return ()
        present = {claim.id for claim in self.by_version.get(self.replaces, ())}
        return tuple(
            Fix(claim.id, self.replaces, claim.severity)
            for claim in self.fixed_by.get(file.version, ())
            if claim.id in present
        )

    def replacing(self, version: str | None) -> "Assessment":
        """Return the same with what is known of the release that new ones would replace."""
        return replace(self, replaces=version)


def assess(about: ProjectClaims, files: Iterable[File]) -> Assessment:
    """Match a project's claims with its files."""
    by_version: dict[str | None, list[Claim]] = {}
    by_hash: dict[str, list[Claim]] = {}
    fixed_by: dict[str, list[Claim]] = {}
    if about.claims:
        versions = Versions.of(file.version for file in files if file.version is not None)
        for claim in about.claims:
            # A file whose name carries no version may be of any: what cannot be told apart is judged alike.
            anything = (None,) if claim.versions or claim.ranges else ()
            for version in (*affected(claim, versions), *anything):
                by_version.setdefault(version, []).append(claim)
            for digest in claim.hashes:
                by_hash.setdefault(digest, []).append(claim)
            if claim.kind is AdvisoryKind.VULNERABILITY:
                for version in fixes(claim):
                    fixed_by.setdefault(version, []).append(claim)
    return Assessment(
        Advisories(about.snapshots),
        {version: tuple(claims) for version, claims in by_version.items()},
        {digest: tuple(claims) for digest, claims in by_hash.items()},
        {version: tuple(claims) for version, claims in fixed_by.items()},
    )


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
