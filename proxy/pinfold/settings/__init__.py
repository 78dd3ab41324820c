"""The configuration: what can be set, its defaults, and where each value comes from."""

from pinfold.settings.load import load_settings
from pinfold.settings.model import FeedSettings, IndexSettings, ServerSettings, Settings, UpstreamSettings

__all__ = ["FeedSettings", "IndexSettings", "ServerSettings", "Settings", "UpstreamSettings", "load_settings"]
