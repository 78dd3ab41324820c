"""The other proxies that install from PyPI, each started as its own documentation says."""

import base64
import contextlib
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any

from tests.bench.contestants import ROOT, WORKERS, Contestant, clean_environment, get

PEERS = ROOT / ".venv" / "peers"


class Devpi(Contestant):
    """devpi-server with a mirror index."""

    name = "devpi-server"

    def start(self) -> None:
        """Initialise a server directory, start, and create the mirror over the API."""
        bin_ = PEERS / "devpi-server" / "bin"
        init = [str(bin_ / "devpi-init"), "--serverdir", str(self.folder / "data"), "--no-root-pypi"]
        subprocess.run(init, check=True, capture_output=True, env=clean_environment())
        self._run(str(bin_ / "devpi-server"), "--serverdir", str(self.folder / "data"), "--port", str(self.port))
        origin = f"http://127.0.0.1:{self.port}"
        login = _ask(f"{origin}/+login", "POST", {"user": "root", "password": ""})
        mirror = {"type": "mirror", "mirror_url": f"{self.upstream}/simple/", "volatile": False}
        _ask(f"{origin}/root/mirror", "PUT", mirror, auth=("root", login["result"]["password"]))

    def page(self, project: str) -> str:
        """Return the address of a project's page."""
        return f"http://127.0.0.1:{self.port}/root/mirror/+simple/{project}/"


class Proxpi(Contestant):
    """proxpi under gunicorn with two workers, as its own image runs it."""

    name = "proxpi"

    def start(self) -> None:
        """Start gunicorn."""
        self._run(
            str(PEERS / "proxpi" / "bin" / "gunicorn"),
            *("--workers", str(WORKERS), "--threads", "8", "--bind", f"127.0.0.1:{self.port}", "proxpi.server:app"),
            PROXPI_INDEX_URL=f"{self.upstream}/simple/",
            PROXPI_CACHE_DIR=str(self.folder / "cache"),
            PROXPI_DOWNLOAD_TIMEOUT="30",
            PROXPI_LOGGING_LEVEL="ERROR",
        )

    def page(self, project: str) -> str:
        """Return the address of a project's page."""
        return f"http://127.0.0.1:{self.port}/index/{project}/"


class SimpleRepository(Contestant):
    """simple-repository-server, serving files through itself."""

    name = "simple-repository-server"

    def start(self) -> None:
        """Start its command."""
        self._run(
            str(PEERS / "simple-repository-server" / "bin" / "simple-repository-server"),
            *("--host", "127.0.0.1", "--port", str(self.port), "--stream-http-resources", f"{self.upstream}/simple/"),
        )


class PypiServer(Contestant):
    """pypiserver over a folder of files: it is no proxy, so that it gets every file beforehand."""

    name = "pypiserver"

    def start(self) -> None:
        """Gather the files and start its command."""
        packages = self.folder / "packages"
        packages.mkdir()
        for page in json.loads(get(f"{self.upstream}/simple/"))["projects"]:
            for entry in json.loads(get(f"{self.upstream}/simple/{page['name']}/"))["files"]:
                content = b"on its page alone"
                with contextlib.suppress(urllib.error.HTTPError):
                    content = get(entry["url"])
                (packages / entry["filename"]).write_bytes(content)
        self._run(
            str(PEERS / "pypiserver" / "bin" / "pypi-server"),
            *("run", "--interface", "127.0.0.1", "--port", str(self.port), "--disable-fallback", str(packages)),
        )


PEER_CLASSES: tuple[type[Contestant], ...] = (Devpi, Proxpi, SimpleRepository, PypiServer)


def what_is_missing(peers: Iterable[type[Contestant]]) -> list[str]:
    """Return what has to be installed before anything can be measured."""
    missing = [
        f"{program}: install it, on Debian with `apt-get install nginx wrk`"
        for program in ("nginx", "wrk")
        if shutil.which(program) is None
    ]
    missing += [f"{peer.name}: run `make bench`" for peer in peers if not (PEERS / peer.name / "bin").is_dir()]
    return missing


def _ask(url: str, method: str, document: dict[str, Any], auth: tuple[str, str] | None = None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if auth is not None:
        headers["X-Devpi-Auth"] = base64.b64encode(":".join(auth).encode()).decode()
    request = urllib.request.Request(url, json.dumps(document).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.loads(answer.read()))
