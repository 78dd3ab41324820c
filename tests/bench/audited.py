"""What does it cost that every download is in the audit log, durably, before its first byte leaves?

    make bench-audited

Two servers, one of them with an audit log that does nothing, serve one small wheel in turns; wrk asks over many
connections. Prints both rates and their ratio, and the CPU that either spends on a download.
"""

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.contestants import Pinfold, Upstream
from tests.bench.load import Measured, run_wrk
from tests.bench.peers import what_is_missing
from tests.bench.wares import Ware, write_upstream
from tests.e2e.server import PinfoldServer

WHEEL = Ware("small-wheel", 3, 16 * 1024)
WITHOUT_LOG = """
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
class Forgotten:
    async def again(self, moment):
        return self
async def forget(*_):
    return Forgotten()
SqliteAuditLog.append = forget
from pinfold.cli import main
main()
"""


class Audited(Pinfold):
    """Pinfold as it is."""

    name = "audited"


class Unaudited(Pinfold):
    """Pinfold with an audit log that does nothing."""

    name = "unaudited"

    def make(self, config: str) -> PinfoldServer:
        """Return the server, not yet started."""
        return _Forgetful(self.folder, config, *self.flags)


class _Forgetful(PinfoldServer):
    def command(self, *words: str) -> list[str]:
        program = [sys.executable, "-c", WITHOUT_LOG, *words]
        return [*program, "--config", str(self.config), "--data", str(self.data)]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    if missing := what_is_missing([]):
        print("this cannot run yet:", *missing, sep="\n  ", file=sys.stderr)
        return 2
    measured: dict[str, list[Measured]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pinfold-bench-")))
        upstream = Upstream(folder)
        write_upstream(upstream.root, upstream.port, [WHEEL])
        servers = [upstream, *(server(folder, upstream.origin) for server in (Audited, Unaudited))]
        for server in servers:
            server.start()
            stack.callback(server.stop)
        for _ in range(options.rounds):
            for server in servers[1:]:
                wheel = server.wheel(WHEEL)
                once = run_wrk(wheel, {}, server.pid, connections=options.connections, seconds=options.seconds)
                measured.setdefault(server.name, []).append(once)
    audited, unaudited = (
        (statistics.median(one.rate for one in runs), statistics.median(one.cpu for one in runs))
        for runs in measured.values()
    )
    print(
        f"{options.connections} connections: {audited[0]:,.0f} audited downloads a second, {unaudited[0]:,.0f} "
        f"unaudited: {audited[0] / unaudited[0]:.2f}; {audited[1]:.0f} and {unaudited[1]:.0f} us of CPU a download"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
