"""Pages of this index, in either representation."""

from pinfold.index.render_html import html_entry, html_page, render_html, render_names_html
from pinfold.index.render_json import json_entry, json_page, render_json, render_names_json

__all__ = [
    "html_entry",
    "html_page",
    "json_entry",
    "json_page",
    "render_html",
    "render_json",
    "render_names_html",
    "render_names_json",
]
