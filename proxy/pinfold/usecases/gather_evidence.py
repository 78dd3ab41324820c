"""The only collector of evidence: one pass over a project, without network or store for any single file."""

from pinfold.domain.evidence import Evidence, Item, Known, Origin, StatusSighting, Unknown
from pinfold.domain.listing import Sighting
from pinfold.domain.project import File
from pinfold.domain.records import Records
from pinfold.usecases.find_project import Found
from pinfold.usecases.indexes import Index

_UNSEEN: Item[Sighting] = Unknown("the file was never seen on its project's page")


def gather(index: Index, project: str, found: Found, files: list[File], records: Records) -> list[Evidence]:
    """Return the evidence of a project's files, in their order.

    `records` are the store's records; only those that can concern the project are looked at per file.
    """
    listing = found.listing
    origin = Origin(found.source.name, private=found.source.private)
    status = Known(StatusSighting(listing.project.status, listing.status_since))
    private_name = index.reserves(project)
    concerning = records.for_project(project)
    sightings = listing.sightings
    return [
        Evidence(
            project=project,
            file=file,
            origin=origin,
            private_name=private_name,
            sighting=Known(sighting) if (sighting := sightings.get(file.filename)) else _UNSEEN,
            upstream_status=status,
            records=concerning.covering(project, file) if concerning.quarantine else (),
        )
        for file in files
    ]
