"""Zip archives that lie about their own structure; each is a wheel, so that nothing else is wrong with them."""

import bz2
import lzma
import struct

from tests.unit.inspection.archives import Entry, Wheel, Zip, record_row
from tests.unit.inspection.hostile import Register

from pinfold.domain.inspection import Kind
from pinfold.inspection import Limits

ZIPS = Register()


def _changed(index: int = 1, **changes: object) -> bytes:
    return Wheel().with_entry(index, **changes)


def _zip(**parts: object) -> bytes:
    return Zip(Wheel().entries(), **parts).build()  # type: ignore[arg-type]


@ZIPS.seen_as(Kind.HIDDEN_DATA)
def data_before_the_first_entry() -> bytes:
    return _zip(prefix=b"#!/bin/sh\nrm -rf ~\n")


@ZIPS.seen_as(Kind.HIDDEN_DATA)
def executable_put_before_the_archive() -> bytes:
    return b"\x7fELF" + bytes(100) + Wheel().build()


@ZIPS.seen_as(Kind.HIDDEN_DATA)
def data_between_entries() -> bytes:
    return _zip(between=b"payload")


@ZIPS.seen_as(Kind.HIDDEN_DATA)
def data_before_the_directory() -> bytes:
    return _zip(before_directory=b"payload")


@ZIPS.seen_as(Kind.HIDDEN_DATA)
def data_after_the_end() -> bytes:
    return _zip(suffix=b"payload")


@ZIPS.seen_as(Kind.UNREADABLE_ARCHIVE)
def data_between_directory_and_end() -> bytes:
    return _zip(before_end=b"payload")


@ZIPS.seen_as(Kind.HIDDEN_ENTRY)
def entry_that_the_directory_does_not_list() -> bytes:
    return Zip((*Wheel().entries(), Entry(b"acme/evil.py", b"evil", listed=False))).build()


@ZIPS.seen_as(Kind.UNREAD_BYTES)
def archive_comment() -> bytes:
    return _zip(comment=b"aW1wb3J0IG9z")


@ZIPS.seen_as(Kind.UNREAD_BYTES)
def entry_comment() -> bytes:
    return _changed(comment=b"aW1wb3J0IG9z")


@ZIPS.seen_as(Kind.UNREAD_BYTES)
def long_extra_field() -> bytes:
    return _changed(local_extra=struct.pack("<HH", 0xCAFE, 2000) + bytes(2000))


@ZIPS.seen_as(Kind.AMBIGUOUS_FORMAT, Kind.UNREADABLE_ARCHIVE)
def second_archive_in_the_comment() -> bytes:
    # The end record inside the comment fits the file's end as well as the real one does.
    return _zip(comment=b"x" * 20 + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, 46, 1 << 20, 0))


@ZIPS.seen_as(Kind.HEADER_MISMATCH)
def local_header_with_another_name() -> bytes:
    return _changed(local_name=b"acme/evils.py")


@ZIPS.seen_as(Kind.HEADER_MISMATCH)
def local_header_with_another_compression() -> bytes:
    return _changed(local_method=0)


@ZIPS.seen_as(Kind.HEADER_MISMATCH)
def local_header_with_another_size() -> bytes:
    return _changed(local_sizes=(0, 3, 3))


@ZIPS.seen_as(Kind.HEADER_MISMATCH)
def local_header_that_alone_is_encrypted() -> bytes:
    return _changed(local_flags=1)


@ZIPS.seen_as(Kind.HEADER_MISMATCH)
def descriptor_that_disagrees() -> bytes:
    return _changed(flags=8, local_sizes=(0, 0, 0), descriptor=b"PK\x07\x08" + bytes(12))


@ZIPS.seen_as(Kind.HEADER_MISMATCH)
def stored_data_whose_length_comes_after_it() -> bytes:
    entry = Entry(b"acme/anvil.py", Wheel().contents()["acme/anvil.py"], method=0)
    return _changed(
        method=0, flags=8, local_sizes=(0, 0, 0), descriptor=b"PK\x07\x08" + struct.pack("<3I", *entry.sizes())
    )


@ZIPS.seen_as(Kind.HIDDEN_DATA)
def data_behind_a_descriptor() -> bytes:
    sizes = Wheel().entries()[1].sizes()
    descriptor = b"PK\x07\x08" + struct.pack("<3I", *sizes) + b"payload"
    return _changed(flags=8, local_sizes=(0, 0, 0), descriptor=descriptor)


@ZIPS.seen_as(Kind.HEADER_MISMATCH)
def second_name_in_an_extra_field() -> bytes:
    return _changed(extra=struct.pack("<HHBI", 0x7075, 5 + 14, 1, 0) + b"sitecustomize1")


@ZIPS.seen_as(Kind.HEADER_MISMATCH)
def extra_field_that_breaks_off() -> bytes:
    return _changed(extra=struct.pack("<HH", 0x7075, 500) + b"short")


@ZIPS.seen_as(Kind.HEADER_MISMATCH)
def zip64_sizes_that_the_header_does_not_ask_for() -> bytes:
    return _changed(local_extra=struct.pack("<HHQQ", 1, 16, 5, 5))


@ZIPS.seen_as(Kind.HEADER_MISMATCH, Kind.TOO_LARGE)
def zip64_size_that_is_missing() -> bytes:
    return _changed(size=0xFFFFFFFF)


@ZIPS.seen_as(Kind.HEADER_MISMATCH)
def two_zip64_fields() -> bytes:
    sizes = Wheel().entries()[1].sizes()
    wide = struct.pack("<HHQQ", 1, 16, sizes[2], sizes[1])
    return _changed(extra=wide + wide)


def _end64(count: int, size: int, offset: int, position: int, *, claimed: int = 0, length: int = 44) -> bytes:
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", length, 45, 45, 0, 0, count, count, size, offset)
    return record + struct.pack("<4sIQI", b"PK\x06\x07", 0, position + claimed, 1)


@ZIPS.seen_as(Kind.AMBIGUOUS_FORMAT)
def zip64_locator_that_points_elsewhere() -> bytes:
    return _zip(end64=lambda *values: _end64(*values, claimed=-60))


@ZIPS.seen_as(Kind.AMBIGUOUS_FORMAT)
def zip64_record_of_another_length() -> bytes:
    return _zip(end64=lambda *values: _end64(*values, length=200))


@ZIPS.seen_as(Kind.HEADER_MISMATCH)
def zip64_record_that_counts_otherwise() -> bytes:
    return _zip(end64=lambda count, *values: _end64(count + 1, *values))


@ZIPS.seen_as(Kind.HEADER_MISMATCH)
def end_record_that_counts_otherwise() -> bytes:
    return _zip(count=3)


@ZIPS.seen_as(Kind.HEADER_MISMATCH)
def archive_on_several_disks() -> bytes:
    return _zip(disk=3)


@ZIPS.seen_as(Kind.OVERLAPPING_ENTRIES, Kind.HEADER_MISMATCH, Kind.NOT_IN_RECORD)
def two_entries_on_the_same_bytes() -> bytes:
    first = Wheel().entries()[0]
    twin = Entry(b"acme/twin.py", first.data, offset=0, present=False)
    return Wheel().with_extra(twin)


@ZIPS.seen_as(Kind.OVERLAPPING_ENTRIES, Kind.HIDDEN_DATA)
def entry_that_runs_into_the_next() -> bytes:
    return _changed(packed_size=Wheel().entries()[1].sizes()[1] + 40, local_sizes=None)


@ZIPS.seen_as(Kind.ENCRYPTED_ENTRY, Kind.RECORD_MISMATCH)
def encrypted_entry() -> bytes:
    return _changed(flags=1)


@ZIPS.seen_as(Kind.UNUSUAL_COMPRESSION, Kind.RECORD_MISMATCH)
def bzip2_entry() -> bytes:
    return _changed(method=12, packed=bz2.compress(Wheel().entries()[1].data))


@ZIPS.seen_as(Kind.UNUSUAL_COMPRESSION, Kind.RECORD_MISMATCH)
def lzma_entry() -> bytes:
    return _changed(method=14, packed=lzma.compress(Wheel().entries()[1].data))


@ZIPS.seen_as(Kind.DAMAGED_ENTRY)
def wrong_checksum() -> bytes:
    return _changed(crc=0xDEAD)


@ZIPS.seen_as(Kind.DAMAGED_ENTRY, Kind.RECORD_MISMATCH)
def compressed_data_that_breaks_off() -> bytes:
    return _changed(packed=Wheel().entries()[1].packed_data()[:-4])


@ZIPS.seen_as(Kind.HIDDEN_DATA)
def data_behind_the_compressed_data() -> bytes:
    return _changed(packed=Wheel().entries()[1].packed_data() + b"payload")


@ZIPS.seen_as(Kind.DAMAGED_ENTRY, Kind.RECORD_MISMATCH)
def entry_that_unpacks_to_more_than_it_declares() -> bytes:
    return _changed(size=10)


@ZIPS.seen_as(Kind.HIDDEN_DATA, Kind.RECORD_MISMATCH, Kind.DUPLICATE_NAME)
def data_in_the_entry_of_a_folder_that_is_also_a_file() -> bytes:
    return Wheel().with_extra(
        Entry(b"acme/anvil.py/", b"payload", attributes=0o040755 << 16), Entry(b"acme/anvil.py", b"payload")
    )


@ZIPS.seen_as(Kind.HIDDEN_DATA)
def data_behind_the_nothing_in_the_entry_of_a_folder() -> bytes:
    return Wheel().with_extra(Entry(b"acme/folder/", packed=b"\x03\0payload", attributes=0o040755 << 16))


@ZIPS.seen_as(Kind.DUPLICATE_NAME, Kind.RECORD_MISMATCH)
def same_name_twice() -> bytes:
    return Wheel().with_extra(Entry(b"acme/anvil.py", b"import evil\n"))


@ZIPS.seen_as(Kind.UNREADABLE_ARCHIVE)
def archive_that_breaks_off() -> bytes:
    return Wheel().build()[:-30]


@ZIPS.seen_as(Kind.UNREADABLE_ARCHIVE)
def no_archive_at_all() -> bytes:
    return b"<html>404</html>"


@ZIPS.seen_as(Kind.UNREADABLE_ARCHIVE)
def nothing() -> bytes:
    return b""


@ZIPS.seen_as(Kind.UNREADABLE_ARCHIVE)
def directory_that_points_outside() -> bytes:
    return _changed(offset=0xFFFFFFF0)


@ZIPS.seen_as(Kind.UNREADABLE_ARCHIVE)
def entry_of_a_version_to_come() -> bytes:
    return _changed(version=75)


@ZIPS.seen_as(Kind.UNREADABLE_ARCHIVE)
def directory_of_garbage() -> bytes:
    return Wheel().build().replace(b"PK\x01\x02", b"PK\x01\x03")


@ZIPS.seen_as(Kind.TOO_LARGE, limits=Limits(entries=50))
def too_many_entries() -> bytes:
    return Wheel().with_extra(*(Entry(f"acme/{number}.py".encode()) for number in range(60)))


@ZIPS.seen_as(Kind.TOO_LARGE, limits=Limits(entries=50))
def too_many_entries_uncounted() -> bytes:
    extra = tuple(Entry(f"acme/{number}.py".encode()) for number in range(60))
    return Zip((*Wheel().entries(), *extra), count=5).build()


@ZIPS.seen_as(Kind.TOO_LARGE)
def bomb_that_declares_what_it_is() -> bytes:
    data = bytes(80 << 20)
    return Wheel({"acme/zeros.bin": data}).build()


@ZIPS.seen_as(Kind.TOO_LARGE)
def entry_that_declares_terabytes() -> bytes:
    wide = struct.pack("<HHQ", 1, 8, 1 << 42)
    return _changed(size=0xFFFFFFFF, extra=wide)


@ZIPS.seen_as(Kind.TOO_LARGE)
def path_of_many_folders() -> bytes:
    return Wheel({"a/" * 100 + "b.py": b""}).build()


@ZIPS.seen_as(Kind.TOO_LARGE, limits=Limits(seconds=-1))
def archive_that_takes_too_long() -> bytes:
    return Wheel().build()


@ZIPS.seen_as(Kind.TOO_LARGE, limits=Limits(record=10))
def record_too_long_to_be_read() -> bytes:
    return Wheel().build()


@ZIPS.seen_as(Kind.TOO_LARGE, limits=Limits(traits=10))
def too_much_to_remember() -> bytes:
    return Wheel({f"top{number}/__init__.py": b"" for number in range(20)}).build()


@ZIPS.seen_as(Kind.RECORD_MISMATCH)
def entry_replaced_behind_records_back() -> bytes:
    return _changed(data=b"import evil\n")


@ZIPS.seen_as(Kind.RECORD_MISMATCH)
def entry_replaced_at_the_same_size() -> bytes:
    data = Wheel().entries()[1].data
    return _changed(data=data[:-1] + b"#")


@ZIPS.seen_as(Kind.NOT_IN_RECORD)
def entry_behind_records_back() -> bytes:
    return Wheel().with_extra(Entry(b"acme/evil.py", b"print('evil')\n"))


@ZIPS.seen_as(Kind.RECORD_MISMATCH)
def record_with_another_hash() -> bytes:
    def rows(rows: list[str]) -> list[str]:
        return [
            record_row("acme/anvil.py", bytes(len(Wheel().entries()[1].data))),
            *(r for r in rows if "anvil" not in r),
        ]

    return Wheel(rows=rows).build()
