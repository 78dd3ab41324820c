import re

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from pinfold.adapters.request_histogram import BOUNDS, RequestHistogram

LABELS = ["route", "status"]
seconds = st.one_of(st.sampled_from(BOUNDS[:-1]), st.floats(0, 20))
requests = st.lists(st.tuples(st.sampled_from(["/simple/", "-", 'a"b\\c\n']), st.sampled_from(["200", "404"]), seconds))


def rendered(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if not re.match(r"(# \w+ )?pinfold_request_seconds_created", line)]


@given(requests)
def test_it_renders_what_the_librarys_own_histogram_does(observed: list[tuple[str, str, float]]) -> None:
    theirs, registry = CollectorRegistry(), CollectorRegistry()
    expected = Histogram("pinfold_request_seconds", "Requests", LABELS, registry=theirs)
    histogram = RequestHistogram("pinfold_request_seconds", "Requests", LABELS)
    registry.register(histogram)
    for route, status, took in observed:
        expected.labels(route, status).observe(took)
        histogram.labels(route, status).observe(took)
    assert rendered(registry) == rendered(theirs)
