"""What there is to choose about an upstream."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class UpstreamOptions:
    """How one upstream is asked. Times are in seconds, sizes in bytes."""

    name: str
    url: str
    """Where its project pages are, without credentials; ends in a slash."""
    file_hosts: tuple[str, ...] = ()
    """The only hosts, as `host` or `host:port`, to which file URLs and redirects may lead besides the upstream's own
    origin. Empty: any public host, on its scheme's default port."""
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    """Certificate authorities to trust in place of the system's."""
    trust_env: bool = True
    """Whether `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` and the netrc file are honoured."""
    connect_timeout: float = 5
    idle_timeout: float = 10
    """Until the first byte, and between two reads."""
    total_timeout: float = 60
    """For what is fetched whole, such as a page, with all retries."""
    minimum_rate: float = 8 << 10
    """Bytes a second that a download must reach on average, once `rate_grace` was spent waiting for its bytes."""
    rate_grace: float = 30
    retries: int = 3
    """After the first attempt; a download that breaks off is taken up again as often."""
    backoff: float = 0.5
    """The pause before the first retry; it doubles each time, and varies by chance so that clients spread out."""
    max_retry_after: float = 10
    """The longest pause that an upstream may ask for; one that asks for more is not retried."""
    max_page_bytes: int = 128 << 20
    """The most that a page may measure, compressed or not."""
