"""From an answer to a page: content encoding, content type, validators, and how long it counts as fresh."""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar, cast

from aiohttp import hdrs
from zlib_ng import gzip_ng, zlib_ng

from pinfold.adapters.upstream.transport import Answer
from pinfold.domain.errors import InvalidPage, UpstreamError
from pinfold.ports.upstream import Validators

T = TypeVar("T")

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""The simple API's representations (PEP 691), JSON first: it alone tells upload times."""

_JSON = frozenset(("application/vnd.pypi.simple.v1+json", "application/json"))
_HTML = frozenset(("application/vnd.pypi.simple.v1+html", "text/html"))
_MAX_AGE = re.compile(r'max-age\s*=\s*"?(\d{1,8})\d*', re.ASCII | re.IGNORECASE)
_STALE = re.compile(r"no-(?:store|cache)", re.ASCII | re.IGNORECASE)
_PRINTABLE = re.compile(r"[ -~]{1,500}", re.ASCII)

_AT_ONCE = 64 << 10
"""Bytes of a page that is understood on the event loop."""
_PACKED_AT_ONCE = 16 << 10
"""Bytes of such a page that is compressed: thousands of parts that hold nothing are unpacked one by one."""
_VALUES_AT_ONCE = 3000
"""Values that it may have: an entry of which nothing can be made takes 4 microseconds, and may be a byte long."""

_BROKEN: Final = (OSError, EOFError, cast("type[Exception]", zlib_ng.error))
"""What comes of gzip that is none, or not whole."""


class TooLong(UpstreamError):
    """A page is longer than it may be."""


def understand(answer: Answer, limit: int, *, json: Callable[[bytes], T], html: Callable[[bytes], T]) -> T:
    """Return what the parser for an answer's content type makes of its body; raise UpstreamError where none can.

    Raises TooLong for a compressed body of more than `limit` bytes.

    Pure, and slow for large pages and for HTML.
    """
    media_type = answer.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
    body = _decoded(answer, limit)
    try:
        if media_type in _JSON:
            return json(body)
        if media_type in _HTML:
            _check_whole(answer, body)
            return html(body)
    except InvalidPage as error:
        raise UpstreamError(f"{answer.asked}: not a page that can be understood: {error}") from error
    raise UpstreamError(f"{answer.asked}: sent {media_type[:80]!r}, which is not a simple page")


def understand_at_once(answer: Answer, limit: int, *, json: Callable[[bytes], T]) -> T:
    """Return what `understand` returns, of pages that take a few milliseconds at most, whoever wrote them.

    Raises TooLong for any other, such as all HTML: 64 KB of tags take 200 ms.
    """

    def brief(body: bytes) -> T:
        if body.count(b",") > _VALUES_AT_ONCE:
            raise TooLong(f"{answer.asked}: more than {_VALUES_AT_ONCE} values")
        return json(body)

    def too_long(_: bytes) -> T:
        raise TooLong(f"{answer.asked}: HTML")

    if len(answer.body) > (_PACKED_AT_ONCE if hdrs.CONTENT_ENCODING in answer.headers else _AT_ONCE):
        raise TooLong(f"{answer.asked}: {len(answer.body)} bytes")
    return understand(answer, min(limit, _AT_ONCE), json=brief, html=too_long)


def validators(answer: Answer) -> Validators:
    """Return what to ask again by."""
    etag, modified = (_sendable(answer.headers.get(name)) for name in (hdrs.ETAG, hdrs.LAST_MODIFIED))
    return Validators(etag, modified)


def conditions(known: Validators | None) -> dict[str, str]:
    """Return the headers that ask for a page only if it is another than validators stand for."""
    if known is None:
        return {}
    asked = {hdrs.IF_NONE_MATCH: _sendable(known.etag), hdrs.IF_MODIFIED_SINCE: _sendable(known.last_modified)}
    return {name: value for name, value in asked.items() if value is not None}


def max_age(answer: Answer) -> timedelta | None:
    """Return how long `Cache-Control` lets an answer count as fresh, or None where it says nothing (RFC 9111)."""
    directives = ",".join(answer.headers.getall(hdrs.CACHE_CONTROL, []))
    if _STALE.search(directives):
        return timedelta(0)
    stated = _MAX_AGE.search(directives)
    return timedelta(seconds=int(stated[1])) if stated else None


def _sendable(validator: str | None) -> str | None:
    """Return a validator if it can be stored, and sent back as it is; without it, the page is just sent whole again."""
    return validator if validator is not None and _PRINTABLE.fullmatch(validator) else None


def _decoded(answer: Answer, limit: int) -> bytes:
    encoding = answer.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
    if encoding == "identity":
        return answer.body
    if encoding not in ("gzip", "x-gzip"):
        raise UpstreamError(f"{answer.asked}: sent with the content encoding {encoding[:40]!r}, not gzip")
    try:
        # In three fifths of the time that the standard library's takes. ISA-L's is quicker still, and reads some that
        # zlib refuses.
        body = gzip_ng.GzipNGFile(fileobj=io.BytesIO(answer.body)).read(limit + 1)  # type: ignore[no-untyped-call]
    except _BROKEN:
        raise UpstreamError(f"{answer.asked}: its gzip encoding is broken or truncated") from None
    if len(body) > limit:
        raise TooLong(f"{answer.asked}: unpacks to more than {limit} bytes")
    return body


def _check_whole(answer: Answer, body: bytes) -> None:
    """Raise for HTML that may have lost its end: it would parse, and the files that it lost would count as gone."""
    framed = hdrs.CONTENT_LENGTH in answer.headers or hdrs.TRANSFER_ENCODING in answer.headers
    if not framed and not body.rstrip().lower().endswith(b"</html>"):
        raise InvalidPage("HTML without Content-Length must end in </html>, or it may be truncated")
