"""Every table and key of `pinfold.toml`, with its default; what is not here does not exist."""

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    ByteSize,
    Field,
    FilePath,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pinfold.domain.errors import InvalidSettings
from pinfold.domain.names import DEFAULT_INDEX
from pinfold.domain.suggestion import suggestion
from pinfold.settings.table import Disagreement, Table
from pinfold.settings.trusted_publishing import TrustedPublishingSettings
from pinfold.settings.values import (
    Addresses,
    Authorities,
    Duration,
    FeedSource,
    Globs,
    IndexName,
    InternalLocation,
    Label,
    Labels,
    OutsideAddress,
    PositiveDuration,
    WebAddress,
    WebhookAddress,
)

DEFAULT_UPSTREAM = "pypi"
"""The upstream that is always there; its address defaults to PyPI's."""

DEFAULT_FEED = "osv"
"""The advisory feed that is there unless its source is set to nothing."""
OSV_EXPORT = "https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip"
"""Everything that OSV knows about PyPI's projects (google.github.io/osv.dev/data)."""


def read_secret(key: str, path: Path) -> str:
    """Return a secret that stands alone in a file; raise InvalidSettings, which names the key and never the secret."""
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings([f"{key} {path} cannot be read: {error}"]) from error


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class ServerSettings(Table):
    """`[server]`: how clients reach Pinfold."""

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8765, ge=0, le=65535)
    """0 takes any free port."""
    workers: int = Field(default=1, ge=1, le=256)
    """Processes that share the port."""
    base_url: OutsideAddress = ""
    """The outside address to tell people, when something stands in front; pages need none, their links are relative."""
    trusted_proxies: Addresses = ()
    """What stands in front: peers whose `X-Forwarded-For` is believed."""
    front_files: InternalLocation = ""
    """The internal location at which nginx, as a trusted proxy, has the folder `blobs`; it then sends whole files in
    Pinfold's place, which still decides and records each."""
    access_log: bool = True
    """One line a request on stderr."""
    event_loop: Literal["uvloop", "asyncio"] = "uvloop"
    """What connections are served with; asyncio's own loop is slower, and everywhere."""
    request_memory: int = Field(default=64, ge=0, le=65536)
    """MiB of each process for answers that are given again while nothing changes; 0 works each out anew."""
    drain: Duration = timedelta(seconds=30)
    """How long requests under way may take to finish when the server stops."""

    @model_validator(mode="after")
    def _front_is_known(self) -> "ServerSettings":
        if self.front_files and not self.trusted_proxies:
            raise ValueError("front_files needs trusted_proxies, which say what stands in front")
        return self

    @property
    def stays_local(self) -> bool:
        """Whether only this machine can ask: it listens on loopback, and nothing is said of a front."""
        return _is_loopback(self.host) and not self.base_url and not self.trusted_proxies


class UpstreamSettings(Table):
    """`[upstreams.NAME]`: an index that pages and files are fetched from."""

    url: WebAddress | None = None
    """Where its project pages are, as pip's `--index-url` would have it; only `pypi` has a default."""
    private: bool = False
    """It belongs to this organisation, so that it may provide private names."""
    username: str | None = None
    password: SecretStr | None = None
    password_file: FilePath | None = None
    """Where the password stands alone in a file, as secrets are mounted; read when the server starts."""
    ca_file: FilePath | None = None
    """Certificates, in PEM, that vouch for it in place of the system's."""
    file_hosts: Authorities = ()
    """The only hosts besides its own that its files may be fetched from; none named means any public host."""
    freshness: Duration = timedelta(minutes=10)
    """How long a page counts as fresh, unless the upstream allows less."""
    fetch_ahead: bool = True
    """Whether it is asked for wheels and pages that clients will most likely want next, before they do."""
    connect_timeout: PositiveDuration = timedelta(seconds=5)
    idle_timeout: PositiveDuration = timedelta(seconds=10)
    """How long it may keep silent, before an answer and in the middle of one."""
    total_timeout: PositiveDuration = timedelta(seconds=60)
    """For what is fetched whole, such as a page, with all repetitions."""

    @model_validator(mode="after")
    def _complete_credentials(self) -> "UpstreamSettings":
        if self.password is not None and self.password_file is not None:
            raise ValueError("set password or password_file, not both")
        has_password = self.password is not None or self.password_file is not None
        if has_password != (self.username is not None):
            raise ValueError("credentials are a username with a password or a password_file")
        return self

    @property
    def address(self) -> str:
        """The address of its project pages."""
        if self.url is not None:
            return self.url
        # Slow to load, and most commands that people run by hand never need it.
        from pypi_simple import PYPI_SIMPLE_ENDPOINT

        return PYPI_SIMPLE_ENDPOINT

    def credentials(self) -> tuple[str, str] | None:
        """Return user name and password, read from its file where it is kept in one; raise InvalidSettings."""
        if self.username is None:
            return None
        if self.password is not None:
            return self.username, self.password.get_secret_value()
        assert self.password_file is not None  # noqa: S101 - _complete_credentials saw to it
        return self.username, read_secret("password_file", self.password_file)


class IndexSettings(Table):
    """`[indexes.NAME]`: a view that clients point at."""

    upstreams: Labels = (DEFAULT_UPSTREAM,)
    """In order of precedence: the first that has a project provides it, alone. What is published here comes before."""
    packages_from: Labels = ()
    """Other indexes whose published packages this one shows as well; what is published on it comes first."""
    policy: str = Field(default="baseline", min_length=1)
    """A shipped policy's name, or the path of a document."""
    private: Globs = ()
    """Names that only this organisation may provide, in globs over normalised names."""
    refusals: Literal["explain", "hide"] = "explain"
    """Whether a page lists refused files with the reason, or leaves them out."""
    pins: Label | None = None
    """The pin set that it is limited to: nothing else is served. Kept with `pinfold pin import`."""
    anonymous: bool | None = None
    """Whether anybody may read it without a token. Where nothing is said, only while nobody from outside can ask."""


class PublishingSettings(Table):
    """`[publishing]`: what uploads may be."""

    max_file_size: Annotated[ByteSize, Field(gt=0)] = ByteSize(1 << 30)
    """Of one file, in bytes or as in "500 MB"."""
    idle_timeout: PositiveDuration = timedelta(seconds=60)
    """How long a client may send nothing in the middle of an upload."""


class SigstoreSettings(Table):
    """`[sigstore]`: what provenance is verified with."""

    trusted_root: Annotated[FilePath | None, BeforeValidator(_none_if_empty)] = None
    """A trust root in sigstore's JSON; without one, the root that sigstore's package ships."""
    refresh: Annotated[PositiveDuration | None, BeforeValidator(_none_if_empty)] = None
    """How often the trust root is refreshed, from a TUF repository; never, where nothing is said."""
    tuf_url: WebAddress | None = None
    """The repository; without one, that of sigstore's public instance."""
    tuf_root: FilePath | None = None
    """TUF's root metadata, which trust in another repository begins with."""

    @model_validator(mode="after")
    def _fit_together(self) -> "SigstoreSettings":
        if self.refresh is not None and self.trusted_root is not None:
            raise ValueError("set trusted_root or refresh, not both")
        if (self.tuf_url is None) != (self.tuf_root is None):
            raise ValueError("another repository is a tuf_url with a tuf_root, which its metadata is verified with")
        return self


class FeedSettings(Table):
    """`[feeds.NAME]`: where advisories come from; only `osv` has a default."""

    source: FeedSource = ""
    """A zip or a folder of OSV records, by path or URL; nothing for no feed."""
    interval: PositiveDuration = timedelta(minutes=15)
    """How often it is looked at for changes."""
    ca_file: FilePath | None = None
    """Certificates, in PEM, that vouch for it in place of the system's."""


class WebhookSettings(Table):
    """`[[alerts.webhook]]`: an address that alerts are posted to."""

    url: WebhookAddress
    """Any http or https address, also of the own network. A secret where it holds a token, as Slack's do."""
    name: Label | None = None
    """What to call it; webhooks without a name are `webhook-1`, `webhook-2` and so on."""
    shape: Literal["json", "slack"] = "json"
    secret: SecretStr | None = None
    """What alerts are signed with (HMAC-SHA256)."""
    secret_file: FilePath | None = None
    """Where the secret stands alone in a file; read when the server starts."""
    ca_file: FilePath | None = None
    """Certificates, in PEM, that vouch for it in place of the system's."""

    @model_validator(mode="after")
    def _one_secret(self) -> "WebhookSettings":
        if self.secret is not None and self.secret_file is not None:
            raise ValueError("set secret or secret_file, not both")
        return self

    def signing_secret(self) -> str | None:
        """Return the secret, read from its file where it is kept in one; raise InvalidSettings."""
        if self.secret is not None:
            return self.secret.get_secret_value()
        return None if self.secret_file is None else read_secret("secret_file", self.secret_file)


class AlertSettings(Table):
    """`[alerts]`: who hears of what should be heard at once, besides the log."""

    webhook: tuple[WebhookSettings, ...] = ()

    @field_validator("webhook")
    @classmethod
    def _have_names(cls, webhooks: tuple[WebhookSettings, ...]) -> tuple[WebhookSettings, ...]:
        named = tuple(
            webhook if webhook.name else webhook.model_copy(update={"name": f"webhook-{position}"})
            for position, webhook in enumerate(webhooks, start=1)
        )
        names = [webhook.name for webhook in named]
        twice = {name for name in names if names.count(name) > 1 or name == "log"}
        if twice:
            raise ValueError(f"webhooks need names of their own, and none is called log: {', '.join(map(str, twice))}")
        return named


class AuditSettings(Table):
    """`[audit]`: where checkpoints of the audit log are kept, out of reach of whoever could rewrite the log."""

    checkpoint_file: Annotated[Path | None, BeforeValidator(_none_if_empty)] = None
    """A file that they are appended to, best on another machine's disk."""
    checkpoint_url: Annotated[WebhookAddress | None, BeforeValidator(_none_if_empty)] = None
    """An address that they are posted to, also of the own network. A secret where it holds a token."""
    checkpoint_ca_file: FilePath | None = None
    """Certificates, in PEM, that vouch for the address in place of the system's."""
    checkpoint_interval: PositiveDuration = timedelta(minutes=1)
    """How often, where there are new entries."""


class Settings(Table):
    """The whole document."""

    data: Path = Path("pinfold-data")
    """The folder of the embedded store: database, files and keys."""
    server: ServerSettings = Field(default_factory=ServerSettings)
    upstreams: dict[Label, UpstreamSettings] = Field(default_factory=dict, validate_default=True)
    indexes: dict[IndexName, IndexSettings] = Field(default_factory=dict, validate_default=True)
    publishing: PublishingSettings = Field(default_factory=PublishingSettings)
    sigstore: SigstoreSettings = Field(default_factory=SigstoreSettings)
    trusted_publishing: TrustedPublishingSettings = Field(default_factory=TrustedPublishingSettings)
    alerts: AlertSettings = Field(default_factory=AlertSettings)
    audit: AuditSettings = Field(default_factory=AuditSettings)
    feeds: dict[Label, FeedSettings] = Field(default_factory=dict, validate_default=True)

    @model_validator(mode="after")
    def _identities_have_an_audience(self) -> "Settings":
        trusted = self.trusted_publishing
        named = {name for publisher in trusted.publishers for name in publisher.indexes}
        problems = {}
        if unknown := ", ".join(sorted(named - self.indexes.keys())):
            problem = f"there is no index {unknown}{suggestion(unknown, self.indexes)}"
            problems["trusted_publishing", "publishers"] = problem
        if trusted.publishers and not self.audience:
            problem = (
                "missing: name this installation, as server.base_url would, so that no other's identities count here"
            )
            problems["trusted_publishing", "audience"] = problem
        if problems:
            raise Disagreement(problems)
        return self

    @property
    def audience(self) -> str:
        """Whom identities of workflows have to be made for."""
        return self.trusted_publishing.audience or urlsplit(self.server.base_url).netloc

    @property
    def open_indexes(self) -> frozenset[str]:
        """The indexes that anybody may read: those that say so, and where they say nothing, all that stay local."""
        default = self.server.stays_local
        return frozenset(
            name for name, index in self.indexes.items() if (default if index.anonymous is None else index.anonymous)
        )

    @field_validator("feeds")
    @classmethod
    def _have_sources(cls, feeds: dict[str, FeedSettings]) -> dict[str, FeedSettings]:
        osv = feeds.get(DEFAULT_FEED, FeedSettings())
        if "source" not in osv.model_fields_set:
            feeds = {**feeds, DEFAULT_FEED: osv.model_copy(update={"source": OSV_EXPORT})}
        return {name: feed for name, feed in feeds.items() if feed.source}

    @field_validator("upstreams")
    @classmethod
    def _have_addresses(cls, upstreams: dict[str, UpstreamSettings]) -> dict[str, UpstreamSettings]:
        upstreams = {DEFAULT_UPSTREAM: UpstreamSettings(), **upstreams}
        if nowhere := [
            name for name, upstream in upstreams.items() if upstream.url is None and name != DEFAULT_UPSTREAM
        ]:
            raise Disagreement({(name, "url"): "missing: only pypi has an address by default" for name in nowhere})
        return upstreams

    @field_validator("indexes")
    @classmethod
    def _name_upstreams(cls, indexes: dict[str, IndexSettings], info: ValidationInfo) -> dict[str, IndexSettings]:
        indexes = {DEFAULT_INDEX: IndexSettings(), **indexes}
        known = info.data.get("upstreams")
        unknown = {
            (index, "upstreams"): f"there is no [upstreams.{name}]{suggestion(name, known)}"
            for index, settings in indexes.items()
            for name in settings.upstreams
            if known is not None and name not in known
        }
        unknown |= {
            (index, "packages_from"): f"there is no other [indexes.{name}]{suggestion(name, indexes)}"
            for index, settings in indexes.items()
            for name in settings.packages_from
            if name not in indexes or name == index
        }
        if unknown:
            raise Disagreement(unknown)
        return indexes
