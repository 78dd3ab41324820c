"""Plain data and errors of the field: no input or output, nothing beyond the standard library, packaging and msgspec.

What a long page has thousands of is a `msgspec.Struct` rather than a dataclass: it is made in a tenth of the time, and
the garbage collector need not look at it (`gc=False`), since frozen data never leads back to itself.
"""
