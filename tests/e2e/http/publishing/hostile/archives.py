"""Archives to publish: a good wheel, and what can be made of it."""

import base64
import hashlib
import io
import re
import zipfile

from tests.fakes.upstream import build_wheel

WHEEL, SDIST = "acme_tool-1.0-py3-none-any.whl", "acme_tool-1.0.tar.gz"
GOOD = build_wheel("acme-tool", "1.0")
METADATA = b"Metadata-Version: 2.1\nName: acme-tool\nVersion: 1.0\n"


def repacked(wheel: bytes, change) -> bytes:
    """Return a wheel whose entries were changed: `change` is given and returns pairs of ZipInfo and content."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for info, content in change([(info, old.read(info)) for info in old.infolist()]):
            new.writestr(info, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def with_metadata(text: bytes) -> bytes:
    def change(entries):
        for info, content in entries:
            yield info, text if info.filename.endswith("/METADATA") else content

    return repacked(GOOD, change)


def with_recorded_metadata(metadata: bytes) -> bytes:
    """Return the wheel with other metadata that its RECORD agrees with."""

    def change(entries):
        for info, content in entries:
            if info.filename.endswith("/METADATA"):
                yield info, metadata
            elif info.filename.endswith("/RECORD"):
                digest = base64.urlsafe_b64encode(hashlib.sha256(metadata).digest()).decode().rstrip("=")
                line = f"acme_tool-1.0.dist-info/METADATA,sha256={digest},{len(metadata)}"
                yield info, re.sub(r"acme_tool-1.0.dist-info/METADATA,.*", line, content.decode()).encode()
            else:
                yield info, content

    return repacked(GOOD, change)
