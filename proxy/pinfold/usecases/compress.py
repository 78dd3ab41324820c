"""Content encodings, done once for what is kept."""

import sys
import zlib

from pinfold.index.negotiate import Encoding

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def compress(body: bytes, encoding: Encoding) -> bytes:
    """Return a body in a content encoding; the same body always gives the same bytes."""
    match encoding:
        case Encoding.GZIP:
            return zlib.compress(body, level=5, wbits=zlib.MAX_WBITS | 16)
        case Encoding.ZSTD:
            return zstd.compress(body, level=3)
        case _:
            return body
