"""Python modules that carry code nobody can read: encoded or compressed, decoded on the spot, and executed.

The source is parsed, never run. What is looked for is a flow inside one module, from something that decodes to
something that executes, over any number of names. It is meant to catch what malware does today, not what it could do.
"""

import ast
import codecs
import re
import string
import threading
import tokenize
import unicodedata
import warnings
from itertools import islice

from pinfold.domain.inspection import Kind
from pinfold.inspection.hints import hints_at_decoding, hints_at_executing
from pinfold.inspection.limits import Limits
from pinfold.inspection.notes import Notes
from pinfold.inspection.opaque_flow import find_opaque_flow

_WORDS = re.compile(r"\w+|[^\w\s]|\n")
_LONG_LITERAL = re.compile(r"""(['"])[A-Za-z0-9+/=_\\-]{100,}\1""")
_KINDS = b"".join(
    b"a" if re.match(rb"\w", bytes([byte])) else b" " if re.match(rb"[^\S\n]", bytes([byte])) else b"+"
    for byte in range(256)
)
"""What each byte of a text is of: a word, space, or a sign, as which all beyond ASCII count."""
# As Python ends them, where tokenize knows the line feed alone.
_LINE = re.compile(rb"[^\r\n]*+(?:\r\n?|\n)|[^\r\n]++")
# All of ASCII, and escapes that some codecs resolve before Python sees the source.
_PLAIN = string.printable.replace("\\", "") + r"\x41\u0041"

# Python's warning filters are one for the whole process.
_parsing = threading.Lock()


class NotRead(Exception):
    """A module cannot be looked at; the message says why."""


def note_module(path: str, file: str, source: bytes | None, notes: Notes, *, aside: bool = False) -> None:
    """Remember what is to be told of a module.

    `path` is what it is known by from one release to the next, `file` where it is in the archive; the source is None
    where it was too long to be kept. What stands `aside` of the packages is not installed with them.
    """
    if source is None:
        notes.remember(Kind.NEW_UNREAD_SOURCE, path, f"source of more than {notes.limits.source} bytes", file)
    else:
        note_opaque_code(path, file, source, notes, Kind.NEW_OPAQUE_CODE_ASIDE if aside else Kind.NEW_OPAQUE_CODE)


def note_opaque_code(path: str, file: str, source: bytes, notes: Notes, kind: Kind = Kind.NEW_OPAQUE_CODE) -> None:
    """Remember where a module executes what it has decoded, or that it cannot be told."""
    try:
        text = decode(source)
        if not hints_at_decoding(text) or not hints_at_executing(text):
            return
        flows = find_opaque_flow(parse(text, notes.limits))
    except NotRead as error:
        notes.remember(Kind.NEW_UNREAD_SOURCE, path, str(error), file)
        return
    for flow in flows:
        notes.remember(kind, f"{path}:{flow.identity}", flow.text, file, flow.line)


def decode(source: bytes) -> str:
    """Return a module's text as Python reads it; raise NotRead where that hides what is written."""
    try:
        encoding = _encoding_of(source)
        if encoding != "utf-8" and _PLAIN.encode("ascii").decode(encoding) != _PLAIN:
            raise NotRead(f"source in {encoding}, in which ASCII is not what it seems")
        text = source.decode(encoding)
    except (SyntaxError, ValueError, LookupError) as error:
        raise NotRead(f"source that cannot be decoded: {error}") from error
    # Python takes identifiers in full-width or mathematical letters for the plain ones.
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _encoding_of(source: bytes) -> str:
    """Return the encoding that a module begins by saying it is in, as Python looks for it (PEP 263)."""
    lines = [line[0] for line in islice(_LINE.finditer(source), 2)]
    if not source.startswith(codecs.BOM_UTF8) and not any(b"coding" in line for line in lines):
        # Nearly every module: Python would look closer for what is not there.
        return "utf-8"
    return tokenize.detect_encoding(iter(lines).__next__)[0]


def parse(text: str, limits: Limits) -> ast.Module:
    """Return the syntax tree of a module; raise NotRead for what is too large or is no Python."""
    if len(text) > limits.tokens and _most_words(text) > limits.tokens:
        words = _WORDS.finditer(_LONG_LITERAL.sub("''", text))
        if next(islice(words, limits.tokens, None), None) is not None:
            raise NotRead(f"source of more than {limits.tokens} words and signs")
    try:
        with _parsing, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotRead(f"source that Python cannot parse: {type(error).__name__}") from error


def _most_words(text: str) -> int:
    """Return how many words and signs a text has at most, in a tenth of the time that it takes to count them."""
    kinds = text.encode().translate(_KINDS)
    return kinds.count(b"+") + kinds.count(b" a") + kinds.count(b"+a") + kinds.startswith(b"a")
