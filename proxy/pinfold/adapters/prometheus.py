"""What operators watch, counted with prometheus-client."""

from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pinfold import __version__
from pinfold.adapters.request_histogram import RequestHistogram
from pinfold.domain.advisory import Snapshot
from pinfold.domain.provenance import TrustRoot
from pinfold.ports.audit_log import Backlog


class PrometheusTelemetry:
    """Counts what the gate, the caches, the upstreams and the HTTP surface do."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        Gauge("pinfold_info", "The running version", ["version"], registry=registry).labels(__version__).set(1)
        self._requests = RequestHistogram(
            "pinfold_request_seconds", "Requests by route and status", ["route", "method", "status"]
        )
        registry.register(self._requests)
        self._decisions = Counter(
            "pinfold_decisions", "Files decided on request", ["index", "rule", "effect"], registry=registry
        )
        self._lookups = Counter(
            "pinfold_cache_lookups", "Look-ups in the caches", ["cache", "result"], registry=registry
        )
        self._stale = Counter(
            "pinfold_stale_pages", "Pages served while their upstream failed", ["upstream"], registry=registry
        )
        self._upstream = Histogram(
            "pinfold_upstream_seconds", "Requests to upstreams", ["upstream", "kind", "outcome"], registry=registry
        )

        self._verifications = Counter(
            "pinfold_provenance_verifications",
            "Provenance that was verified, by outcome",
            ["outcome"],
            registry=registry,
        )

        self._inspections = Histogram(
            "pinfold_inspection_seconds", "Inspections of archives, by outcome", ["outcome"], registry=registry
        )

        self._feed_records = Gauge(
            "pinfold_feed_records", "Records of the advisory feeds in use", ["feed"], registry=registry
        )
        self._feed_checked = Gauge(
            "pinfold_feed_checked_timestamp_seconds",
            "When an advisory feed's source last stated, or confirmed, what it holds",
            ["feed"],
            registry=registry,
        )

        self._trust_root = Gauge(
            "pinfold_trust_root_info", "What provenance is verified with", ["sha256"], registry=registry
        )
        self._trust_root_age = Gauge(
            "pinfold_trust_root_age_seconds", "Since the trust root's file was written", registry=registry
        )
        self._trust_root_checked = Gauge(
            "pinfold_trust_root_checked_timestamp_seconds",
            "When the source of the trust root last confirmed it, where it is refreshed",
            registry=registry,
        )

        self._audit_waiting = Gauge(
            "pinfold_audit_waiting_entries",
            "Entries that this process recorded durably, and that are not in the audit log yet",
            registry=registry,
        )
        self._audit_waiting_seconds = Gauge(
            "pinfold_audit_waiting_seconds", "Since the oldest of them was recorded, at most", registry=registry
        )
        self._audit_failed = Gauge(
            "pinfold_audit_take_up_failed",
            "Whether the audit log took nothing up when it was asked last: nothing more is served until it does",
            registry=registry,
        )

    def decided(self, index: str, rule: str, effect: str) -> None:
        """Count a file's decision."""
        self._decisions.labels(index, rule, effect).inc()

    def looked_up(self, cache: str, *, hit: bool) -> None:
        """Count a look-up."""
        self._lookups.labels(cache, "hit" if hit else "miss").inc()

    def stale_page(self, upstream: str) -> None:
        """Count a stale page."""
        self._stale.labels(upstream).inc()

    def asked_upstream(self, upstream: str, kind: str, seconds: float, outcome: str) -> None:
        """Count a request to an upstream."""
        self._upstream.labels(upstream, kind, outcome).observe(seconds)

    def verified_provenance(self, outcome: str) -> None:
        """Count a verification of provenance."""
        self._verifications.labels(outcome).inc()

    def inspected(self, outcome: str, seconds: float) -> None:
        """Count an inspection."""
        self._inspections.labels(outcome).observe(seconds)

    def audit_log(self, backlog: Callable[[], Backlog]) -> None:
        """Tell from now on what waits for the audit log, as of each reading."""
        self._audit_waiting.set_function(lambda: backlog().entries)
        self._audit_waiting_seconds.set_function(lambda: backlog().seconds)
        self._audit_failed.set_function(lambda: backlog().failure is not None)

    def trust_root(self, root: TrustRoot) -> None:
        """Tell the trust root from now on, with its age as of each reading."""
        self._trust_root.clear()
        self._trust_root.labels(root.sha256).set(1)
        self._trust_root_age.set_function(lambda: root.age(datetime.now(UTC)).total_seconds())

    def trust_root_checked(self, checked_at: datetime | None) -> None:
        """Tell when the trust root was last confirmed: its age is for the reader to compute."""
        if checked_at is not None:
            self._trust_root_checked.set(checked_at.timestamp())

    def feed(self, snapshot: Snapshot, checked_at: datetime | None) -> None:
        """Tell what a feed holds, and when that was last confirmed: its age is for the reader to compute."""
        self._feed_records.labels(snapshot.feed).set(snapshot.records)
        if checked_at is not None:
            self._feed_checked.labels(snapshot.feed).set(checked_at.timestamp())

    def requests(self, route: str, method: str, status: int) -> Callable[[float], None]:
        """Return what counts requests of clients; methods beyond HTTP's own are one, so that labels stay few."""
        known = method if method in {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} else "other"
        return self._requests.labels(route, known, str(status)).observe

    def render(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self._registry)
