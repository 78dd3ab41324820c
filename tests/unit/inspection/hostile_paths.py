"""Wheels whose entries leave their folder, collide, or are no files."""

from tests.unit.inspection.archives import INFO, Entry, Wheel
from tests.unit.inspection.hostile import Register

from pinfold.domain.inspection import Kind

PATHS = Register()


@PATHS.seen_as(Kind.PATH_ESCAPE)
def path_that_climbs() -> bytes:
    return Wheel({"../../../bin/evil": b""}).build()


@PATHS.seen_as(Kind.PATH_ESCAPE)
def path_that_climbs_from_a_scheme() -> bytes:
    return Wheel({"acme-1.0.data/scripts/../../evil": b""}).build()


@PATHS.seen_as(Kind.PATH_ESCAPE)
def absolute_path() -> bytes:
    return Wheel({"/etc/cron.d/evil": b""}).build()


@PATHS.seen_as(Kind.PATH_ESCAPE, Kind.AMBIGUOUS_PATH)
def path_that_climbs_by_backslashes() -> bytes:
    return Wheel({"acme\\..\\..\\evil.py": b""}).build()


@PATHS.seen_as(Kind.PATH_ESCAPE, Kind.ODD_NAME)
def path_on_a_drive() -> bytes:
    return Wheel({"C:/Windows/evil.py": b""}).build()


@PATHS.seen_as(Kind.PATH_ESCAPE, Kind.AMBIGUOUS_PATH)
def path_on_a_share() -> bytes:
    return Wheel({"\\\\host\\share\\evil.py": b""}).build()


@PATHS.seen_as(Kind.PATH_ESCAPE)
def path_that_climbs_once_normalised() -> bytes:
    return Wheel({"acme/\u2024\u2024/\uff0e\uff0e/evil.py": b""}).build()


@PATHS.seen_as(Kind.PATH_ESCAPE)
def path_with_a_full_width_slash() -> bytes:
    return Wheel({"..\uff0fevil.py": b""}).build()


@PATHS.seen_as(Kind.PATH_ESCAPE, Kind.ODD_NAME)
def path_that_climbs_once_the_invisible_is_dropped() -> bytes:
    return Wheel({"acme/.\u200b./.\u200b./evil.py": b""}).build()


@PATHS.seen_as(Kind.AMBIGUOUS_PATH)
def name_that_ends_at_a_nul() -> bytes:
    return Wheel({"acme/evil.pth\0.txt": b""}).build()


@PATHS.seen_as(Kind.AMBIGUOUS_PATH)
def name_with_a_line_break() -> bytes:
    return Wheel({"acme/a\x1b[2Jevil.py": b""}).build()


@PATHS.seen_as(Kind.AMBIGUOUS_PATH)
def name_that_reads_backwards() -> bytes:
    return Wheel({"acme/\u202eyp.live": b""}).build()


@PATHS.seen_as(Kind.AMBIGUOUS_PATH, Kind.RECORD_MALFORMED, Kind.NOT_IN_RECORD)
def name_that_is_no_text() -> bytes:
    entry = Entry(b"acme/\xff\xfe.py", b"", flags=0x800)
    return Wheel(with_record=False).with_extra(entry, Entry(f"{INFO}/RECORD".encode(), b"\xff"))


@PATHS.seen_as(Kind.ODD_NAME, Kind.NOT_IN_RECORD)
def name_in_an_unmarked_encoding() -> bytes:
    return Wheel().with_extra(Entry("acme/ä.py".encode("cp437")))


@PATHS.seen_as(Kind.AMBIGUOUS_PATH)
def name_with_empty_segments() -> bytes:
    return Wheel({"acme//./evil.py": b""}).build()


@PATHS.seen_as(Kind.ODD_NAME)
def name_of_a_device() -> bytes:
    return Wheel({"acme/aux.py": b""}).build()


@PATHS.seen_as(Kind.AMBIGUOUS_PATH, Kind.ODD_NAME, Kind.COLLIDING_NAMES)
def name_of_a_file_s_main_stream() -> bytes:
    return Wheel({"acme/__init__.py::$DATA": b"evil"}).build()


@PATHS.seen_as(Kind.COLLIDING_NAMES)
def names_that_differ_by_case() -> bytes:
    return Wheel({"acme/Anvil.py": b"evil"}).build()


@PATHS.seen_as(Kind.COLLIDING_NAMES)
def names_that_differ_by_composition() -> bytes:
    return Wheel({"acme/caf\u00e9.py": b"1", "acme/cafe\u0301.py": b"2"}).build()


@PATHS.seen_as(Kind.COLLIDING_NAMES)
def names_that_differ_by_compatibility() -> bytes:
    return Wheel({"acme/\uff41nvil.py": b"evil"}).build()


@PATHS.seen_as(Kind.COLLIDING_NAMES, Kind.ODD_NAME)
def names_that_differ_by_a_dot_at_the_end() -> bytes:
    return Wheel({"acme/anvil.py.": b"evil"}).build()


@PATHS.seen_as(Kind.COLLIDING_NAMES)
def file_where_others_need_a_folder() -> bytes:
    return Wheel({"acme/anvil.py/evil.py": b""}).build()


@PATHS.seen_as(Kind.SYMLINK)
def symbolic_link() -> bytes:
    entries = Wheel({"acme/passwd": b"/etc/passwd"})
    return entries.with_entry(2, attributes=0o120777 << 16)


@PATHS.seen_as(Kind.SPECIAL_FILE)
def fifo() -> bytes:
    return Wheel({"acme/pipe": b""}).with_entry(2, attributes=0o010644 << 16)


@PATHS.seen_as(Kind.AMBIGUOUS_PATH)
def folder_by_its_mode_only() -> bytes:
    return Wheel({"acme/folder": b""}).with_entry(2, attributes=0o040755 << 16)


@PATHS.seen_as(Kind.SETUID_FILE)
def file_that_runs_as_its_owner() -> bytes:
    return Wheel({"acme/tool": b""}).with_entry(2, attributes=0o104755 << 16)
