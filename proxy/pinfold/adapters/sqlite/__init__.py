"""The embedded default's stores: two SQLite files that any number of processes work on."""
