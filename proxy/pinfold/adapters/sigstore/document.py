"""PEP 740 provenance documents: read within limits, into what each bundle claims and what is to be verified."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from pinfold.adapters.sigstore.errors import Refused, Undecided
from pinfold.domain.provenance import AccountPublisher, Environment, Publisher, PublisherKind, WorkflowPublisher

MAX_DOCUMENT = 256 * 1024
"""Bytes; PyPI's documents have about 10,000 an attestation."""
MAX_ENTRY = 32 * 1024
"""Bytes of a log entry, which have about 7,000: all of one is parsed at a stretch, while the event loop has to wait."""
MAX_ATTESTATIONS = 8
"""PyPI takes two a file."""

_VERSION = 1
_Name = Annotated[str, Meta(min_length=1, max_length=512)]
T = TypeVar("T")


class VerificationMaterial(Struct, frozen=True):
    """The certificate in base64, and the transparency log's entries in sigstore's own JSON."""

    certificate: str
    transparency_entries: list[Raw]


class Envelope(Struct, frozen=True):
    """An in-toto statement and its signature, both in base64."""

    statement: str
    signature: str


class SignedAttestation(Struct, frozen=True):
    """A PEP 740 attestation object, unverified."""

    verification_material: VerificationMaterial
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class AttestationBundle:
    """The attestations that a document ascribes to one publisher, unread."""

    kind: str
    claim: Publisher | None
    """Who the index says the publisher is; None where the kind is not known."""
    attestations: list[Raw]


class _Versioned(Struct, frozen=True):
    version: int


class _Bundle(Struct, frozen=True):
    publisher: Raw
    attestations: list[Raw]


class _Document(Struct, frozen=True):
    attestation_bundles: list[_Bundle]


class _Kind(Struct, frozen=True):
    kind: _Name


class _GitHub(Struct, frozen=True):
    repository: _Name
    workflow: _Name
    environment: str | None = None


class _GitLab(Struct, frozen=True):
    repository: _Name
    workflow_filepath: _Name
    environment: str | None = None


class _Google(Struct, frozen=True):
    email: _Name


def _reader(type_: type[T]) -> Callable[[bytes | Raw], T]:
    decoder = msgspec.json.Decoder(type_)

    def read(content: bytes | Raw) -> T:
        try:
            return decoder.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(f"not as PEP 740 has it: {error}") from error

    return read


_read_version = _reader(_Versioned)
_read_document = _reader(_Document)
_read_list = _reader(list[Raw])
_read_attestation = _reader(SignedAttestation)
_read_kind = _reader(_Kind)
_read_github = _reader(_GitHub)
_read_gitlab = _reader(_GitLab)
_read_google = _reader(_Google)


def parse(content: bytes) -> list[AttestationBundle]:
    """Return a document's bundles; raises Refused for what is no provenance, Undecided for more than is read."""
    if len(content) > MAX_DOCUMENT:
        raise Undecided(f"the provenance has {len(content)} bytes, more than the {MAX_DOCUMENT} that are read")
    _check_version("provenance", content)
    bundles = _read_document(content).attestation_bundles
    count = sum(len(bundle.attestations) for bundle in bundles)
    if max(count, len(bundles)) > MAX_ATTESTATIONS:
        raise Undecided(f"the provenance has more than the {MAX_ATTESTATIONS} attestations that are read")
    return [_bundle(bundle) for bundle in bundles]


def parse_attestation(content: Raw) -> SignedAttestation:
    """Return an attestation; raises Refused for what is none, Undecided for a later version or more than is read."""
    _check_version("attestations", content)
    attestation = _read_attestation(content)
    entries = attestation.verification_material.transparency_entries
    if len(entries) != 1:
        raise Refused(f"{len(entries)} transparency log entries in place of one")
    if (size := len(memoryview(entries[0]))) > MAX_ENTRY:
        raise Undecided(f"the transparency log entry has {size} bytes, more than the {MAX_ENTRY} that are read")
    return attestation


def parse_uploaded(content: bytes) -> list[Raw]:
    """Return the attestations of an upload; raises Refused for what is no list of them, and for too long a one."""
    if len(content) > MAX_DOCUMENT:
        raise Refused(f"the attestations have {len(content)} bytes, more than the {MAX_DOCUMENT} that are read")
    attestations = _read_list(content)
    if not 0 < len(attestations) <= MAX_ATTESTATIONS:
        raise Refused(f"{len(attestations)} attestations, where there may be 1 to {MAX_ATTESTATIONS}")
    return attestations


def write_document(bundles: Iterable[tuple[Publisher, Sequence[Raw]]]) -> bytes:
    """Return the document that ascribes attestations to their publishers, as PyPI writes it."""
    written = [{"publisher": _written(publisher), "attestations": list(items)} for publisher, items in bundles]
    return msgspec.json.encode({"version": _VERSION, "attestation_bundles": written})


def _written(publisher: Publisher) -> dict[str, str | None]:
    if isinstance(publisher, AccountPublisher):
        return {"kind": publisher.kind.value, "email": publisher.email}
    workflow = "workflow" if publisher.kind is PublisherKind.GITHUB else "workflow_filepath"
    return {
        "kind": publisher.kind.value,
        "repository": publisher.repository,
        workflow: publisher.workflow,
        "environment": publisher.environment.name if publisher.environment else None,
    }


def _check_version(what: str, content: bytes | Raw) -> None:
    version = _read_version(content).version
    if version != _VERSION:
        raise Undecided(f"version {version} of {what} is not known")


def _bundle(bundle: _Bundle) -> AttestationBundle:
    kind = _read_kind(bundle.publisher).kind
    return AttestationBundle(kind, _claim(kind, bundle.publisher), bundle.attestations)


def _claim(kind: str, publisher: Raw) -> Publisher | None:
    match kind:
        case PublisherKind.GITHUB:
            github = _read_github(publisher)
            environment = _environment(github.environment)
            return WorkflowPublisher(PublisherKind.GITHUB, github.repository, github.workflow, environment)
        case PublisherKind.GITLAB:
            gitlab = _read_gitlab(publisher)
            environment = _environment(gitlab.environment)
            return WorkflowPublisher(PublisherKind.GITLAB, gitlab.repository, gitlab.workflow_filepath, environment)
        case PublisherKind.GOOGLE:
            return AccountPublisher(_read_google(publisher).email)
        case _:
            return None


def _environment(name: str | None) -> Environment | None:
    return Environment(name, certified=False) if name else None
