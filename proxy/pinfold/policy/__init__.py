"""Policies: pure code from a file's evidence to a decision."""
