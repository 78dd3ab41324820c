"""Words without which a module cannot execute what it decodes: most have none, and need not be parsed."""

import re

from ahocorasick_rs import AhoCorasick, MatchKind

_DECODING = (
    *("b64decode", "b32decode", "b16decode", "b85decode", "a85decode"),
    *("decodebytes", "decodestring", "codecs.decode", "decompress", "decrypt", "marshal"),
    *("unhexlify", "a2b_", "fromhex", "chr(", "chr,", "rot13", "rot_13"),
    *(f"{quote}{codec}{quote}" for quote in "'\"" for codec in ("hex", "base64", "zlib")),
)
_OF_OS = r"os(?<!\wos)\s*\.\s*"
_EXECUTING = [
    (word, re.compile(expression))
    for word, expression in (
        *((word, rf"{word}(?<![.\w]{word})\b") for word in ("exec", "eval", "compile")),
        *((word, _OF_OS + word) for word in ("exec", "system", "popen", "spawn")),
        *((word, rf"import\s+{word}") for word in ("system", "popen")),
        *((word, word) for word in ("builtins", "subprocess", "FunctionType", "CodeType", "runpy")),
    )
]
"""With how each has to stand there, which one that begins within another one never does.

Each expression begins with plain letters, which are looked for fast.
"""
_LONG = 1000
_LONG_RUN = re.compile(rf"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/=_-]{{{_LONG}}}")

# The one kind of match for which it compares many places of the text, and many words, at once.
_find_decoding = AhoCorasick(_DECODING, MatchKind.LeftmostFirst).find_matches_as_strings
_find_executing = AhoCorasick({word for word, _ in _EXECUTING}, MatchKind.LeftmostFirst).find_matches_as_strings


def hints_at_decoding(text: str) -> bool:
    """Tell whether a module may have something that nobody can read."""
    if _find_decoding(text):
        return True
    return _has_long_line(text) and any(len(line) >= _LONG and _LONG_RUN.search(line) for line in text.split("\n"))


def hints_at_executing(text: str) -> bool:
    """Tell whether a module may execute what it makes."""
    found = set(_find_executing(text))
    return any(word in found and expression.search(text) for word, expression in _EXECUTING)


def _has_long_line(text: str) -> bool:
    begin = 0
    while begin + _LONG <= len(text):
        end = text.rfind("\n", begin, begin + _LONG)
        if end < 0:
            return True
        begin = end + 1
    return False
