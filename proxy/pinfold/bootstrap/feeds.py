"""Connect advisory feeds to where their records come from."""

from contextlib import AsyncExitStack
from pathlib import Path

from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.adapters.osv.local import LocalFeed
from pinfold.adapters.osv.remote import RemoteFeed
from pinfold.adapters.upstream.options import UpstreamOptions
from pinfold.adapters.upstream.transport import Transport
from pinfold.ports.advisories import FeedSource
from pinfold.settings import FeedSettings, Settings
from pinfold.usecases.watch_feeds import Feed


def open_feeds(settings: Settings, data: DataDirectory, stack: AsyncExitStack) -> tuple[Feed, ...]:
    """Return every configured feed; those that fetch are closed with `stack`."""
    return tuple(Feed(_source(name, feed, data, stack), feed.interval) for name, feed in settings.feeds.items())


def _source(name: str, feed: FeedSettings, data: DataDirectory, stack: AsyncExitStack) -> FeedSource:
    if "://" not in feed.source:
        return LocalFeed(name, Path(feed.source))
    remote = RemoteFeed(name, Transport(UpstreamOptions(name, feed.source, ca_file=feed.ca_file)), data.incoming)
    stack.push_async_callback(remote.aclose)
    return remote
