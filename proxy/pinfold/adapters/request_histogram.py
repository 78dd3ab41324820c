"""How long requests took, as a histogram that one thread counts in: without locks, it takes a quarter of the time."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

BOUNDS: Final = tuple(float(bound) for bound in Histogram.DEFAULT_BUCKETS)
_NAMES: Final = (*map(str, BOUNDS[:-1]), "+Inf")


class Durations:
    """What was observed of requests that have all their labels in common."""

    __slots__ = ("_counts", "_total")

    def __init__(self) -> None:
        self._counts = [0] * len(BOUNDS)
        self._total = 0.0

    def observe(self, seconds: float) -> None:
        """Count a request."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._total += seconds

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Tell how many requests took up to each bound, and how long all took together."""
        family.add_metric(labels, list(zip(_NAMES, accumulate(self._counts), strict=True)), self._total)


class RequestHistogram(Collector):
    """A histogram for each set of labels, which the thread that counts renders as well."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._about = (name, documentation)
        self._labels = labels
        self._durations: dict[tuple[str, ...], Durations] = {}

    def labels(self, *values: str) -> Durations:
        """Return what counts requests with these labels."""
        return self._durations.setdefault(values, Durations())

    def collect(self) -> Iterable[Metric]:
        """Return everything, for the registry to render."""
        family = HistogramMetricFamily(*self._about, labels=self._labels)
        for values, durations in self._durations.items():
            durations.add_to(family, values)
        return (family,)
