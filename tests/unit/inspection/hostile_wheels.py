"""Wheels that are proper zip archives and do what no wheel should."""

import base64

from tests.unit.inspection.archives import INFO, METADATA, Wheel
from tests.unit.inspection.hostile import Register

from pinfold.domain.inspection import Kind
from pinfold.inspection import Limits

WHEELS = Register()

_HOOK = b"import os; os.system('evil')\n"
_PAYLOAD = base64.b64encode(b"print('evil')\n" * 200).decode()
_ELF = b"\x7fELF" + bytes(200)


# What runs at every start.


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK,))
def hook_in_the_root() -> bytes:
    return Wheel({"acme_init.pth": _HOOK}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK,))
def hook_in_purelib() -> bytes:
    return Wheel({"acme-1.0.data/purelib/evil.pth": _HOOK}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK,))
def hook_in_platlib() -> bytes:
    return Wheel({"acme-1.0.data/platlib/EVIL.PTH": _HOOK}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK, Kind.NEW_DATA))
def hook_by_way_of_data() -> bytes:
    return Wheel({"acme-1.0.data/data/lib/python3.12/site-packages/evil.pth": _HOOK}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK, Kind.NEW_DATA))
def hook_by_way_of_data_on_windows() -> bytes:
    return Wheel({"acme-1.0.data/data/Lib/site-packages/evil.pth": _HOOK}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK,))
def hook_behind_an_unusual_line_break() -> bytes:
    return Wheel({"acme.pth": b"# harmless\x0cimport os; os.system('evil')"}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK,))
def hook_behind_a_byte_order_mark() -> bytes:
    return Wheel({"acme.pth": b"\xef\xbb\xbfimport evil"}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK,))
def hook_that_is_no_text() -> bytes:
    return Wheel({"acme.pth": b"# \xff\nimport evil"}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK,))
def hook_too_long_to_be_read() -> bytes:
    return Wheel({"acme.pth": bytes(range(256)) * 8192}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK,))
def path_put_on_sys_path() -> bytes:
    return Wheel({"acme.pth": b"/tmp/evil\n"}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK,))
def entry_point_called_at_start() -> bytes:
    return Wheel({"acme.start": b"acme.anvil:main\n"}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK, Kind.NEW_TOP_LEVEL))
def sitecustomize_module() -> bytes:
    return Wheel({"sitecustomize.py": b"import evil\n"}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK, Kind.NEW_TOP_LEVEL))
def usercustomize_package() -> bytes:
    return Wheel({"acme-1.0.data/purelib/usercustomize/__init__.py": b""}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK, Kind.NEW_TOP_LEVEL, Kind.NEW_BINARY))
def sitecustomize_extension() -> bytes:
    return Wheel({"sitecustomize.cpython-311-x86_64-linux-gnu.so": _ELF}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK, Kind.NEW_BINARY))
def sitecustomize_compiled() -> bytes:
    return Wheel({"__pycache__/sitecustomize.cpython-311.pyc": b"\xa7\r\r\n"}).build()


@WHEELS.seen_as(new=(Kind.NEW_START_UP_HOOK, Kind.NEW_OPAQUE_CODE))
def hook_with_opaque_code_for_another_interpreter() -> bytes:
    code = f"import base64; exec(base64.b64decode('{_PAYLOAD}'))"
    return Wheel(
        {"acme_init.pth": f'import subprocess, sys; subprocess.Popen([sys.executable, "-c", "{code}"])\n'.encode()}
    ).build()


# Targets of the .data folder, and commands.


@WHEELS.seen_as(Kind.INTERPRETER_FILE, new=(Kind.NEW_COMMAND,))
def script_in_the_interpreter_s_place() -> bytes:
    return Wheel({"acme-1.0.data/scripts/python3": b"#!/bin/sh\n"}).build()


@WHEELS.seen_as(Kind.INTERPRETER_FILE, new=(Kind.NEW_COMMAND,))
def data_in_the_interpreter_s_place() -> bytes:
    return Wheel({"acme-1.0.data/data/bin/python": b"#!/bin/sh\n"}).build()


@WHEELS.seen_as(Kind.INTERPRETER_FILE, new=(Kind.NEW_DATA,))
def another_environment_configuration() -> bytes:
    return Wheel({"acme-1.0.data/data/pyvenv.cfg": b"home = /tmp/evil\n"}).build()


@WHEELS.seen_as(Kind.INTERPRETER_FILE, new=(Kind.NEW_DATA,))
def another_standard_library_module() -> bytes:
    return Wheel({"acme-1.0.data/data/lib/python3.12/os.py": b""}).build()


@WHEELS.seen_as(Kind.UNEXPECTED_DATA, new=(Kind.NEW_DATA,))
def data_in_the_environment_s_root() -> bytes:
    return Wheel({"acme-1.0.data/data/evil/x": b""}).build()


@WHEELS.seen_as(new=(Kind.NEW_DATA,))
def headers() -> bytes:
    return Wheel({"acme-1.0.data/headers/acme.h": b""}).build()


@WHEELS.seen_as(Kind.UNKNOWN_SCHEME)
def scheme_that_nobody_knows() -> bytes:
    return Wheel({"acme-1.0.data/stdlib/os.py": b""}).build()


@WHEELS.seen_as(Kind.UNKNOWN_SCHEME)
def data_folder_of_another_release() -> bytes:
    return Wheel({"requests-2.0.data/purelib/evil.pth": b""}).build()


@WHEELS.seen_as(Kind.PATH_ESCAPE, new=(Kind.NEW_ENTRY_POINT,))
def entry_point_written_elsewhere() -> bytes:
    return Wheel({f"{INFO}/entry_points.txt": b"[console_scripts]\n../../evil = acme:main\n"}).build()


@WHEELS.seen_as(Kind.INTERPRETER_FILE, new=(Kind.NEW_ENTRY_POINT,))
def entry_point_hidden_by_its_indent() -> bytes:
    return Wheel({f"{INFO}/entry_points.txt": b"[console_scripts]\n# x\n  python = acme:main\n"}).build()


# RECORD and METADATA.


@WHEELS.seen_as(Kind.RECORD_MISSING)
def no_record() -> bytes:
    return Wheel(with_record=False).build()


@WHEELS.seen_as(Kind.RECORD_DUPLICATE)
def record_with_a_row_twice() -> bytes:
    return Wheel(rows=lambda rows: [*rows, rows[0]]).build()


@WHEELS.seen_as(Kind.NOT_IN_ARCHIVE)
def record_with_a_row_too_many() -> bytes:
    return Wheel(rows=lambda rows: [*rows, "requests/__init__.py,sha256=abc,3"]).build()


@WHEELS.seen_as(Kind.PATH_ESCAPE)
def record_with_a_row_for_somebody_else_s_file() -> bytes:
    return Wheel(rows=lambda rows: [*rows, "../../../etc/passwd,,"]).build()


@WHEELS.seen_as(Kind.RECORD_MALFORMED, Kind.NOT_IN_RECORD)
def record_with_a_broken_row() -> bytes:
    return Wheel(rows=lambda rows: ["acme/__init__.py", *rows[1:]]).build()


@WHEELS.seen_as(Kind.RECORD_MALFORMED, Kind.NOT_IN_RECORD)
def record_with_a_size_that_is_no_number() -> bytes:
    return Wheel(rows=lambda rows: ["acme/__init__.py,sha256=x,\u0663", *rows[1:]]).build()


@WHEELS.seen_as(Kind.WEAK_RECORD_HASH, Kind.RECORD_MISMATCH)
def record_with_a_weak_hash() -> bytes:
    return Wheel(rows=lambda rows: ["acme/__init__.py,md5=abc,14", *rows[1:]]).build()


@WHEELS.seen_as(Kind.WEAK_RECORD_HASH)
def record_without_a_hash() -> bytes:
    return Wheel(rows=lambda rows: ["acme/__init__.py,,", *rows[1:]]).build()


@WHEELS.seen_as(Kind.METADATA_MISMATCH)
def metadata_of_another_project() -> bytes:
    return Wheel(metadata=METADATA.replace(b"Name: acme", b"Name: requests")).build()


@WHEELS.seen_as(Kind.METADATA_MISMATCH)
def metadata_of_another_version() -> bytes:
    return Wheel(metadata=METADATA.replace(b"Version: 1.0", b"Version: 9.9")).build()


@WHEELS.seen_as(Kind.METADATA_MISMATCH)
def metadata_with_two_names() -> bytes:
    return Wheel(metadata=b"Name: acme\n" + METADATA).build()


@WHEELS.seen_as(Kind.DIRECT_URL)
def requirement_from_an_address() -> bytes:
    return Wheel(metadata=METADATA.replace(b"requests>=2", b"evil @ https://files.example/evil.whl")).build()


@WHEELS.seen_as(Kind.METADATA_MISMATCH)
def dist_info_of_another_project() -> bytes:
    return Wheel(info="requests-1.0.dist-info").build()


@WHEELS.seen_as(Kind.SEVERAL_DIST_INFO, Kind.METADATA_MISMATCH)
def second_dist_info() -> bytes:
    return Wheel({"requests-2.0.dist-info/METADATA": b"Name: requests\nVersion: 2.0\n"}).build()


@WHEELS.seen_as(Kind.SEVERAL_DIST_INFO, Kind.METADATA_MISMATCH)
def second_dist_info_in_purelib() -> bytes:
    return Wheel({"acme-1.0.data/purelib/requests-2.0.dist-info/METADATA": b""}).build()


@WHEELS.seen_as(Kind.SEVERAL_DIST_INFO)
def egg_info_of_another_project() -> bytes:
    return Wheel({"requests-2.0.egg-info/PKG-INFO": b""}).build()


@WHEELS.seen_as(Kind.METADATA_MISSING, Kind.RECORD_MISSING)
def no_dist_info() -> bytes:
    return Wheel(info="acme").build()


@WHEELS.seen_as(Kind.TOO_LARGE)
def metadata_too_long_to_be_read() -> bytes:
    return Wheel(metadata=METADATA + b"x" * (1 << 20)).build()


# What a release has not had before.


@WHEELS.seen_as(new=(Kind.NEW_TOP_LEVEL,))
def somebody_else_s_package() -> bytes:
    return Wheel({"requests/__init__.py": b""}).build()


@WHEELS.seen_as(new=(Kind.NEW_BINARY,))
def binary_under_another_name() -> bytes:
    return Wheel({"acme/logo.png": _ELF}).build()


@WHEELS.seen_as(new=(Kind.NEW_BINARY,))
def compiled_module_beside_its_source() -> bytes:
    return Wheel({"acme/__pycache__/anvil.cpython-311.pyc": b"\xa7\r\r\n"}).build()


@WHEELS.seen_as(new=(Kind.NEW_NESTED_ARCHIVE,))
def archive_in_the_archive() -> bytes:
    return Wheel({"acme/data.bin": Wheel().build()}).build()


@WHEELS.seen_as(new=(Kind.SIZE_JUMP,))
def much_more_of_everything() -> bytes:
    return Wheel({"acme/data.txt": b"".join(b"%d\n" % number for number in range(400_000))}).build()


@WHEELS.seen_as(new=(Kind.NEW_UNREAD_SOURCE,), limits=Limits(source=1000))
def module_too_long_to_be_read() -> bytes:
    return Wheel({"acme/evil.py": b"x = 1\n" * 1000}).build()
