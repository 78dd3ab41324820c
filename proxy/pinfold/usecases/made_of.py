"""What a page is made of, in a form that other processes can compare."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from pinfold.usecases.judgement import Basis


def made_of(basis: Basis, metadata: Mapping[str, str | None], form: object) -> str | None:
    """Return a digest that two pages share only where all that they are made of is equal; None where none can tell.

    `form` is how the page is rendered. What is equal may well have different digests: that costs a page that is made
    again. Nothing is left out by its name but what is told in other words, so that whatever is added counts as well.
    Where many files were inspected this takes too long for the event loop.
    """
    listing, source, index = basis.found.stored.digest, basis.found.source, basis.index
    if listing is None:
        return None
    # Of others' records only the revision counts, which is not exact: waivers leave without it when they expire.
    grounds = replace(basis.grounds, records=basis.grounds.records.for_project(basis.name))
    parts = (
        form,
        basis.name,
        listing,
        (source.name, _fields_of(source, but={"upstream"})),
        (index.policy.digest, _fields_of(index, but={"policy", "sources"})),
        grounds,
        sorted(metadata.items()),
    )
    # All of these are plain data, whose representations tell types, names and values.
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _fields_of(value: Any, but: set[str]) -> list[tuple[str, object]]:
    return [(field.name, getattr(value, field.name)) for field in fields(value) if field.name not in but]
