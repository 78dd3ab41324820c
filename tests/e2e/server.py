"""A Pinfold of one's own: the real command, in a process of its own, on a free port and a fresh data directory."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

ADDRESS = re.compile(r"http://(127\.0\.0\.1|\[::1\]):(\d+)")
START_SECONDS = 30


class PinfoldServer:
    """`pinfold serve`, as a user starts it; what it prints goes to a file beside its data."""

    def __init__(self, folder: Path, config: str, *flags: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "data"
        self.config = folder / "pinfold.toml"
        # OSV's own feed is out of reach for a test; one that is about feeds names its own.
        self.config.write_text(config if "[feeds.osv]" in config else f'{config}\n[feeds.osv]\nsource = ""\n')
        self.log = folder / "server.log"
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [*self.command("serve"), "--port", "0", *self._flags],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=environment(),
                cwd=self.folder,
                start_new_session=True,
            )
        self.url = self._announced(before)

    def stop(self) -> int:
        """Ask it to stop as an init system does, and return its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self, seconds: float = 45) -> int:
        assert self._process is not None
        try:
            return self._process.wait(seconds)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()

    def kill(self) -> None:
        """Take it down without any warning, as a power cut does to a process."""
        assert self._process is not None
        # All its processes at once: workers that outlive their supervisor would stop in good order.
        os.killpg(self._process.pid, signal.SIGKILL)
        self.wait()

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "pinfold", *words, "--config", str(self.config), "--data", str(self.data)]

    def run(self, *words: str, status: int = 0, seconds: float = 60) -> str:
        """Run a command line on the same store, insist on its exit status, and return what it printed."""
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, env=environment(), cwd=self.folder, timeout=seconds
        )
        assert done.returncode == status, f"exit {done.returncode}, not {status}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def audited(self, *filters: str) -> list[dict[str, Any]]:
        """Return the audit log's entries that fit some options of `pinfold audit search`, newest first."""
        found = json.loads(self.run("audit", "search", "--json", *filters))
        return [recorded["entry"] for recorded in found["entries"]]

    def simple(self, index: str = "main") -> str:
        return f"{self.url}/simple/" if index == "main" else f"{self.url}/{index}/simple/"

    def _announced(self, skip: int) -> str:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if found := ADDRESS.search(self.log.read_text()[skip:]):
                return found[0]
            time.sleep(0.02)
        self._process.kill()
        self._process.wait()
        raise AssertionError(f"the server did not come up:\n{self.log.read_text()[skip:]}")


def environment() -> dict[str, str]:
    """What a command needs of the machine's environment, and nothing that would set Pinfold or pip up differently."""
    kept = {"PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name in kept} | {"PYTHONWARNINGS": "error"}
