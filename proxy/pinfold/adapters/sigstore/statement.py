"""In-toto statements: whether what was signed speaks of a file, and what it says of it."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

from pinfold.adapters.sigstore.errors import Refused, Undecided
from pinfold.domain.provenance import Predicate

PAYLOAD_TYPE = "application/vnd.in-toto+json"

_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_SLSA_PROVENANCE = "https://slsa.dev/provenance/v1"
# The publish attestation's type is an address in the documentation of the index, whatever its host.
_PUBLISH_PATH = "/attestations/publish/v1"


@dataclass(frozen=True, slots=True)
class Subject:
    """The file that a statement must be about."""

    filename: str
    sha256: str
    """Lower-case hexadecimal."""


class _Subject(Struct, frozen=True):
    name: str
    digest: dict[str, str]


class _Statement(Struct, frozen=True, rename="camel"):
    type_: str = field(name="_type")
    subject: list[_Subject]
    predicate_type: str


_statement = msgspec.json.Decoder(_Statement)


def stated_of(payload: bytes, file: Subject) -> Predicate:
    """Return what a verified payload states of a file.

    Raises Refused where it is no statement, or one about something else, and Undecided for a predicate not known.
    """
    try:
        statement = _statement.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"no in-toto statement: {error}") from error
    if statement.type_ != _STATEMENT_TYPE:
        raise Refused(f"no in-toto statement v1, but {statement.type_!r}")
    if len(statement.subject) != 1:
        raise Refused(f"the statement is about {len(statement.subject)} subjects, not about one file")
    _check_subject(statement.subject[0], file)
    return _predicate(statement.predicate_type)


def _check_subject(subject: _Subject, file: Subject) -> None:
    if subject.digest.get("sha256") != file.sha256:
        raise Refused("the statement is about other bytes than the file's")
    try:
        same = subject.name == file.filename or _parsed(subject.name) == _parsed(file.filename)
    except (InvalidWheelFilename, InvalidSdistFilename, ValueError) as error:
        raise Refused(f"the statement's subject is no wheel or sdist: {error}") from error
    if not same:
        raise Refused(f"the statement is about {subject.name}, not about {file.filename}")


def _parsed(filename: str) -> object:
    """Return what a file name means: other spellings of project, version and tags compare equal."""
    return parse_wheel_filename(filename) if filename.endswith(".whl") else parse_sdist_filename(filename)


def _predicate(type_: str) -> Predicate:
    if type_ == _SLSA_PROVENANCE:
        return Predicate.SLSA_PROVENANCE
    parts = urlsplit(type_)
    if parts.scheme == "https" and parts.path == _PUBLISH_PATH and not parts.query and not parts.fragment:
        return Predicate.PUBLISH
    raise Undecided(f"predicate type {type_!r} is not known")
