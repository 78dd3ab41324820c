"""Compiled code and archives inside archives, told by their first bytes and by their names."""

import re

from pinfold.domain.inspection import Kind
from pinfold.inspection.notes import Notes

_MAGIC = {
    b"\x7fELF": "an ELF binary",
    b"MZ": "a Windows binary",
    b"\xfe\xed\xfa\xce": "a Mach-O binary",
    b"\xfe\xed\xfa\xcf": "a Mach-O binary",
    b"\xce\xfa\xed\xfe": "a Mach-O binary",
    b"\xcf\xfa\xed\xfe": "a Mach-O binary",
    b"\0asm": "a WebAssembly binary",
}
_FAT_MAGIC = (b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf")
# Java class files begin with the same four bytes; the number after them is a version there, and 45 is the first.
_MAX_FAT_ARCHITECTURES = 44
_DOS_HEADER = 64
_BINARY_NAME = re.compile(r".*\.(?:so|pyd|dylib|dll|exe|node)(?:\.[0-9.]+)?", re.IGNORECASE | re.DOTALL)
_ARCHIVE_MAGIC = {
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b\x08": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\0": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstandard file",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a rar archive",
}
_BEGINNINGS = (*_MAGIC, *_FAT_MAGIC, *_ARCHIVE_MAGIC)
_BUILD_HASH = re.compile(r"-[0-9a-f]{8,}(?:-[0-9a-f]{8,})*")


def note_binary(path: str, file: str, head: bytes, notes: Notes) -> None:
    """Remember a file that is compiled code, or an archive of its own.

    `path` is what it is known by from one release to the next, `file` where it is in the archive.
    """
    folder, _, name = path.rpartition("/")
    named_so = _BINARY_NAME.fullmatch(name) is not None
    if name.lower().endswith(".pyc"):
        # Distributions of compiled Python have thousands of them; one a folder tells enough.
        notes.remember(Kind.NEW_BINARY, f"{folder}/*.pyc", "compiled Python, which runs in place of its source", file)
    elif not named_so and not head.startswith(_BEGINNINGS):
        return
    elif (format_name := _binary_format(head)) or named_so:
        text = format_name or "a binary by its name"
        notes.remember(Kind.NEW_BINARY, _stable(path), text if named_so else f"{text}, not named as one", file)
    elif found := next((text for magic, text in _ARCHIVE_MAGIC.items() if head.startswith(magic)), None):
        # Some projects keep all their data in them; which kind they use, and where, tells enough.
        kept = f"{path.partition('/')[0]}/*.{name.rpartition('.')[2]}"
        notes.remember(Kind.NEW_NESTED_ARCHIVE, kept, f"{found}, which is not looked into", file)


def _binary_format(head: bytes) -> str | None:
    if head.startswith(_FAT_MAGIC) and int.from_bytes(head[4:8], "big") <= _MAX_FAT_ARCHITECTURES:
        return "a Mach-O binary"
    if head.startswith(b"MZ") and len(head) < _DOS_HEADER:
        return None
    return next((text for magic, text in _MAGIC.items() if head.startswith(magic)), None)


def _stable(path: str) -> str:
    """Return a path that stays from one release and platform to the next: no ABI tag, library version or hash."""
    folder, _, name = path.rpartition("/")
    stem = _BUILD_HASH.sub("", name.partition(".")[0])
    return f"{folder}/{stem}"
