"""The configuration: what can be set, its defaults, and where each value comes from."""

from pinfold.settings.load import load_settings
from pinfold.settings.model import IndexSettings, ServerSettings, Settings, UpstreamSettings

__all__ = ["IndexSettings", "ServerSettings", "Settings", "UpstreamSettings", "load_settings"]
