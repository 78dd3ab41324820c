"""`pinfold serve`: the proxy itself."""

import gc
from typing import TYPE_CHECKING

import click

from pinfold import __version__
from pinfold.cli.access import needs_tokens, open_to_all
from pinfold.cli.invocation import Command, Invocation
from pinfold.cli.terminal import Painted, note

if TYPE_CHECKING:
    from pinfold.settings import Settings


@click.command(cls=Command)
@click.option("--host", metavar="H", help="The address to listen on.")
@click.option("--port", metavar="P", type=click.IntRange(0, 65535), help="The port to listen on; 0 takes any free one.")
@click.option("--workers", metavar="N", type=click.IntRange(1), help="Processes that share the port.")
@click.option("--upstream", metavar="URL", help="The index to fetch from, in place of PyPI.")
@click.option("--policy", metavar="NAME|FILE", help="The policy of index main.")
@click.pass_obj
def serve(
    invocation: Invocation,
    host: str | None,
    port: int | None,
    workers: int | None,
    upstream: str | None,
    policy: str | None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then let requests under way finish; SIGHUP reads settings and policies again."""
    # What is loaded now stays: looking for garbage in it takes a tenth of the start. `supervise` enables it again.
    gc.disable()
    from pinfold.bootstrap import run_server

    invocation.overrides |= {
        "server.host": host,
        "server.port": port,
        "server.workers": workers,
        "upstreams.pypi.url": upstream,
        "indexes.main.policy": policy,
    }
    run_server(invocation.settings, _announce)


def _announce(settings: "Settings", host: str, port: int) -> None:
    listening = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    address = settings.server.base_url or listening
    url = f"{address.rstrip('/')}/simple/"
    note(
        f"Pinfold {__version__} serves {listening}/simple/; stop it with Ctrl-C. Point clients at it:",
        f"  pip     pip install --index-url {url} PROJECT",
        f"          for good: pip config set global.index-url {url}",
        f"  uv      uv pip install --default-index {url} PROJECT",
        f"          for good: export UV_DEFAULT_INDEX={url}",
        f"  Poetry  poetry source add --priority=primary pinfold {url}",
    )
    for found, advice in (*needs_tokens(settings), *open_to_all(settings)):
        note(Painted(f"WARNING: {found}", "yellow", bold=True), f"         -> {advice}")
