"""Pages of this index, in either representation."""

from pinfold.index.render_html import render_html, render_names_html
from pinfold.index.render_json import render_json, render_names_json

__all__ = ["render_html", "render_json", "render_names_html", "render_names_json"]
