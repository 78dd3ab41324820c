"""The page at the root, for a person who opens the address in a browser."""

from html import escape

from aiohttp import web

from pinfold import __version__
from pinfold.web.services import SERVICES

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pinfold</title>
<style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}}
pre{{background:#f3f3f3;padding:.8rem;overflow-x:auto}}
@media (prefers-color-scheme:dark){{body{{background:#181818;color:#ddd}}pre{{background:#262626}}}}
</style>
</head>
<body>
<h1>Pinfold {version}</h1>
<p>This is a package index. It judges every release against a policy and refuses what is not vouched for.</p>
{indexes}
</body>
</html>
"""
_CLOSED = "<p>Whoever reads here needs a token.</p>"


async def page(request: web.Request) -> web.Response:
    """Show how to point clients at each index that is open to everybody; the others are not everybody's to know."""
    services = request.app[SERVICES]
    base = services.base_url.rstrip("/") or f"{request.scheme}://{request.host}"
    parts = []
    for index in (index for index in services.indexes.values() if index.name in services.open_indexes):
        url = f"{base}/simple/" if index.name == "main" else f"{base}/{index.name}/simple/"
        parts.append(
            f"<h2>{escape(index.name)}</h2><p>Policy: {escape(index.policy.name)}</p>"
            f"<pre>pip install --index-url {escape(url)} NAME\nuv pip install --default-index {escape(url)} NAME</pre>"
        )
    return web.Response(
        text=_PAGE.format(version=__version__, indexes="".join(parts) or _CLOSED),
        content_type="text/html",
        headers={
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "X-Content-Type-Options": "nosniff",
        },
    )
