"""Advisories without input or output: from OSV records to claims, and from claims to the files that they mean."""
