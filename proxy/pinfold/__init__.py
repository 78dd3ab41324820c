"""Pinfold: a package index proxy that decides every page and every file against policies."""

__version__ = "0.1.0"
