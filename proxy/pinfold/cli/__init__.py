"""The command line: `pinfold`, one module a group of commands."""

import io
import logging
import os
import sys

import click

from pinfold import __version__
from pinfold.cli.alerts import alerts
from pinfold.cli.audit import audit
from pinfold.cli.audit_proof import checkpoint, export, key, verify
from pinfold.cli.audit_upkeep import prune, rotate_key
from pinfold.cli.doctor import doctor
from pinfold.cli.explain import explain
from pinfold.cli.feed import feed
from pinfold.cli.index import index
from pinfold.cli.invocation import Program
from pinfold.cli.lock import lock
from pinfold.cli.package import package
from pinfold.cli.pin import pin
from pinfold.cli.policy import policy
from pinfold.cli.publishers import publishers
from pinfold.cli.quarantine import quarantine
from pinfold.cli.serve import serve
from pinfold.cli.terminal import PrintableLog
from pinfold.cli.token import token
from pinfold.cli.waiver import waiver


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pinfold")
@click.pass_context
def program(context: click.Context) -> None:
    """Stand between installers and PyPI, and refuse releases that are known bad or that nobody vouches for.

    Exit codes: 0 done, 1 the answer is no, 2 wrong usage or configuration. TARGET is a project (litellm), a release
    (litellm==1.82.8, or any PEP 440 specifier), a file name, or sha256:<hex>.
    """
    if os.environ.get("NO_COLOR"):
        context.color = False


for command in (
    serve,
    explain,
    quarantine,
    waiver,
    publishers,
    policy,
    audit,
    alerts,
    feed,
    index,
    package,
    pin,
    lock,
    token,
    doctor,
):
    program.add_command(command)

for command in (verify, export, checkpoint, key, rotate_key, prune):
    audit.add_command(command)


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
