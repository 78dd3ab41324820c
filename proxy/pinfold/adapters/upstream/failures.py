"""What goes wrong with an upstream, told in one line that names the cause and, where there is one, the cure."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp import hdrs

from pinfold.domain.errors import UpstreamError

_CREDENTIALS = {401, 403, 407}
_BUSY = {429, 502, 503, 504}

# What happened, and whether it may be gone by the next attempt; the first kind that fits counts.
_FAILURES: tuple[tuple[type[Exception], str, bool], ...] = (
    (TimeoutError, "no answer in time", True),
    (
        aiohttp.ClientConnectorCertificateError,
        "its certificate is not trusted: {reason}; ca_file can name its CA",
        False,
    ),
    (aiohttp.ClientSSLError, "TLS failed: {reason}", False),
    (aiohttp.ClientConnectorDNSError, "its host name cannot be resolved", True),
    (aiohttp.ClientProxyConnectionError, "the proxy cannot be reached: {reason}", True),
    (aiohttp.ClientHttpProxyError, "the proxy answered {reason}; check HTTPS_PROXY and the credentials in it", False),
    (aiohttp.ClientConnectorError, "cannot connect: {reason}", True),
    (aiohttp.ClientPayloadError, "the answer is truncated", True),
    (aiohttp.ClientResponseError, "the answer is not HTTP", False),
    (aiohttp.ClientConnectionError, "the connection was lost", True),
    (ConnectionError, "the connection was lost", True),
)


class Transient(UpstreamError):
    """A failure that may well be gone by the next attempt."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the upstream asked to be left alone for."""


@contextmanager
def told(asked: str) -> Iterator[None]:
    """Turn whatever the network does into an UpstreamError that begins with what was asked.

    The original errors are left out of the chain: their representation shows request headers, credentials included.
    """
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        happened, transient = _describe(error)
        raise (Transient if transient else UpstreamError)(f"{asked}: {happened}") from None


def refuse_status(response: aiohttp.ClientResponse, asked: str) -> None:
    """Raise the error that a status stands for which is no answer to the question."""
    status = response.status
    if status in _CREDENTIALS:
        raise UpstreamError(
            f"{asked}: answered {status}; check the upstream's username and password, or its entry in the netrc file"
        )
    if status in _BUSY:
        raise Transient(f"{asked}: answered {status}", _retry_after(response.headers.get(hdrs.RETRY_AFTER)))
    if status == 200:
        raise UpstreamError(f"{asked}: answered with the whole file where a range was asked for")
    raise UpstreamError(f"{asked}: answered {status}")


def require_identity(headers: Mapping[str, str], asked: str) -> None:
    """Raise UpstreamError for content that is encoded, where its own bytes were asked for."""
    if headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower() != "identity":
        raise UpstreamError(f"{asked}: sent with a content encoding, which was not asked for")


def _describe(error: Exception) -> tuple[str, bool]:
    """Return what happened, and whether it may be gone by the next attempt."""
    for kind, happened, transient in _FAILURES:
        if isinstance(error, kind):
            return happened.format(reason=_reason(error)), transient
    return f"could not be asked ({type(error).__name__})", False


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        error = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return str(error.status)
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def _retry_after(value: str | None) -> float | None:
    """Return the seconds that a `Retry-After` asks for, in either of its forms (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max((until.astimezone(UTC) - datetime.now(UTC)).total_seconds(), 0)
