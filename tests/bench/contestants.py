"""The servers that are measured side by side, each started as its own documentation says, in front of one upstream."""

import contextlib
import gzip
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from tests.bench.wares import JSON_TYPE, Ware
from tests.e2e.server import PinfoldServer

ROOT = Path(__file__).parents[2]
WORKERS = 2
START_SECONDS = 60
PATIENCE = 120
AGENT = 'pip/26.3 {"ci":true,"implementation":{"name":"CPython","version":"3.11.7"},"python":"3.11.7"}'
ACCEPT = f"{JSON_TYPE}, text/html; q=0.01"


class Contestant(ABC):
    """A server that is running from `start` on."""

    name: str

    def __init__(self, folder: Path, upstream: str) -> None:
        self.folder = folder / self.name.replace(" ", "-")
        self.folder.mkdir()
        self.upstream = upstream
        """The origin of the upstream; its index is at `/simple/`."""
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that all others of the server descend from."""
        assert self._process is not None
        return (self._process.pid,)

    @abstractmethod
    def start(self) -> None:
        """Start the server, and wait until it answers."""

    def page(self, project: str) -> str:
        """Return the address of a project's page."""
        return f"http://127.0.0.1:{self.port}/simple/{project}/"

    def wheel(self, ware: Ware) -> str:
        """Return the address of a project's newest wheel, as its page has it."""
        page = self.page(ware.project)
        body = get(page, ACCEPT).decode()
        if body.lstrip().startswith("{"):
            urls = [entry["url"] for entry in json.loads(body)["files"]]
        else:
            urls = re.findall(r'href="([^"#]+)', body)
        found = next(url for url in urls if urlsplit(url).path.endswith(ware.wheel))
        return urljoin(page, found).partition("#")[0]

    def stop(self) -> None:
        """Stop the server and what it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def _run(self, *command: str, **variables: str) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**clean_environment(), **variables},
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise SystemExit(f"{self.name} did not come up:\n{(self.folder / 'log').read_text()[-2000:]}")


class Nginx(Contestant):
    """What all nginx servers here share."""

    locations: str
    http = ""

    def start(self) -> None:
        """Start nginx in the foreground with two worker processes."""
        (self.folder / "nginx.conf").write_text(
            f"""
            daemon off; worker_processes {WORKERS}; pid {self.folder}/pid; error_log {self.folder}/error.log;
            {"user root;" if os.geteuid() == 0 else ""}
            events {{ worker_connections 4096; }}
            http {{
                access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000;
                default_type {JSON_TYPE};
                types {{ application/octet-stream whl; text/plain metadata; }}
                open_file_cache max=1000 inactive=60s;
                client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
                fastcgi_temp_path {self.folder}/fastcgi; uwsgi_temp_path {self.folder}/uwsgi;
                scgi_temp_path {self.folder}/scgi;
                {self.http}
                server {{ listen 127.0.0.1:{self.port} reuseport; {self.locations} }}
            }}
            """
        )
        self._run("nginx", "-e", f"{self.folder}/error.log", "-c", f"{self.folder}/nginx.conf")


class Upstream(Nginx):
    """The index that all proxies stand in front of."""

    name = "upstream"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "")
        self.root = self.folder / "root"
        self.locations = f"root {self.root}; location /simple/ {{ index index.json; }}"

    @property
    def origin(self) -> str:
        """The scheme and authority that it is at."""
        return f"http://127.0.0.1:{self.port}"


class NginxStatic(Nginx):
    """The mark: the very bytes that Pinfold answers with, as static files, precompressed ones included."""

    name = "nginx static"

    def __init__(self, folder: Path, upstream: str) -> None:
        super().__init__(folder, upstream)
        self.root = self.folder / "root"
        self.locations = f"root {self.root}; gzip_static on;"

    def page(self, project: str) -> str:
        """Return the address of a project's page: the file's own, which is what nginx is fastest with."""
        return f"http://127.0.0.1:{self.port}/simple/{project}/index.json"

    def take(self, path: str, plain: bytes, gzipped: bytes | None) -> None:
        """Keep an answer of Pinfold's."""
        place = self.root / path.strip("/")
        if path.endswith("/"):
            place = place / "index.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(plain)
        if gzipped is not None:
            place.with_name(place.name + ".gz").write_bytes(gzipped)
            # gzip_static takes the two for one where they are of one time.
            os.utime(place.with_name(place.name + ".gz"), (place.stat().st_atime, place.stat().st_mtime))


class NginxCache(Nginx):
    """A cache in front of the same static files, gzipped ones included."""

    name = "nginx proxy_cache"

    def __init__(self, folder: Path, upstream: str) -> None:
        super().__init__(folder, upstream)
        self.http = f"proxy_cache_path {self.folder}/cache keys_zone=pages:10m max_size=2g;"
        self.locations = f"""
            proxy_cache pages; proxy_cache_valid 200 1h; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Accept-Encoding $http_accept_encoding; proxy_cache_key $uri$http_accept_encoding;
            location / {{ proxy_pass {upstream}; }}
        """

    def page(self, project: str) -> str:
        """Return the address of a project's page."""
        return f"http://127.0.0.1:{self.port}/simple/{project}/index.json"


class Pinfold(Contestant):
    """Pinfold with its default policy and two workers."""

    name = "pinfold"
    flags = ("--workers", str(WORKERS))
    settings = ""
    """Of the server, beside what all of them have."""

    def start(self) -> None:
        """Start it as a user does."""
        config = "\n".join(
            [
                *("[server]", "access_log = false", self.settings),
                *(
                    "[upstreams.pypi]",
                    f'url = "{self.upstream}/simple/"',
                    'freshness = "1d"',
                    'file_hosts = ["127.0.0.1"]',
                ),
                *("[indexes.main]", "anonymous = true"),
            ]
        )
        self._server = self.make(config)
        self._server.start()
        self.port = int(self._server.url.rpartition(":")[2])

    def make(self, config: str) -> PinfoldServer:
        """Return the server, not yet started."""
        return PinfoldServer(self.folder, config, *self.flags)

    @property
    def pid(self) -> int:
        """The supervising process."""
        return self._server.pid

    @property
    def pids(self) -> tuple[int, ...]:
        """The supervising process alone: all others are its own."""
        return (self.pid,)

    @property
    def origin(self) -> str:
        """The scheme and authority that it is at."""
        return self._server.url

    @property
    def blobs(self) -> Path:
        """The folder of files."""
        return self._server.data / "blobs"

    def stop(self) -> None:
        """Stop it as an init system does."""
        self._server.stop()


class PinfoldBehindNginx(Nginx):
    """nginx in front, by the configuration that is shipped, which sends the files that Pinfold lets through."""

    name = "pinfold behind nginx"

    def __init__(self, folder: Path, upstream: str) -> None:
        super().__init__(folder, upstream)
        self._behind = _Behind(self.folder, upstream)

    @property
    def pids(self) -> tuple[int, ...]:
        """Of both."""
        return (*super().pids, *self._behind.pids)

    def start(self) -> None:
        """Start Pinfold, and nginx in front of it."""
        self._behind.start()
        origin, blobs = self._behind.origin, self._behind.blobs
        self.http = f"upstream pinfold {{ server {urlsplit(origin).netloc}; keepalive 64; }}"
        shipped = (ROOT / "deploy" / "nginx" / "pinfold-files.conf").read_text()
        self.locations = f"""
            location / {{
                proxy_pass http://pinfold; proxy_http_version 1.1; proxy_buffering off;
                proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr;
            }}
            {shipped.replace("/var/lib/pinfold/blobs/", f"{blobs}/")}
        """
        super().start()

    def stop(self) -> None:
        """Stop nginx first."""
        super().stop()
        self._behind.stop()


class _Behind(Pinfold):
    settings = 'trusted_proxies = ["127.0.0.1"]\nfront_files = "/_pinfold_blobs/"'


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment() -> dict[str, str]:
    """Return the environment without what would lead installers and Python elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "PYTHON"))}


def get(url: str, accept: str = "*/*", encoding: str = "identity", *, decoded: bool = True) -> bytes:
    """Return what is at an address, for a client such as pip."""
    request = urllib.request.Request(url, headers={"Accept": accept, "Accept-Encoding": encoding, "User-Agent": AGENT})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        body = bytes(answer.read())
        return gzip.decompress(body) if decoded and answer.headers.get("Content-Encoding") == "gzip" else body
