"""PEP 740 provenance verified with sigstore, offline and off the event loop."""
