"""Who a signing certificate was issued to, by the extensions that Fulcio fills from the workload's token.

The extensions are described in Fulcio's `docs/oid-info.md`; those used here hold one DER UTF8String each.
"""

from cryptography.hazmat import asn1
from cryptography.x509 import (
    Certificate,
    ExtensionNotFound,
    ObjectIdentifier,
    RFC822Name,
    SubjectAlternativeName,
    UnrecognizedExtension,
)

from pinfold.adapters.sigstore.errors import Refused
from pinfold.domain.provenance import AccountPublisher, Environment, Publisher, PublisherKind, WorkflowPublisher

_FULCIO = "1.3.6.1.4.1.57264.1"
_ISSUER = ObjectIdentifier(f"{_FULCIO}.8")
_REPOSITORY = ObjectIdentifier(f"{_FULCIO}.12")
_COMMIT = ObjectIdentifier(f"{_FULCIO}.13")
_REF = ObjectIdentifier(f"{_FULCIO}.14")
_REPOSITORY_ID = ObjectIdentifier(f"{_FULCIO}.15")
_OWNER_ID = ObjectIdentifier(f"{_FULCIO}.17")
_BUILD_CONFIG = ObjectIdentifier(f"{_FULCIO}.18")
_ENVIRONMENT = ObjectIdentifier(f"{_FULCIO}.23")

_ISSUERS = {
    PublisherKind.GITHUB: "https://token.actions.githubusercontent.com",
    PublisherKind.GITLAB: "https://gitlab.com",
    PublisherKind.GOOGLE: "https://accounts.google.com",
}
_SITES = {PublisherKind.GITHUB: "https://github.com/", PublisherKind.GITLAB: "https://gitlab.com/"}
_WORKFLOWS = {PublisherKind.GITHUB: "/.github/workflows/", PublisherKind.GITLAB: "//"}


def named_publisher(certificate: Certificate) -> Publisher:
    """Return the publisher that a certificate names, whoever made it; raises Refused where it names none."""
    issuer = _required(certificate, _ISSUER, "issuer")
    kind = next((kind for kind, known in _ISSUERS.items() if known == issuer), None)
    if kind is None:
        raise Refused(f"the certificate vouches for an identity of {issuer}, whose publishers are not known")
    if kind is PublisherKind.GOOGLE:
        return _account(certificate)
    return _workflow(certificate, WorkflowPublisher(kind, "", ""))


def certified_publisher(certificate: Certificate, claim: Publisher) -> Publisher:
    """Return the publisher that a certificate names; raises Refused where it is another than the index claims.

    The issuer comes first: it alone tells what the other extensions are worth, since every service fills them with
    what its own users choose.
    """
    issuer = _required(certificate, _ISSUER, "issuer")
    if issuer != _ISSUERS[claim.kind]:
        raise Refused(f"the certificate vouches for an identity of {issuer}, not of {claim.kind}")
    publisher = _account(certificate) if isinstance(claim, AccountPublisher) else _workflow(certificate, claim)
    if publisher.key != claim.key:
        raise Refused(f"the certificate is {publisher}'s, the index claims {claim}")
    return publisher


def _account(certificate: Certificate) -> AccountPublisher:
    names = list(certificate.extensions.get_extension_for_class(SubjectAlternativeName).value)
    match names:
        case [RFC822Name(value=email)]:
            return AccountPublisher(email)
        case _:
            raise Refused("the certificate does not name exactly one email address")


def _workflow(certificate: Certificate, claim: WorkflowPublisher) -> WorkflowPublisher:
    uri = _required(certificate, _REPOSITORY, "source repository")
    repository = uri.removeprefix(_SITES[claim.kind])
    if repository == uri:
        raise Refused(f"the certificate's source repository {uri} is not on {claim.kind}")
    return WorkflowPublisher(
        kind=claim.kind,
        repository=repository,
        workflow=_workflow_file(certificate, uri + _WORKFLOWS[claim.kind]),
        environment=_environment(certificate, claim.environment),
        repository_id=_optional(certificate, _REPOSITORY_ID),
        owner_id=_optional(certificate, _OWNER_ID),
    )


def _workflow_file(certificate: Certificate, folder: str) -> str:
    """Return the file of the workflow that was started, out of `<folder><file>@<ref or commit>`.

    The subject alternative name looks the same, but names the reusable workflow where one is used: a file of somebody
    else's repository.
    """
    config = _required(certificate, _BUILD_CONFIG, "build configuration")
    for revision in (_optional(certificate, _REF), _optional(certificate, _COMMIT)):
        if revision and config.startswith(folder) and config.endswith(f"@{revision}"):
            return config[len(folder) : -len(revision) - 1]
    raise Refused(f"the certificate's build configuration {config} is no workflow of its repository at its revision")


def _environment(certificate: Certificate, claimed: Environment | None) -> Environment | None:
    certified = _optional(certificate, _ENVIRONMENT)
    if certified is None:
        return claimed
    # An index says nothing where its publisher may use any environment.
    if claimed is not None and claimed.name.lower() != certified.lower():
        raise Refused(f"the certificate names the environment {certified!r}, the index claims {claimed.name!r}")
    return Environment(certified, certified=True) if certified else None


def _required(certificate: Certificate, oid: ObjectIdentifier, what: str) -> str:
    value = _optional(certificate, oid)
    if not value:
        raise Refused(f"the certificate names no {what}")
    return value


def _optional(certificate: Certificate, oid: ObjectIdentifier) -> str | None:
    try:
        extension = certificate.extensions.get_extension_for_oid(oid).value
    except ExtensionNotFound:
        return None
    if not isinstance(extension, UnrecognizedExtension):
        raise Refused(f"the certificate's extension {oid.dotted_string} is not Fulcio's")
    return asn1.decode_der(str, extension.value)
