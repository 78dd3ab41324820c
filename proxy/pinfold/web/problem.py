"""Refusals and failures as responses: one line that installers print, and a body that machines read (RFC 9457)."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from pinfold.usecases.file_download import Refused


def problem(status: int, line: str, *, headers: Mapping[str, str] | None = None, **members: Any) -> web.Response:
    """Return an `application/problem+json` response whose reason phrase carries the same line.

    pip prints the reason phrase, uv the phrase or the body's `detail`; a front that speaks HTTP/2 drops phrases, so
    that `X-Error-Message` repeats it.
    """
    line = " ".join("".join(c if " " <= c <= "~" else " " for c in line).split())[:500]
    title = "Refused by policy" if status == HTTPStatus.FORBIDDEN else HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": line, **members}
    return web.Response(
        status=status,
        reason=line,
        body=json.dumps(body).encode(),
        headers={
            "Content-Type": "application/problem+json",
            "X-Error-Message": line,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **(headers or {}),
        },
    )


def refusal(refused: Refused) -> web.Response:
    """Return the 403 of a refused file."""
    deciding = refused.judged.decision.deciding
    return problem(
        403,
        refused.line,
        rule=deciding.rule if deciding else None,
        effect=refused.judged.decision.effect.label,
        project=refused.judged.evidence.project,
        version=refused.judged.file.version,
        file=refused.judged.file.filename,
        reference=refused.reference,
        changes_at=moment.isoformat() if (moment := refused.judged.decision.changes_at) else None,
    )
