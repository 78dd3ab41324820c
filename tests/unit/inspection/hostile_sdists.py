"""Sdists that leave their folder, hide things, or do more than they should when they are built."""

import gzip
import struct
import tarfile
import zlib

from tests.unit.inspection.archives import METADATA, Wheel, member, sdist, sdist_members, tar
from tests.unit.inspection.hostile import Register

from pinfold.domain.inspection import Kind
from pinfold.inspection import Limits

SDISTS = Register()

_LINK = tarfile.SYMTYPE
_HARD_LINK = tarfile.LNKTYPE


@SDISTS.seen_as(Kind.PATH_ESCAPE, Kind.SEVERAL_FOLDERS)
def tar_path_that_climbs() -> bytes:
    return sdist(member("../evil"))


@SDISTS.seen_as(Kind.PATH_ESCAPE)
def tar_path_that_climbs_from_inside() -> bytes:
    return sdist(member("acme-1.0/../../evil"))


@SDISTS.seen_as(Kind.PATH_ESCAPE, Kind.SEVERAL_FOLDERS)
def absolute_tar_path() -> bytes:
    return sdist(member("/etc/evil"))


@SDISTS.seen_as(Kind.LINK_ESCAPE)
def link_to_an_absolute_path() -> bytes:
    return sdist(member("acme-1.0/passwd", type=_LINK, linkname="/etc/passwd"))


@SDISTS.seen_as(Kind.LINK_ESCAPE)
def link_out_of_the_tree() -> bytes:
    return sdist(member("acme-1.0/up", type=_LINK, linkname="../../secrets"))


@SDISTS.seen_as(Kind.LINK_ESCAPE)
def link_to_the_folder_above_the_tree() -> bytes:
    return sdist(member("acme-1.0/up", type=_LINK, linkname=".."))


@SDISTS.seen_as(Kind.LINK_ESCAPE)
def link_that_climbs_behind_another_link() -> bytes:
    return sdist(
        member("acme-1.0/a/b/here", type=_LINK, linkname="."),
        member("acme-1.0/out", type=_LINK, linkname="a/b/here/../../../../secrets"),
    )


@SDISTS.seen_as(Kind.LINK_ESCAPE, Kind.COLLIDING_NAMES)
def file_written_through_a_link() -> bytes:
    return sdist(
        member("acme-1.0/folder", type=_LINK, linkname="src"),
        member("acme-1.0/folder/evil.py", b"evil"),
    )


@SDISTS.seen_as(Kind.LINK_ESCAPE)
def hard_link_out_of_the_tree() -> bytes:
    return sdist(member("acme-1.0/shadow", type=_HARD_LINK, linkname="/etc/shadow"))


@SDISTS.seen_as(Kind.LINK_ESCAPE)
def hard_link_to_a_link() -> bytes:
    return sdist(
        member("acme-1.0/link", type=_LINK, linkname="README.md"),
        member("acme-1.0/twice", type=_HARD_LINK, linkname="acme-1.0/link"),
    )


@SDISTS.seen_as(Kind.SPECIAL_FILE)
def device() -> bytes:
    return sdist(member("acme-1.0/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3))


@SDISTS.seen_as(Kind.SPECIAL_FILE)
def named_pipe() -> bytes:
    return sdist(member("acme-1.0/pipe", type=tarfile.FIFOTYPE))


@SDISTS.seen_as(Kind.SPECIAL_FILE)
def entry_of_an_unknown_type() -> bytes:
    return sdist(member("acme-1.0/what", b"?", type=b"Z"))


@SDISTS.seen_as(Kind.SETUID_FILE)
def sdist_file_that_runs_as_its_owner() -> bytes:
    return sdist(member("acme-1.0/tool", mode=0o4755))


@SDISTS.seen_as(Kind.SEVERAL_FOLDERS)
def second_folder() -> bytes:
    return sdist(member("setup.py", b""))


@SDISTS.seen_as(Kind.DUPLICATE_NAME)
def same_path_twice() -> bytes:
    return sdist(member("acme-1.0/README.md", b"other"))


@SDISTS.seen_as(Kind.DUPLICATE_NAME)
def same_path_and_bytes_with_another_mode() -> bytes:
    return sdist(member("acme-1.0/tool", b"x", mode=0o644), member("acme-1.0/tool", b"x", mode=0o755))


@SDISTS.seen_as(Kind.DUPLICATE_NAME)
def same_path_and_bytes_behind_a_link() -> bytes:
    link = member("acme-1.0/tool", type=tarfile.SYMTYPE, linkname="README.md")
    return sdist(member("acme-1.0/tool", b"x"), link, member("acme-1.0/tool", b"x"))


@SDISTS.seen_as(Kind.METADATA_MISMATCH)
def pkg_info_of_another_project() -> bytes:
    return sdist(files={"PKG-INFO": METADATA.replace(b"Name: acme", b"Name: requests")})


@SDISTS.seen_as(Kind.METADATA_MISSING)
def no_pkg_info() -> bytes:
    return gzip.compress(tar(entry for entry in sdist_members() if not entry[0].name.endswith("PKG-INFO")))


@SDISTS.seen_as(Kind.ODD_NAME)
def folder_of_another_name() -> bytes:
    return gzip.compress(
        tar(member(info.name.replace("acme-1.0", "requests-2.0"), data) for info, data in sdist_members())
    )


# The tar archive itself.


@SDISTS.seen_as(Kind.HEADER_MISMATCH)
def extended_header_with_a_size_of_its_own() -> bytes:
    return sdist(member("acme-1.0/nested.bin", bytes(1024), pax_headers={"size": "1024"}))


def _described(kind: bytes, payload: bytes, size: int) -> bytes:
    """An sdist whose first entry has a description in front of it."""
    info = tarfile.TarInfo("description")
    info.type, info.size = kind, size
    archive = tar(sdist_members(), form=tarfile.USTAR_FORMAT)
    return gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + payload.ljust(512, b"\0") + archive)


@SDISTS.seen_as(Kind.HEADER_MISMATCH, Kind.METADATA_MISSING)
def extended_header_that_goes_on_in_its_padding() -> bytes:
    return _described(tarfile.XHDTYPE, b"13 comment=a\n" + b"20 path=acme-1.0/xx\n", 13)


@SDISTS.seen_as(Kind.HEADER_MISMATCH, Kind.AMBIGUOUS_PATH, Kind.METADATA_MISSING)
def extended_header_that_is_not_made_of_records() -> bytes:
    return _described(tarfile.XHDTYPE, b"90 path=acme-1.0/xx\n", 20)


@SDISTS.seen_as(Kind.HEADER_MISMATCH, Kind.METADATA_MISSING)
def long_name_that_goes_on_behind_its_end() -> bytes:
    return _described(tarfile.GNUTYPE_LONGNAME, b"acme-1.0/xx\0payload", 20)


@SDISTS.seen_as(Kind.AMBIGUOUS_PATH, Kind.SEVERAL_FOLDERS)
def file_without_a_name() -> bytes:
    return gzip.compress(tar([*sdist_members(), member("", b"payload")], form=tarfile.USTAR_FORMAT))


@SDISTS.seen_as(Kind.HEADER_MISMATCH, Kind.DUPLICATE_NAME, Kind.METADATA_MISSING)
def global_header_that_renames_everything() -> bytes:
    keyword = b"24 path=acme-1.0/evil.py\n"
    header = tarfile.TarInfo("pax_global_header")
    header.type, header.size = tarfile.XGLTYPE, len(keyword)
    block = header.tobuf(tarfile.USTAR_FORMAT) + keyword.ljust(512, b"\0")
    return gzip.compress(block + tar(sdist_members(), form=tarfile.USTAR_FORMAT))


@SDISTS.seen_as(Kind.HEADER_MISMATCH, Kind.HIDDEN_DATA, Kind.METADATA_MISSING)
def folder_with_data() -> bytes:
    info = tarfile.TarInfo("acme-1.0/folder")
    info.type, info.size = tarfile.DIRTYPE, 512
    return gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + b"x" * 512)


@SDISTS.seen_as(Kind.SPECIAL_FILE)
def sparse_file() -> bytes:
    info, data = member("acme-1.0/sparse", b"x", pax_headers={"GNU.sparse.map": "0,1", "GNU.sparse.size": "1"})
    return sdist((info, data))


@SDISTS.seen_as(Kind.HIDDEN_DATA)
def second_tar_archive_behind_the_first() -> bytes:
    return gzip.compress(tar(sdist_members()) + tar([member("acme-1.0/evil.py", b"evil")]))


@SDISTS.seen_as(Kind.HIDDEN_DATA, Kind.METADATA_MISSING)
def header_broken_on_purpose() -> bytes:
    # tarfile takes it for the end of the archive; other tools report it and go on.
    first, *rest = sdist_members()
    broken = bytearray(tar(rest, form=tarfile.USTAR_FORMAT))
    broken[148] ^= 0x01
    return gzip.compress(tar([member("acme-1.0/a.py")], form=tarfile.USTAR_FORMAT)[:512] + bytes(broken) + tar([first]))


@SDISTS.seen_as(Kind.HIDDEN_DATA)
def second_gzip_stream() -> bytes:
    return sdist() + gzip.compress(b"payload")


@SDISTS.seen_as(Kind.HIDDEN_DATA)
def data_behind_the_gzip_stream() -> bytes:
    return sdist() + b"payload"


@SDISTS.seen_as(Kind.UNREAD_BYTES)
def gzip_comment() -> bytes:
    plain = sdist()
    return plain[:3] + bytes([0x10]) + plain[4:10] + b"aW1wb3J0IG9z\0" + plain[10:]


@SDISTS.seen_as(Kind.UNREAD_BYTES)
def long_gzip_name() -> bytes:
    plain = sdist()
    return plain[:3] + bytes([0x08]) + plain[4:10] + b"aW1wb3J0IG9z" * 100 + b"\0" + plain[10:]


@SDISTS.seen_as(Kind.AMBIGUOUS_FORMAT, Kind.HIDDEN_DATA)
def zip_archive_behind_the_tar_archive() -> bytes:
    return sdist() + Wheel().build()


@SDISTS.seen_as(Kind.AMBIGUOUS_FORMAT, Kind.UNREADABLE_ARCHIVE)
def zip_archive_under_the_name_of_a_tar_archive() -> bytes:
    return Wheel().build()


@SDISTS.seen_as(Kind.UNREADABLE_ARCHIVE)
def gzip_stream_that_breaks_off() -> bytes:
    return sdist()[:-20]


@SDISTS.seen_as(Kind.UNREADABLE_ARCHIVE)
def gzip_stream_with_a_wrong_checksum() -> bytes:
    plain = sdist()
    return plain[:-8] + bytes(4) + plain[-4:]


@SDISTS.seen_as(Kind.UNREADABLE_ARCHIVE)
def gzip_of_something_else() -> bytes:
    return gzip.compress(b"<html>404</html>" * 100)


# Bounds.


@SDISTS.seen_as(Kind.TOO_LARGE)
def tar_bomb() -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, 31)
    info = tarfile.TarInfo("acme-1.0/zeros")
    info.size = 1 << 30
    packed = deflater.compress(info.tobuf())
    for _ in range(100):
        packed += deflater.compress(bytes(1 << 20))
    return packed + deflater.flush()


@SDISTS.seen_as(Kind.TOO_LARGE)
def tar_entry_that_declares_terabytes() -> bytes:
    info = tarfile.TarInfo("acme-1.0/zeros")
    info.size = 1 << 42
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT))


@SDISTS.seen_as(Kind.TOO_LARGE)
def extended_header_of_a_gigabyte() -> bytes:
    info = tarfile.TarInfo("acme-1.0/PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    return gzip.compress(info.tobuf() + bytes(1 << 20))


@SDISTS.seen_as(Kind.TOO_LARGE)
def long_name_of_a_gigabyte() -> bytes:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    return gzip.compress(info.tobuf() + b"a" * (1 << 20))


@SDISTS.seen_as(Kind.TOO_LARGE)
def chain_of_extended_headers() -> bytes:
    info = tarfile.TarInfo("PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 6
    return gzip.compress((info.tobuf() + b"6 a=b\n".ljust(512, b"\0")) * 5000)


@SDISTS.seen_as(Kind.UNREADABLE_ARCHIVE)
def extended_header_of_digits() -> bytes:
    info = tarfile.TarInfo("PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 60000
    return gzip.compress(info.tobuf() + (b"9" * 60000).ljust(60416, b"\0"))


@SDISTS.seen_as(Kind.UNREADABLE_ARCHIVE)
def entry_of_negative_size() -> bytes:
    info = tarfile.TarInfo("acme-1.0/negative")
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"\xff" * 4 + struct.pack(">q", -1024)
    block[148:156] = b"%06o\0 " % (256 + sum(block[:148]) + sum(block[156:512]))
    return gzip.compress(bytes(block) + bytes(10240))


@SDISTS.seen_as(Kind.TOO_LARGE, limits=Limits(entries=10))
def too_many_tar_entries() -> bytes:
    return sdist(*(member(f"acme-1.0/{number}") for number in range(20)))


# What runs when it is built.


@SDISTS.seen_as(new=(Kind.NEW_BUILD_STEP,))
def setup_script_that_replaces_install() -> bytes:
    script = b"from setuptools import setup\nclass Evil: ...\nsetup(name='acme', cmdclass={'install': Evil})\n"
    return sdist(files={"setup.py": script})


@SDISTS.seen_as(new=(Kind.NEW_BUILD_STEP, Kind.NEW_OPAQUE_CODE))
def setup_script_that_runs_opaque_code() -> bytes:
    script = b"import subprocess, base64\nexec(base64.b64decode('cHJpbnQoKQ=='))\n"
    return sdist(files={"setup.py": script})


@SDISTS.seen_as(new=(Kind.NEW_BUILD_STEP, Kind.NEW_UNREAD_SOURCE))
def setup_script_that_cannot_be_read() -> bytes:
    return sdist(files={"setup.py": b"(" * 1000})


@SDISTS.seen_as(new=(Kind.NEW_BUILD_STEP,))
def backend_of_its_own() -> bytes:
    return sdist(
        files={"pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'}
    )


@SDISTS.seen_as(Kind.DIRECT_URL, new=(Kind.NEW_BUILD_STEP,))
def build_requirement_from_an_address() -> bytes:
    document = b'[build-system]\nrequires = ["evil @ https://files.example/evil.zip"]\nbuild-backend = "evil"\n'
    return sdist(files={"pyproject.toml": document})


@SDISTS.seen_as(new=(Kind.NEW_BUILD_STEP,))
def build_hook() -> bytes:
    return sdist(files={"pyproject.toml": b"[tool.hatch.build.hooks.custom]\npath = 'evil.py'\n"})


@SDISTS.seen_as(Kind.INTERPRETER_FILE, new=(Kind.NEW_ENTRY_POINT,))
def project_script_in_the_interpreter_s_place() -> bytes:
    return sdist(files={"pyproject.toml": b"[project.scripts]\npython3 = 'acme:main'\n"})


@SDISTS.seen_as(Kind.METADATA_MISMATCH)
def build_configuration_that_cannot_be_read() -> bytes:
    return sdist(files={"pyproject.toml": b"[" * 10000})


@SDISTS.seen_as(new=(Kind.NEW_START_UP_HOOK,))
def start_up_hook_for_the_wheel_to_be_built() -> bytes:
    return sdist(files={"acme_init.pth": b"import evil\n"})


@SDISTS.seen_as(new=(Kind.NEW_START_UP_HOOK,))
def sitecustomize_for_the_wheel_to_be_built() -> bytes:
    return sdist(files={"src/sitecustomize/__init__.py": b""})


@SDISTS.seen_as(new=(Kind.NEW_BINARY,))
def binary_in_the_sources() -> bytes:
    return sdist(files={"src/acme/font.ttf": b"\x7fELF" + bytes(100)})
