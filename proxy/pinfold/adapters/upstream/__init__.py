"""Indexes of the simple API over HTTP."""

from pinfold.adapters.upstream.client import HttpUpstream, Observer
from pinfold.adapters.upstream.options import UpstreamOptions

__all__ = ["HttpUpstream", "Observer", "UpstreamOptions"]
