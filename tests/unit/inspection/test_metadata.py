"""METADATA: its headers are those that any reader of the format finds, whatever they are followed by."""

from email.parser import BytesParser

from hypothesis import given, settings
from hypothesis import strategies as st

from pinfold.inspection.limits import Limits
from pinfold.inspection.metadata import check_metadata
from pinfold.inspection.notes import Notes
from pinfold.inspection.release import Release

LINES = [
    *(
        b"Name: acme",
        b"Version: 1.0",
        b"Name: other",
        b" folded",
        b"\tfolded",
        b"From me",
        b"no header",
        b": x",
        b"N\xc3\xa4me: x",
    ),
    *(
        b"",
        b"\r",
        b" ",
        b"\0",
        b"\x0b",
        b"\x0c",
        b"\x1e",
        b"\xe2\x80\xa8",
        b"\xff",
        b"Requires-Dist: a @ https://files.example/a",
    ),
]
documents = st.lists(
    st.tuples(st.sampled_from(LINES) | st.binary(max_size=5), st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n", b""])),
    max_size=8,
).map(lambda lines: b"".join(line + end for line, end in lines))


@settings(max_examples=1000, deadline=None)
@given(documents, documents)
def test_no_header_is_missed_and_none_is_found_in_the_description(head: bytes, description: bytes) -> None:
    body = head + b"\n\n" + description
    message = BytesParser().parsebytes(body, headersonly=True)
    notes, of_headers = Notes(Limits()), Notes(Limits())
    check_metadata(body, "METADATA", Release("acme", "1.0"), notes)
    headers = b"".join(f"{name}: {value}\n".encode("utf-8", "surrogateescape") for name, value in message.items())
    check_metadata(headers, "METADATA", Release("acme", "1.0"), of_headers)
    assert {observation.kind for observation in notes.observations} == {
        observation.kind for observation in of_headers.observations
    }
