"""How much a feed may measure before it is taken for an attack or an accident; OSV's has about a twentieth."""

MAX_ARCHIVE = 1 << 30
"""Bytes of a zip."""
MAX_RECORDS = 2_000_000
MAX_RECORD = 16 << 20
"""Bytes of one record."""
MAX_CONTENT = 8 << 30
"""Bytes of all records together."""
MAX_RATIO = 200
"""By how much a zip may be smaller than its content, which is JSON: some ten times, in all that are honest."""
MAX_CHANGES_LIST = 64 << 20
"""Bytes of a list of changes that are read."""
