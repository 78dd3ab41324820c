"""Pages of an upstream index, in either representation, as domain data.

Every parser takes bytes from the network and raises nothing but InvalidPage. A page of thousands of files takes tens
of milliseconds in JSON and hundreds in HTML, so that large bodies are for a worker thread.
"""

from pinfold.index.parse_html import parse_names_html, parse_project_html
from pinfold.index.parse_json import parse_names_json, parse_project_json

__all__ = ["parse_names_html", "parse_names_json", "parse_project_html", "parse_project_json"]
