"""As-of addresses: `/<index>/as-of/<moment>/...` shows an index as it stood at a moment, by the times of uploads."""

import re
from datetime import UTC, datetime

from aiohttp import web

_DATE = r"\d{4}-\d{2}-\d{2}"
_MOMENT = re.compile(rf"{_DATE}(T\d{{2}}:\d{{2}}:\d{{2}}(\.\d{{1,6}})?(Z|[+-]\d{{2}}:\d{{2}}))?", re.ASCII)


def as_of(request: web.Request) -> datetime | None:
    """Return the moment that a request's path names, in UTC; None for the index as it is.

    It is a date, which stands for its first moment in UTC, or an RFC 3339 time. Raises HTTPBadRequest for anything
    else, and for what has not come yet: an answer would change until then.
    """
    text = request.match_info.get("as_of")
    if text is None:
        return None
    moment = _read(text)
    if moment is None:
        raise web.HTTPBadRequest(
            reason=f"{text[:40]!a} is no moment: write /as-of/2026-03-01/ or /as-of/2026-03-01T12:00:00Z/"
        )
    if moment > datetime.now(UTC):
        raise web.HTTPBadRequest(reason=f"{text} has not come yet: an index stands as of a moment in the past")
    return moment


def _read(text: str) -> datetime | None:
    if not _MOMENT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
