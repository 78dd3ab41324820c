"""The only collector of evidence: one pass over a project, without network or store for any single file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pinfold.advisories.assess import Assessment
from pinfold.domain.advisory import Advisories
from pinfold.domain.evidence import (
    NO_FEED,
    NOT_ASKED_FOR,
    Evidence,
    Item,
    Known,
    Origin,
    ProjectEvidence,
    StatusSighting,
    Unknown,
)
from pinfold.domain.listing import Listing, Sighting
from pinfold.domain.look_alikes import Likeness, Resemblance
from pinfold.domain.names import canonical_version
from pinfold.domain.pins import ProjectPins
from pinfold.domain.project import File
from pinfold.domain.provenance import Provenance, TrustRoot, Unattested
from pinfold.domain.records import Records
from pinfold.domain.release_lines import AttestedUploads, ProjectHistory
from pinfold.usecases.compare_contents import ProjectInspections
from pinfold.usecases.find_project import Found
from pinfold.usecases.indexes import Index
from pinfold.usecases.provenances import FileKey, Knowledge, key_of

_UNSEEN: Item[Sighting] = Unknown("the file was never seen on its project's page")
_UNATTESTED: Item[Provenance] = Known(Unattested())
LIKE_NONE: Item[Resemblance | None] = Known(None)
"""The name of the project could be taken for no known one."""
_NOT_MEANT: Item[Assessment] = Known(Assessment(Advisories(), {}, {}, {}))
_SILENT = Unknown("the index does not state provenance")
_UNVERIFIED = Unknown("its provenance is not verified yet")


@dataclass(frozen=True)
class ProjectProvenance:
    """What is known of the provenance of all files of a project, for policies that ask for it."""

    knowledge: Knowledge
    history: ProjectHistory
    uploads: AttestedUploads
    """What the upstream lists, and says to be attested."""
    failures: Mapping[FileKey, Unknown] = field(default_factory=dict)
    """Files that were to be verified for this very request, and could not be."""

    @property
    def trust_root(self) -> TrustRoot | None:
        """What provenance is verified with, where it can be read."""
        root = self.knowledge.trust_root
        return root.value if isinstance(root, Known) else None

    def of(self, file: File) -> Item[Provenance]:
        """Return what is known of one file's provenance; proof that was found once outweighs what an index says later.

        A key that is missing is no word at all, `null` is the index's word that there is none (PEP 740).
        """
        checked = self.knowledge.checked
        if checked and (known := checked.get(key_of(file))) is not None:
            return known.result
        if file.provenance is True:
            return _UNATTESTED
        if file.provenance is False:
            return _SILENT
        if isinstance(self.knowledge.trust_root, Unknown):
            return self.knowledge.trust_root
        return self.failures.get(key_of(file), _UNVERIFIED)


def provenance_of(listing: Listing, knowledge: Knowledge) -> ProjectProvenance:
    """Return what is known of a project's provenance, with the history of its release lines, in one pass."""
    files = (*listing.project.files, *listing.vanished_files())
    attested = (knowledge.publishers_of(file) for file in files)
    history = ProjectHistory(each for each in attested if each is not None)
    return ProjectProvenance(knowledge, history, AttestedUploads(listing.project.files))


def gather(
    index: Index,
    project: str,
    found: Found,
    files: Iterable[File],
    records: Records,
    provenance: ProjectProvenance | None = None,
    advisories: Item[Assessment] = NO_FEED,
    inspections: ProjectInspections | None = None,
    pins: Item[ProjectPins] | None = None,
    resemblance: Item[Resemblance | None] = LIKE_NONE,
) -> list[Evidence]:
    """Return the evidence of a project's files, in their order.

    `records` are the store's records; only those that can concern the project are looked at per file. Without
    `provenance` or `inspections` nothing is said of them, and without `pins` the index is not limited to any.
    Advisories and look-alikes are about public projects, whatever namesakes there are here.
    """
    about = gather_project(project, found, records, advisories, inspections, pins)
    private_name = index.reserves(project) or found.source.first_hand
    concerning = records.for_project(project)
    sightings = found.listing.sightings
    trust_root = provenance.trust_root if provenance else None
    if about.origin.private:
        resemblance = LIKE_NONE
    return [
        Evidence(
            project=project,
            file=file,
            origin=about.origin,
            private_name=private_name,
            sighting=Known(sighting) if (sighting := sightings.get(file.filename)) else _UNSEEN,
            upstream_status=about.upstream_status,
            records=concerning.covering(project, file) if concerning.quarantine else (),
            publishers=about.publishers,
            provenance=provenance.of(file) if provenance else NOT_ASKED_FOR,
            history=Known(provenance.history.of(file.version)) if provenance else NOT_ASKED_FOR,
            trust_root=trust_root,
            inspection=about.inspection or (inspections.of(file) if inspections else NOT_ASKED_FOR),
            advisories=about.advisories or _assessed(advisories, file),
            pinning=Known(pins.value.of(file)) if isinstance(pins, Known) else pins,
            resemblance=resemblance,
        )
        for file in files
    ]


def gather_project(
    project: str,
    found: Found,
    records: Records,
    advisories: Item[Assessment] = NO_FEED,
    inspections: ProjectInspections | None = None,
    pins: Item[ProjectPins] | None = None,
) -> ProjectEvidence:
    """Return the evidence of a project that its files have in common."""
    listing, concerning = found.listing, records.for_project(project)
    is_private = found.source.private
    return ProjectEvidence(
        origin=Origin(found.source.name, private=is_private),
        upstream_status=Known(StatusSighting(listing.project.status, listing.status_since)),
        quarantine=concerning.quarantine,
        publishers=concerning.publishers,
        pins=pins,
        advisories=_common(_NOT_MEANT if is_private else advisories),
        inspection=inspections.alike if inspections else NOT_ASKED_FOR,
    )


def _common(advisories: Item[Assessment]) -> Item[Advisories] | None:
    if isinstance(advisories, Unknown):
        return advisories
    return Known(advisories.value.nothing) if advisories.value.means_nothing else None


def _assessed(advisories: Item[Assessment], file: File) -> Item[Advisories]:
    return advisories if isinstance(advisories, Unknown) else Known(advisories.value.of(file))


def resemblance_of(listing: Listing, likenesses: tuple[Likeness, ...]) -> Item[Resemblance | None]:
    """Return what tells an established project from one that waits for typing errors, in one pass."""
    if not likenesses:
        return LIKE_NONE
    files = (*listing.project.files, *listing.vanished_files())
    uploads = (file.upload_time for file in files if file.upload_time is not None)
    releases = {*map(canonical_version, listing.project.versions), *(file.version for file in files)}
    return Known(Resemblance(likenesses, min(uploads, default=None), len(releases - {None})))
