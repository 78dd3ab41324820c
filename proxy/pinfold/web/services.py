"""What the HTTP surface needs, put together by the bootstrap."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from pinfold.usecases.authenticate import Authenticate
from pinfold.usecases.file_download import FileDownload
from pinfold.usecases.indexes import Index
from pinfold.usecases.project_names import ProjectNames
from pinfold.usecases.project_page import ProjectPage
from pinfold.usecases.publish import Publish
from pinfold.usecases.serve_provenance import ServeProvenance
from pinfold.usecases.tokens import Tokens
from pinfold.usecases.trusted_publishing import TrustedPublishing
from pinfold.web.front_files import FrontFiles


@dataclass(frozen=True)
class Services:
    """The use cases behind the routes."""

    indexes: Mapping[str, Index]
    pages: ProjectPage
    names: ProjectNames
    files: FileDownload
    provenance: ServeProvenance
    publish: Publish
    upload_idle_seconds: float
    """How long a client may send nothing in the middle of an upload."""
    ready: Callable[[], Awaitable[None]]
    """Raises the PinfoldError that keeps this process from deciding requests."""
    metrics: Callable[[], bytes]
    """Renders the metrics in the Prometheus text format."""
    authenticate: Authenticate
    trusted_publishing: TrustedPublishing
    tokens: Tokens
    open_indexes: frozenset[str]
    """Those that anybody may read."""
    count_requests: Callable[[str, str, int], Callable[[float], None]]
    """Returns what counts a request of a route, method and status, given the seconds that it took."""
    stays_local: bool = False
    """Only this machine can ask, by all that the settings say."""
    base_url: str = ""
    """The outside address, where something stands in front; else each request's own counts."""
    trusted_proxies: frozenset[str] = field(default_factory=frozenset)
    """Addresses whose `X-Forwarded-For` is believed."""
    front_files: FrontFiles | None = None
    """Where a front server has the files to send them in Pinfold's place, if one does."""


SERVICES = web.AppKey("services", Services)
