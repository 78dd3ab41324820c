"""Plain data and errors of the field: no input or output, nothing beyond the standard library and packaging."""
