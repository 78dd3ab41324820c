"""The outside world: each package implements ports."""
