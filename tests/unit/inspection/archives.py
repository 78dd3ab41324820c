"""Builders of wheels and sdists: clean ones, and ones in which any byte can be made to lie."""

import base64
import gzip
import hashlib
import io
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

PROJECT = "acme"
VERSION = "1.0"
WHEEL_NAME = "acme-1.0-py3-none-any.whl"
SDIST_NAME = "acme-1.0.tar.gz"
INFO = "acme-1.0.dist-info"
METADATA = b"Metadata-Version: 2.4\nName: acme\nVersion: 1.0\nRequires-Dist: requests>=2\n\nAnvils.\n"
WHEEL = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
MODULES = {"acme/__init__.py": b"'''Anvils.'''\n", "acme/anvil.py": b"WEIGHT = 100\n" * 50}

REGULAR = 0o100644 << 16
DEFLATED = 8
STORED = 0


@dataclass(frozen=True)
class Entry:
    """One zip entry; what is None is written truthfully."""

    name: bytes
    data: bytes = b""
    method: int = DEFLATED
    flags: int = 0
    attributes: int = REGULAR
    packed: bytes | None = None
    crc: int | None = None
    size: int | None = None
    packed_size: int | None = None
    version: int = 20
    extra: bytes = b""
    comment: bytes = b""
    offset: int | None = None
    descriptor: bytes = b""
    local_name: bytes | None = None
    local_method: int | None = None
    local_flags: int | None = None
    local_sizes: tuple[int, int, int] | None = None
    local_extra: bytes = b""
    listed: bool = True
    present: bool = True

    def packed_data(self) -> bytes:
        if self.packed is not None:
            return self.packed
        if self.method != DEFLATED:
            return self.data
        deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        return deflater.compress(self.data) + deflater.flush()

    def sizes(self) -> tuple[int, int, int]:
        packed = self.packed_data()
        return (
            zlib.crc32(self.data) if self.crc is None else self.crc,
            len(packed) if self.packed_size is None else self.packed_size,
            len(self.data) if self.size is None else self.size,
        )

    def local(self) -> bytes:
        name = self.name if self.local_name is None else self.local_name
        header = struct.pack(
            "<4s5H3I2H",
            b"PK\x03\x04",
            20,
            self.flags if self.local_flags is None else self.local_flags,
            self.method if self.local_method is None else self.local_method,
            0,
            33,
            *(self.sizes() if self.local_sizes is None else self.local_sizes),
            len(name),
            len(self.local_extra),
        )
        return header + name + self.local_extra + self.packed_data() + self.descriptor

    def central(self, offset: int) -> bytes:
        header = struct.pack(
            "<4s6H3I5H2I",
            b"PK\x01\x02",
            0x031E,
            self.version,
            self.flags,
            self.method,
            0,
            33,
            *self.sizes(),
            len(self.name),
            len(self.extra),
            len(self.comment),
            0,
            0,
            self.attributes,
            offset if self.offset is None else self.offset,
        )
        return header + self.name + self.extra + self.comment


@dataclass(frozen=True)
class Zip:
    """A zip archive; `between` goes after the first entry."""

    entries: tuple[Entry, ...]
    prefix: bytes = b""
    between: bytes = b""
    before_directory: bytes = b""
    before_end: bytes = b""
    comment: bytes = b""
    suffix: bytes = b""
    count: int | None = None
    disk: int = 0
    end64: Callable[[int, int, int, int], bytes] | None = None
    """Makes the zip64 records from count, size and offset of the directory and the position of the records."""

    def build(self) -> bytes:
        body, directory = self.prefix, b""
        for number, entry in enumerate(self.entries):
            if entry.listed:
                directory += entry.central(len(body))
            if entry.present:
                body += entry.local()
            if number == 0:
                body += self.between
        body += self.before_directory
        offset, listed = len(body), sum(entry.listed for entry in self.entries)
        body += directory + self.before_end
        if self.end64 is not None:
            body += self.end64(listed, len(directory), offset, len(body))
        count = listed if self.count is None else self.count
        return (
            body
            + struct.pack(
                "<4s4H2IH", b"PK\x05\x06", self.disk, 0, count, count, len(directory), offset, len(self.comment)
            )
            + self.comment
            + self.suffix
        )


def record_row(path: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}"


@dataclass(frozen=True)
class Wheel:
    """A wheel of the project acme, with RECORD made to match unless it is given."""

    files: dict[str, bytes] = field(default_factory=dict)
    metadata: bytes = METADATA
    info: str = INFO
    rows: Callable[[list[str]], list[str]] = lambda rows: rows
    """Changes RECORD's rows before they are written."""
    with_record: bool = True

    def contents(self) -> dict[str, bytes]:
        files = {**MODULES, **self.files, f"{self.info}/METADATA": self.metadata, f"{self.info}/WHEEL": WHEEL}
        rows = [record_row(path, data) for path, data in files.items() if not path.endswith("/")]
        record = f"{self.info}/RECORD"
        if self.with_record:
            files[record] = "\n".join([*self.rows(rows), f"{record},,", ""]).encode("utf-8", "surrogateescape")
        return files

    def entries(self) -> tuple[Entry, ...]:
        return tuple(
            Entry(
                path.encode("utf-8", "surrogateescape"),
                data,
                flags=0 if path.isascii() else 0x800,
                attributes=(0o040755 << 16) if path.endswith("/") else REGULAR,
            )
            for path, data in self.contents().items()
        )

    def zip(self) -> Zip:
        return Zip(self.entries())

    def build(self) -> bytes:
        return self.zip().build()

    def with_entry(self, index: int, **changes: object) -> bytes:
        """Build the wheel with one entry changed behind RECORD's back."""
        entries = list(self.entries())
        entries[index] = replace(entries[index], **changes)  # type: ignore[arg-type]
        return Zip(tuple(entries)).build()

    def with_extra(self, *extra: Entry) -> bytes:
        """Build the wheel with entries added behind RECORD's back."""
        return Zip((*self.entries(), *extra)).build()


SDIST_FILES = {
    "PKG-INFO": METADATA,
    "pyproject.toml": b'[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
    "src/acme/__init__.py": b"'''Anvils.'''\n",
    "README.md": b"# Anvils\n" * 100,
}


def member(name: str, data: bytes = b"", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, data


def sdist_members(files: dict[str, bytes] | None = None) -> list[tuple[tarfile.TarInfo, bytes]]:
    merged = {**SDIST_FILES, **(files or {})}
    return [member(f"acme-1.0/{path}", data) for path, data in merged.items() if data is not None]


def tar(members: Iterable[tuple[tarfile.TarInfo, bytes]], *, form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def sdist(*extra: tuple[tarfile.TarInfo, bytes], files: dict[str, bytes] | None = None) -> bytes:
    return gzip.compress(tar([*sdist_members(files), *extra]), mtime=0)


def zip_sdist(files: dict[str, bytes] | None = None, *extra: Entry) -> bytes:
    merged = {**SDIST_FILES, **(files or {})}
    return Zip((*(Entry(f"acme-1.0/{path}".encode(), data) for path, data in merged.items()), *extra)).build()
