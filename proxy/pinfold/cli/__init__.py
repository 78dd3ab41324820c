"""The command line: `pinfold`, one module a group of commands."""

import io
import logging
import os
import sys

import click

from pinfold import __version__
from pinfold.cli.invocation import Members, Program
from pinfold.cli.terminal import PrintableLog

COMMANDS = (
    "serve",
    "explain",
    "quarantine",
    "waiver",
    "publishers",
    "policy",
    "audit",
    "alerts",
    "feed",
    "index",
    "package",
    "pin",
    "lock",
    "token",
    "doctor",
)


@click.group(
    cls=Program,
    commands=Members(__name__, COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="pinfold")
@click.pass_context
def program(context: click.Context) -> None:
    """Stand between installers and PyPI, and refuse releases that are known bad or that nobody vouches for.

    Exit codes: 0 done, 1 the answer is no, 2 wrong usage or configuration. TARGET is a project (litellm), a release
    (litellm==1.82.8, or any PEP 440 specifier), a file name, or sha256:<hex>.
    """
    if os.environ.get("NO_COLOR"):
        context.color = False


def main() -> None:
    """Run the program, as the console script does."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is spelled out; it is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableLog("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    program(prog_name="pinfold")
