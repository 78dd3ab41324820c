"""An index on loopback that behaves as it is told."""

import asyncio
import base64
import ssl
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from types import TracebackType
from typing import Self

from aiohttp import web
from multidict import CIMultiDict
from tests.fakes.upstream import catalogue
from tests.fakes.upstream.catalogue import FakeFile, FakeProject
from tests.fakes.upstream.distributions import build_sdist, build_wheel, core_metadata, module_name
from tests.fakes.upstream.manners import PYPI, Fault, Manners
from tests.fakes.upstream.replies import Reply, compressed, distorted, missend, ranged, send

from pinfold.domain.names import normalise

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Request:
    """A request that reached the index."""

    method: str
    path: str
    headers: CIMultiDict[str]


class FakeUpstream:
    """An index with a real server on 127.0.0.1, for `async with`; `running_upstream` runs it for blocking tests.

    Everything may be changed at any time and from any thread, and holds for the next request.
    """

    def __init__(self, manners: Manners = PYPI, *, tls: ssl.SSLContext | None = None) -> None:
        self.manners = manners
        self.requests: list[Request] = []
        self._tls = tls
        self._projects: dict[str, FakeProject] = {}
        self._faults: dict[str, Fault] = {}
        self._befallen: defaultdict[str, int] = defaultdict(int)
        self._lock = threading.RLock()
        self._runner: web.AppRunner | None = None
        self._ports: list[int] = []

    # What it has.

    def add_file(
        self,
        project: str,
        version: str,
        *,
        upload_time: datetime = LONG_AGO,
        content: bytes | None = None,
        filename: str | None = None,
        sdist: bool = False,
        tag: str = "py3-none-any",
        requires_dist: Sequence[str] = (),
        requires_python: str | None = None,
        files: Mapping[str, bytes] | None = None,
        yanked: str | None = None,
        provenance: bytes | None = None,
    ) -> FakeFile:
        """Add a file to a release: a wheel that installs and does no harm, unless something else is asked for.

        `files` go into the archive besides what belongs there, by their path in it.
        """
        if content is None:
            build = build_sdist if sdist else partial(build_wheel, tag=tag)
            content = build(project, version, requires_dist=requires_dist, requires_python=requires_python, files=files)
        stem = f"{module_name(project)}-{version}"
        filename = filename or (f"{stem}.tar.gz" if sdist else f"{stem}-{tag}.whl")
        is_wheel = filename.endswith(".whl")
        file = FakeFile(
            project=project,
            version=version,
            filename=filename,
            content=content,
            upload_time=upload_time,
            requires_python=requires_python,
            metadata=core_metadata(project, version, requires_dist, requires_python) if is_wheel else None,
            yanked=yanked,
            provenance=provenance,
        )
        with self._lock:
            self._projects.setdefault(project, FakeProject(project)).files[filename] = file
        return file

    def add_project(self, project: str) -> None:
        """Add a project without files."""
        with self._lock:
            self._projects.setdefault(project, FakeProject(project))

    def remove_file(self, file: FakeFile) -> None:
        """Take a file away, as an index's administrators do: from its page and from its place."""
        with self._lock:
            del self._projects[file.project].files[file.filename]

    def remove_project(self, project: str) -> None:
        """Take a whole project away."""
        with self._lock:
            del self._projects[project]

    def replace_content(self, file: FakeFile, content: bytes) -> None:
        """Put other bytes under a file's name; its page tells their hash."""
        with self._lock:
            file.content = content

    def yank(self, file: FakeFile, reason: str = "") -> None:
        """Yank a file (PEP 592)."""
        with self._lock:
            file.yanked = reason

    def set_status(self, project: str, status: str | None, reason: str | None = None) -> None:
        """Give a project a PEP 792 status, or none."""
        with self._lock:
            self._projects[project].status, self._projects[project].reason = status, reason

    # How it behaves.

    def befall(self, where: str | FakeFile, fault: Fault) -> None:
        """Let something go wrong for a file, or for a path such as `page_path` gives."""
        path = where if isinstance(where, str) else where.path
        with self._lock:
            self._faults[path] = fault
            self._befallen[path] = 0

    def recover(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._faults.clear()

    # Where it is, and what reached it.

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._ports[0]}"

    @property
    def url(self) -> str:
        """The simple API's root, for pip's `--index-url` or an upstream's `url`."""
        return f"{self.origin}/simple/"

    @property
    def file_host(self) -> str:
        """Host and port of the files, for `file_hosts`."""
        return f"127.0.0.1:{self._ports[-1]}"

    @property
    def file_origin(self) -> str:
        """Scheme, host and port of the files."""
        return f"{'https' if self._tls else 'http'}://{self.file_host}"

    def page_path(self, project: str) -> str:
        """Return the path of a project page."""
        return f"/simple/{project}/"

    def file_url(self, file: FakeFile) -> str:
        """Return where a file's bytes are."""
        return f"{self.file_origin}{file.path}"

    def requests_for(self, where: str | FakeFile) -> list[Request]:
        """Return the requests for a file, or for a path, in their order."""
        path = where if isinstance(where, str) else where.path
        return [request for request in list(self.requests) if request.path == path]

    # Running it.

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
        await self._runner.setup()
        for _ in range(2 if self.manners.separate_files else 1):
            site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
            await site.start()
        self._ports = [address[1] for address in self._runner.addresses]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        with self._lock:
            self.requests.append(Request(request.method, request.path, CIMultiDict(request.headers)))
            reply, fault = self._reply(request), self._fault(request.path)
        if fault is None:
            return send(reply)
        await asyncio.sleep(fault.delay)
        return await missend(request, distorted(reply, fault), fault)

    def _fault(self, path: str) -> Fault | None:
        fault = self._faults.get(path)
        if fault is None:
            return None
        number = self._befallen[path] - fault.after
        self._befallen[path] += 1
        return fault if number >= 0 and (fault.times is None or number < fault.times) else None

    def _reply(self, request: web.Request) -> Reply:
        if self.manners.credentials and request.headers.get("Authorization") != self._authorization():
            return Reply(401, {"WWW-Authenticate": 'Basic realm="pypi"'})
        if request.path.startswith("/simple/"):
            reply = self._page(request.path.removeprefix("/simple/"), request.headers.get("Accept", ""))
            if reply.status == 200 and self.manners.cache_control:
                reply.headers["Cache-Control"] = self.manners.cache_control
        else:
            reply = self._file(request.path)
        if reply.status != 200:
            return reply
        if self.manners.etags:
            etag = reply.headers["ETag"] = f'"{sha256(reply.body).hexdigest()[:32]}"'
            if request.headers.get("If-None-Match") == etag:
                return Reply(304, reply.headers)
        if request.path.startswith("/simple/"):
            wants_gzip = self.manners.gzip and "gzip" in request.headers.get("Accept-Encoding", "")
            return compressed(reply) if wants_gzip else reply
        if self.manners.ranges:
            reply.headers["Accept-Ranges"] = "bytes"
            return ranged(reply, request.headers.get("Range"))
        return reply

    def _page(self, name: str, accept: str) -> Reply:
        as_json = self.manners.json and catalogue.JSON_TYPE in accept
        html_type = catalogue.HTML_TYPE if self.manners.json and catalogue.HTML_TYPE in accept else "text/html"
        headers = {"Content-Type": catalogue.JSON_TYPE if as_json else html_type}
        if not name:
            names = sorted(self._projects)
            return Reply(200, headers, catalogue.names_json(names) if as_json else catalogue.names_html(names))
        normalised = normalise(name.rstrip("/"))
        if name != f"{normalised}/":
            return Reply(301, {"Location": self.page_path(normalised)})
        project = self._projects.get(normalised)
        if project is None:
            return Reply(404)
        render = catalogue.project_json if as_json else catalogue.project_html
        file_origin = self.file_origin
        return Reply(200, headers, render(project, self.manners, origin=self.origin, file_origin=file_origin))

    def _file(self, path: str) -> Reply:
        for project in self._projects.values():
            for file in project.files.values():
                if path == file.path:
                    return Reply(200, {"Content-Type": "application/octet-stream"}, file.content)
                if path == file.metadata_path and self.manners.core_metadata and file.metadata is not None:
                    return Reply(200, {"Content-Type": "application/octet-stream"}, file.metadata)
                if path == file.provenance_path and file.provenance is not None:
                    return Reply(200, {"Content-Type": "application/vnd.pypi.integrity.v1+json"}, file.provenance)
        return Reply(404)

    def _authorization(self) -> str:
        assert self.manners.credentials is not None
        return "Basic " + base64.b64encode(":".join(self.manners.credentials).encode()).decode()
