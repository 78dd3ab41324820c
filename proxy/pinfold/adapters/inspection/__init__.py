"""Inspection in processes of its own: parsing holds an interpreter's lock, and archives may be hostile."""
