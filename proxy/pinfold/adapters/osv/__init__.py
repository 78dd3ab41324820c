"""Advisory feeds of OSV records, by path or URL."""
