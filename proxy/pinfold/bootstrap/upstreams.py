"""Connect indexes to the upstreams that they draw from."""

from contextlib import AsyncExitStack

from pinfold.adapters.filesystem.policy_files import PolicyFiles
from pinfold.adapters.prometheus import PrometheusTelemetry
from pinfold.adapters.upstream.client import HttpUpstream
from pinfold.adapters.upstream.options import UpstreamOptions
from pinfold.bootstrap.stores import Stores
from pinfold.settings import Settings
from pinfold.usecases.indexes import Index, Refusals, Source
from pinfold.usecases.published_upstream import PublishedUpstream


def open_upstreams(
    settings: Settings, telemetry: PrometheusTelemetry, stack: AsyncExitStack
) -> dict[str, HttpUpstream]:
    """Return a client for every upstream, by its name, to be closed with `stack`."""
    upstreams = {}
    for name in settings.upstreams:
        upstreams[name] = upstream = HttpUpstream(_options(settings, name), observer=telemetry.asked_upstream)
        stack.push_async_callback(upstream.aclose)
    return upstreams


def load_indexes(
    settings: Settings, policies: PolicyFiles, upstreams: dict[str, HttpUpstream], stores: Stores
) -> dict[str, Index]:
    """Return every index, by its name, with its policy. Raises InvalidPolicy."""
    published = {
        name: Source(PublishedUpstream(name, stores.published, stores.blobs), private=True, first_hand=True)
        for name in settings.indexes
    }
    return {
        name: Index(
            name=name,
            sources=(
                *(published[shown] for shown in (name, *index.packages_from)),
                *(_source(settings, upstreams[upstream]) for upstream in index.upstreams),
            ),
            policy=policies.load(index.policy),
            private=index.private,
            refusals=Refusals(index.refusals),
            pins=index.pins,
        )
        for name, index in settings.indexes.items()
    }


def _source(settings: Settings, upstream: HttpUpstream) -> Source:
    chosen = settings.upstreams[upstream.name]
    return Source(upstream, chosen.freshness, chosen.private, chosen.fetch_ahead)


def _options(settings: Settings, name: str) -> UpstreamOptions:
    upstream = settings.upstreams[name]
    username, password = upstream.credentials() or (None, None)
    return UpstreamOptions(
        name=name,
        url=upstream.address,
        file_hosts=upstream.file_hosts,
        username=username,
        password=password,
        ca_file=upstream.ca_file,
        connect_timeout=upstream.connect_timeout.total_seconds(),
        idle_timeout=upstream.idle_timeout.total_seconds(),
        total_timeout=upstream.total_timeout.total_seconds(),
    )
