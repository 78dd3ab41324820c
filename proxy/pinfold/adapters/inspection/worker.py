"""The process that inspects: reads asks from its standard input, and ends when nobody is there to ask."""

import gc
import logging
import resource
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from pinfold.adapters.inspection.messages import Answer, Ask
from pinfold.inspection import inspect

MEMORY = 1 << 30
"""Bytes of address space: what an archive cannot do with that, it does not get done."""
YOUNG = 20_000
"""So many objects are made before garbage is looked for: a syntax tree has thousands, none of which is."""


def main() -> None:
    """Answer one ask after the other."""
    logging.basicConfig(level=logging.CRITICAL)
    _renounce()
    gc.freeze()
    gc.set_threshold(YOUNG)
    ask, encoder = msgspec.json.Decoder(Ask), msgspec.json.Encoder()
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(encoder.encode(_answer(ask.decode(line))) + b"\n")
        sys.stdout.buffer.flush()


def _renounce() -> None:
    """Give up what inspecting needs none of: memory without end, and writing files."""
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        # A sandbox that forbids even this has bounds of its own.
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (most, most))


def _answer(ask: Ask) -> Answer:
    try:
        return Answer(inspect(Path(ask.path), ask.filename, ask.project, ask.version))
    except OSError as error:
        return Answer(why=f"the file cannot be read: {error.strerror or type(error).__name__}")


if __name__ == "__main__":
    main()
