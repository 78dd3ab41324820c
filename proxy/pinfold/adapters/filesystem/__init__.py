"""The embedded default's data directory, and the bytes of files in it."""
