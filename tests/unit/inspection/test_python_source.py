"""Code that nobody can read: what is taken for it, what is not, and sources made to break the one who looks."""

import base64
import re
import time
import tokenize
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinfold.domain.inspection import Kind, Observation
from pinfold.inspection.limits import Limits
from pinfold.inspection.notes import Notes
from pinfold.inspection.python_source import NotRead, decode, note_module, parse


def full_width(name: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) for letter in name)


BLOB = base64.b64encode(bytes(range(256)) * 8).decode()

OPAQUE = {
    "plain": "import base64\nexec(base64.b64decode('cHJpbnQoKQ=='))",
    "imported under another name": "from base64 import b64decode as d\nexec(d('cHJpbnQoKQ=='))",
    "compressed": "import zlib, base64\nexec(zlib.decompress(base64.b85decode('x')))",
    "marshalled": "import marshal\nexec(marshal.loads(b'x'))",
    "function of code": "import marshal, types\ntypes.FunctionType(marshal.loads(b'x'), globals())()",
    "hexadecimal": "eval(compile(bytes.fromhex('7072696e74'), '<x>', 'exec'))",
    "by a codec": "import codecs\nexec(codecs.decode('cevag()', 'rot13'))",
    "by characters": "exec(''.join(chr(c ^ 7) for c in [119, 117, 110, 105, 115]))",
    "by mapped characters": "exec(''.join(map(chr, [112, 114])))",
    "over names": "import base64\na = 'x'\nb = base64.b64decode(a)\nc = b.decode()\nexec(c)",
    "by a function": "import base64\ndef f(x):\n    y = base64.b64decode(x)\n    return y\nexec(f('x'))",
    "by a lambda": (
        "_ = lambda __: __import__('zlib').decompress(__import__('base64').b64decode(__[::-1]))\nexec((_)(b'x'))"
    ),
    "in passing": "import base64\nexec((x := base64.b64decode('x')))",
    "under an alias": "import base64\nrun = exec\nrun(base64.b64decode('x'))",
    "through builtins": "import base64, builtins\ngetattr(builtins, 'ex' + 'ec')(base64.b64decode('x'))",
    "through a dictionary": "import base64\n__builtins__.__dict__['exec'](base64.b64decode('x'))",
    "through an import": "import base64\n__import__('builtins').exec(base64.b64decode('x'))",
    "in full-width letters": f"import base64\n{full_width('exec')}(base64.{full_width('b64decode')}('x'))",
    "by a shell": "import os, base64\nos.system(base64.b64decode('x').decode())",
    "by a shell under another name": (
        "from os import system as s\nfrom base64 import b64decode\ns(b64decode('x').decode())"
    ),
    "by another interpreter": (
        "import subprocess, sys\nB = 'x'\n"
        "subprocess.Popen([sys.executable, '-c', f'import base64; exec(base64.b64decode({B!r}))'])"
    ),
    "on an attribute": "import base64\nclass A:\n    def f(self):\n        self.c = base64.b64decode('x')\n"
    "    def g(self):\n        exec(self.c)",
    "by a global": "import base64\ndef f():\n    global c\n    c = base64.b64decode('x')\ndef g():\n    exec(c)",
    "written out and run": (
        f"import base64, subprocess, sys\nBLOB = '{BLOB}'\n"
        "open('/tmp/p.py', 'wb').write(base64.b64decode(BLOB))\nsubprocess.run([sys.executable, '/tmp/p.py'])"
    ),
}

PLAIN = {
    "nothing": "",
    "decoding only": "import base64\nICON = base64.b64decode('x')",
    "executing only": "exec(open('setup.cfg').read())",
    "decoding beside executing": "import base64, subprocess\nICON = base64.b64decode('x')\nsubprocess.run(['ls'])",
    "a regular expression": "import re, base64\nre.compile(base64.b64decode('x').decode())",
    "a model's own eval": "import base64\nmodel.load(base64.b64decode('x'))\nmodel.eval(base64.b64decode('x'))",
    "floats": "x = float.fromhex('0x1p3')\neval(repr(x))",
    "names in other functions": "import base64\ndef f():\n    a = base64.b64decode('x')\ndef g(a):\n    exec(a)",
    "text of bytes": "import subprocess\nx = b'abc'.decode('utf-8')\nsubprocess.run([x])",
    "a word in a comment": "# exec(base64.b64decode(x)) is what malware does\nx = 1",
    "a word in a docstring": "'''Never exec(base64.b64decode(x)).'''\nimport subprocess\nsubprocess.run(['ls'])",
    "long text": "import subprocess, zlib\nTEXT = '"
    + "many words of text " * 200
    + "'\nzlib.decompress(TEXT)\nsubprocess.run([])",
}


def look(source: str | bytes) -> list[Observation]:
    notes = Notes(Limits())
    body = source if isinstance(source, bytes) else source.encode()
    note_module("acme/x.py", "acme/x.py", body, notes)
    return [trait.observation for trait in notes.traits]


@pytest.mark.parametrize("case", OPAQUE)
def test_executing_what_is_decoded_is_seen(case: str) -> None:
    (observation, *_) = look(OPAQUE[case])
    assert observation.kind is Kind.NEW_OPAQUE_CODE
    assert observation.line is not None


@pytest.mark.parametrize(
    "decoded",
    [
        *(f"base64.{word}('x')" for word in ("b64decode", "b32decode", "b16decode", "b85decode", "a85decode")),
        *(f"base64.{word}(b'x')" for word in ("decodebytes", "decodestring", "urlsafe_b64decode")),
        *("binascii.unhexlify('x')", "binascii.a2b_base64('x')", "bytes.fromhex('x')", "zlib.decompress(b'x')"),
        *(
            "marshal.loads(b'x')",
            "Fernet(k).decrypt(b'x')",
            "''.join(map(chr, k))",
            "''.join(chr(c) for c in k)",
        ),
        *("'x'.encode().decode('rot13')", "codecs.decode('x', 'rot_13')"),
        *(f"x.decode({quote}{codec}{quote})" for quote in "'\"" for codec in ("hex", "base64", "zlib")),
    ],
)
def test_whatever_decodes_is_looked_at(decoded: str) -> None:
    assert look(f"exec({decoded})") != []


@pytest.mark.parametrize(
    ("imported", "executing"),
    [
        *(("import os", f"os . {name}") for name in ("system", "popen", "execv", "spawnl", "spawnv")),
        *((f"from os import {name}", name) for name in ("system", "popen")),
        *((f"from builtins import {name} as f", "f") for name in ("exec", "eval", "compile")),
        *(("import types as t", f"t.{name}") for name in ("FunctionType", "CodeType")),
        ("import runpy", "runpy.run_path"),
        ("from subprocess import call as f", "f"),
        ("import sys", "sys.modules['builtins'].exec"),
    ],
)
def test_whatever_executes_is_looked_at(imported: str, executing: str) -> None:
    (observation,) = look(f"{imported}\nimport base64\n{executing}(base64.b64decode('x'))")
    assert observation.line == 3


@pytest.mark.parametrize("case", PLAIN)
def test_decoding_and_executing_apart_is_not(case: str) -> None:
    assert look(PLAIN[case]) == []


def test_the_place_and_the_means_are_told() -> None:
    (observation,) = look("import base64\n\n\nexec(base64.b64decode('x'))")
    assert observation.line == 4
    assert observation.text == "exec executes what is decoded on the spot"


SUSPECT = "import base64\nexec(base64.b64decode('x'))\n"

BOMBS = {
    "parentheses": SUSPECT + "(" * 200_000 + ")" * 200_000,
    "unary operators": SUSPECT + "-" * 200_000 + "1",
    "a long sum": SUSPECT + "+".join(["1"] * 45_000),
    "attributes": SUSPECT + "a" + ".b" * 45_000,
    "calls": SUSPECT + "a" + "()" * 45_000,
    "lambdas": SUSPECT + "lambda:" * 40_000 + "1",
    "else branches": SUSPECT + "if 1:\n pass\n" + "elif 1:\n pass\n" * 15_000,
    "nested format strings": SUSPECT + "f'{" * 200 + "1" + "}'" * 200,
    "many numbers": SUSPECT + "x = [" + "0," * 900_000 + "]",
    "many lines": SUSPECT + "a\n" * 900_000,
    "a huge number": SUSPECT + "x = " + "9" * 1_000_000,
    "a nul": SUSPECT + "\0",
    "nested dictionaries": SUSPECT + "a" + ".__dict__" * 45_000 + "()",
    "no Python": SUSPECT + "print 'hello'",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_source_made_to_break_the_parser_is_told_as_not_read(bomb: str) -> None:
    started = time.process_time()
    (observation,) = look(BOMBS[bomb])
    assert observation.kind is Kind.NEW_UNREAD_SOURCE
    assert time.process_time() - started < 3


SLOW = {
    "a name in every function": "import zlib\n" + "def f():\n a = zlib.decompress(b)\n exec(a)\n" * 4_500,
    "a name in every statement": "import zlib\na = zlib.decompress(b)\n" + "a = exec(a)\n" * 12_000,
    "a chain of names": "import zlib\na0 = zlib.decompress(b)\n"
    + "".join(f"a{n + 1} = a{n}\n" for n in range(24_000))
    + "exec(a1)",
    "long sums of one name": "import zlib\na = zlib.decompress(b)\n"
    + ("a = " + "+".join(["a"] * 900) + "\n") * 50
    + "exec(a)",
    "large literals": "import zlib, subprocess\nsubprocess.run(x)\n"
    + f"a = '{'A' * 1000}'\n" * 1_000
    + "f(a)\n" * 15_000,
    "nested functions": "import zlib\n"
    + "".join(" " * n + "def f():\n" for n in range(90))
    + (" " * 90 + "a = zlib.decompress(a)\n") * 3_000
    + " " * 90
    + "exec(a)",
}


@pytest.mark.parametrize("case", SLOW)
def test_a_source_made_to_be_slow_to_follow_is_followed_soon(case: str) -> None:
    started = time.process_time()
    observations = look(SLOW[case])
    assert time.process_time() - started < 5
    assert {observation.kind for observation in observations} <= {Kind.NEW_OPAQUE_CODE}


@pytest.mark.parametrize(
    "source",
    [
        b"# coding: utf-7\n+AGUAeABlAGMAKAAxACk-\n",
        b"\r# coding: utf-7\r+AGUAeABlAGMAKAAxACk-\n",
        b"#\r\n\f# coding: utf-7\r+AGUAeABlAGMAKAAxACk-\n",
        b"# coding: unicode_escape\n\\x65xec(1)\n",
        b"# coding: cp037\n",
        b"# coding: utf-16\n",
        b"# coding: nowhere\n",
        b"# coding: rot13\n",
        b"# coding: punycode\n",
        b"\xff\xfe not utf-8\n",
    ],
    ids=lambda source: source[:24].decode("latin-1"),
)
def test_a_source_that_hides_its_text_is_told_as_not_read(source: bytes) -> None:
    (observation,) = look(source)
    assert observation.kind is Kind.NEW_UNREAD_SOURCE


def test_a_source_too_long_to_be_kept_is_told_as_not_read() -> None:
    notes = Notes(Limits())
    note_module("acme/x.py", "acme/x.py", None, notes)
    assert [trait.observation.kind for trait in notes.traits] == [Kind.NEW_UNREAD_SOURCE]


def test_older_encodings_are_read() -> None:
    assert look("# coding: latin-1\nNAME = 'Jürgen'\n".encode("latin-1")) == []
    (observation,) = look(f"# coding: latin-1\n{SUSPECT}# Jürgen\n".encode("latin-1"))
    assert observation.kind is Kind.NEW_OPAQUE_CODE


def test_escapes_that_python_warns_of_warn_nobody_here() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (observation,) = look(SUSPECT + "x = '\\d'\n")
    assert observation.kind is Kind.NEW_OPAQUE_CODE


PIECES = [
    *(b"\xef\xbb\xbf", b"#", b" ", b"\t", b"\f", b"\n", b"\r", b"\r\n", b"\0", b"x = 1", b"\xe9", "é".encode()),
    *(
        b"# coding: latin-1",
        b"coding=utf-8",
        b"# -*- coding: utf-8-sig -*-",
        b"# encoding: ascii",
        b"# Coding: latin-1",
    ),
]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join))
def test_a_source_is_decoded_as_python_decodes_it(source: bytes) -> None:
    try:
        # Python's own reading ends lines at carriage returns as well.
        encoding, _ = tokenize.detect_encoding(iter(source.splitlines(keepends=True)).__next__)
        expected = source.decode(encoding)
    except (SyntaxError, ValueError):
        with pytest.raises(NotRead):
            decode(source)
    else:
        assert decode(source) == expected


@settings(max_examples=500, deadline=None)
@given(st.text("ab_1 \t\n\r\f.+'\"=é文·\u2028\xa0\x1c\\", max_size=40), st.integers(0, 40))
def test_what_has_too_many_words_and_signs_is_not_parsed(text: str, most: int) -> None:
    is_too_much = len(re.findall(r"\w+|[^\w\s]|\n", text)) > most
    why = ""
    try:
        parse(text, Limits(tokens=most))
    except NotRead as error:
        why = str(error)
    assert why.startswith("source of more than") is is_too_much
