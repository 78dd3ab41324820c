"""Forms as upload clients send them, byte by byte."""

import hashlib
from collections.abc import Iterable, Mapping

BOUNDARY = "b0undary"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def fields_of(filename: str, content: bytes, **changes: str | None) -> dict[str, str]:
    """Return what twine says of a file besides its bytes; None takes a field away."""
    name, version = ([*filename.removesuffix(".tar.gz").split("-"), ""])[:2]
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": name,
        "version": version,
        "filetype": "bdist_wheel" if filename.endswith(".whl") else "sdist",
        "pyversion": "py3" if filename.endswith(".whl") else "source",
        "sha256_digest": hashlib.sha256(content).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(content, digest_size=32).hexdigest(),
        "md5_digest": hashlib.md5(content).hexdigest(),
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def body_of(fields: Mapping[str, str] | Iterable[tuple[str, str]], filename: str, content: bytes) -> bytes:
    """Return the body of a form with the file behind all fields."""
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    parts = [part(f'form-data; name="{name}"', value.encode()) for name, value in pairs]
    parts.append(part(f'form-data; name="content"; filename="{filename}"', content, "application/octet-stream"))
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def part(disposition: str, content: bytes, content_type: str | None = None) -> bytes:
    """Return one part of a form."""
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n".encode("utf-8", "surrogateescape")
    if content_type:
        head += f"Content-Type: {content_type}\r\n".encode()
    return head + b"\r\n" + content + b"\r\n"
