"""How an index behaves, and how it misbehaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Manners:
    """What an index knows how to do; the defaults are PyPI's."""

    json: bool = True
    """Negotiates JSON and HTML; else HTML is all there is."""
    etags: bool = True
    """Sends ETags, and answers 304."""
    cache_control: str | None = "max-age=600, public"
    gzip: bool = True
    core_metadata: bool = True
    """Serves `.metadata` and announces it with its hash."""
    provenance: bool = True
    """Has the PEP 740 key in JSON, `null` where a file has none."""
    upload_times: bool = True
    """Has PEP 700's upload times and sizes in JSON."""
    ranges: bool = True
    separate_files: bool = False
    """Serves files from a port of their own, `FakeUpstream.file_host`."""
    credentials: tuple[str, str] | None = None
    """User name and password without which everything is answered 401."""


PYPI = Manners()
POOR = Manners(
    json=False,
    etags=False,
    cache_control=None,
    gzip=False,
    core_metadata=False,
    provenance=False,
    upload_times=False,
    ranges=False,
)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the answers for one path; what is left out stays as it would have been."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Added to the honest ones, or in place of them; an empty value removes a header."""
    content: bytes | None = None
    """Sent in place of the honest body."""
    redirect_to: str | None = None
    """A path or URL."""
    delay: float = 0
    """Seconds before the first byte."""
    drip: tuple[int, float] | None = None
    """So many bytes of the body at a time, and seconds between them."""
    drip_headers: float | None = None
    """Seconds between two bytes of the headers."""
    truncate_at: int | None = None
    """Breaks the connection after so many bytes of the body."""
    unframed: bool = False
    """Neither Content-Length nor chunks: the end of the connection is the end of the body."""
    reset: bool = False
    """Resets the connection without any answer."""
    raw: bytes | None = None
    """Sent as it is in place of the whole answer, headers included."""
    times: int | None = None
    """How many requests it befalls; for ever, where that is left out."""
    after: int = 0
    """How many requests are answered honestly first."""
