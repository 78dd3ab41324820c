import subprocess
import sys
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.audit.note import MAX_NOTE_BYTES, Signer, Verifier, from_base64, open_note, sign_note
from pinfold.domain.errors import InvalidNote

# The examples that the format's specification and its reference implementation publish.
FOO_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
PETER_SEED = from_base64("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
PETER_NOTE = f"{PETER_TEXT}\n{PETER_LINE}".encode()

PETER = Signer.from_seed("PeterNeumann", PETER_SEED)
WITNESS = Signer.from_seed("witness.example", bytes(32))


def test_the_published_examples_open() -> None:
    for note, key in ((FOO_NOTE, FOO_KEY), (PETER_NOTE, PETER_KEY)):
        verifier = Verifier.parse(key)
        opened = open_note(note, [verifier])
        assert opened.signed_by == (verifier,)
        assert note.startswith(opened.text.encode() + "\n— ".encode())


def test_signing_gives_the_published_note_byte_for_byte() -> None:
    assert str(PETER.verifier) == PETER_KEY
    assert sign_note(PETER_TEXT, [PETER]) == PETER_NOTE


def test_no_part_and_no_mangling_of_a_verifier_key_is_a_verifier_key() -> None:
    parts = [PETER_KEY[i:j] for i in range(len(PETER_KEY)) for j in range(i + 1, len(PETER_KEY) + 1)]
    changed = [PETER_KEY[:i] + chr(ord(char) + 1) + PETER_KEY[i + 1 :] for i, char in enumerate(PETER_KEY)]
    for text in [part for part in parts if part != PETER_KEY] + changed + ["", PETER_KEY + "\n", PETER_KEY.upper()]:
        with pytest.raises(InvalidNote):
            Verifier.parse(text)


@pytest.mark.parametrize(
    "key",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
    ids=["a key of another length", "another algorithm"],
)
def test_a_well_numbered_verifier_key_of_another_kind_is_refused(key: str) -> None:
    with pytest.raises(InvalidNote):
        Verifier.parse(key)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\nb", "a\x1bb", "\ud800"])
def test_a_key_name_that_a_note_could_not_carry_is_refused(name: str) -> None:
    with pytest.raises(InvalidNote):
        Verifier(name, bytes(32))


def test_several_keys_may_sign_and_unknown_ones_are_passed_over() -> None:
    note = sign_note(PETER_TEXT, [WITNESS, PETER])
    assert open_note(note, [PETER.verifier]).signed_by == (PETER.verifier,)
    assert open_note(note, [WITNESS.verifier]).signed_by == (WITNESS.verifier,)
    assert open_note(note, [PETER.verifier, WITNESS.verifier]).signed_by == (WITNESS.verifier, PETER.verifier)


def test_a_key_is_known_by_name_and_id_together() -> None:
    renamed = Verifier("PeterNewman", PETER.verifier.public_key)
    other = Signer.from_seed("PeterNeumann", bytes(32)).verifier
    for unknown in (renamed, other):
        with pytest.raises(InvalidNote, match="no trusted key"):
            open_note(PETER_NOTE, [unknown])
    with pytest.raises(InvalidNote, match="no trusted key"):
        open_note(PETER_NOTE, [])


def test_one_wrong_signature_of_a_known_key_spoils_the_note() -> None:
    forged = sign_note("Another text.\n", [WITNESS]).decode().splitlines()[-1] + "\n"
    note = PETER_NOTE + forged.encode()
    assert open_note(note, [PETER.verifier]).text == PETER_TEXT
    with pytest.raises(InvalidNote, match=r"witness\.example is wrong"):
        open_note(note, [PETER.verifier, WITNESS.verifier])


def test_every_changed_byte_is_found() -> None:
    verifier = PETER.verifier
    for at in range(len(PETER_NOTE)):
        for flip in (0x01, 0x20, 0x80):
            changed = PETER_NOTE[:at] + bytes([PETER_NOTE[at] ^ flip]) + PETER_NOTE[at + 1 :]
            with pytest.raises(InvalidNote):
                open_note(changed, [verifier])


def test_a_signature_has_one_spelling() -> None:
    # The last character before the padding has two bits that decoders ignore: a second spelling of the same bytes.
    assert PETER_NOTE.endswith(b"nAM=\n")
    with pytest.raises(InvalidNote, match="malformed signature line"):
        open_note(PETER_NOTE.replace(b"nAM=", b"nAN="), [PETER.verifier])


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n\n",
        PETER_TEXT.encode(),
        PETER_TEXT.encode() + b"\n",
        PETER_NOTE[:-1],
        PETER_NOTE + b"\n",
        PETER_NOTE.replace(b"\n\n", b"\n"),
        PETER_NOTE + PETER_LINE.encode(),
        PETER_NOTE + PETER_LINE.replace("ZJku", "ZJkv").encode(),
        PETER_NOTE.replace(b"\n", b"\r\n"),
        PETER_NOTE.replace(b"cryptography", b"crypto\0graphy"),
        PETER_NOTE.replace(b"cryptography", b"crypto\x1b[2Jgraphy"),
        PETER_NOTE.replace(b"cryptography", b"crypto\xffgraphy"),
        PETER_NOTE.replace("— ".encode(), b"-- "),
        PETER_NOTE.replace("— ".encode(), "—".encode()),
        PETER_NOTE.replace(b"PeterNeumann ", b"PeterNeumann  "),
        PETER_NOTE.replace(b"PeterNeumann", "Peter\u00a0Neumann".encode()),
        PETER_NOTE.replace(b"PeterNeumann", b"Peter+Neumann"),
        PETER_NOTE.replace(b"PeterNeumann ", b""),
        PETER_NOTE.replace(b"AM=", b"AM"),
        PETER_NOTE.replace(b"AM=", b"AM=="),
        PETER_NOTE.replace(b"AM=", b"AM= "),
        PETER_NOTE + b"\xe2\x80\x94 short AAAA\n",
        PETER_NOTE + b"".join(b"\xe2\x80\x94 witness-%d AAAAAAAA\n" % number for number in range(100)),
    ],
)
def test_a_malformed_note_is_refused(note: bytes) -> None:
    with pytest.raises(InvalidNote):
        open_note(note, [PETER.verifier])


def test_a_note_has_room_for_many_witnesses() -> None:
    witnesses = b"".join(
        b"\xe2\x80\x94 witness-%d %b\n" % (number, b64encode(bytes(4) + bytes(5000))) for number in range(16)
    )
    assert open_note(PETER_NOTE + witnesses, [PETER.verifier]).signed_by == (PETER.verifier,)


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else_happens(garbage: bytes) -> None:
    with pytest.raises(InvalidNote):
        open_note(garbage, [PETER.verifier])
    with pytest.raises(InvalidNote):
        open_note(PETER_TEXT.encode() + b"\n" + garbage, [PETER.verifier])


@given(st.text(st.characters(codec="utf-8", exclude_characters="".join(map(chr, range(32))))).map(lambda t: t + "\n"))
def test_what_is_signed_is_what_is_opened(text: str) -> None:
    assert open_note(sign_note(text, [PETER, WITNESS]), [WITNESS.verifier]).text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no newline",
        "two\n\nblocks",
        "tab\t\n",
        "\ud800\n",
        f"fake\n\n{PETER_LINE[:-1]}",
        "a" * MAX_NOTE_BYTES + "\n",
    ],
)
def test_a_text_that_no_note_can_carry_is_not_signed(text: str) -> None:
    with pytest.raises(InvalidNote):
        sign_note(text, [PETER])


def test_a_text_may_contain_empty_lines_and_lines_that_look_like_signatures() -> None:
    text = f"one\n\n{PETER_LINE}\n\ntwo\n"
    assert open_note(sign_note(text, [WITNESS]), [WITNESS.verifier]).text == text
    with pytest.raises(InvalidNote, match="no trusted key"):
        open_note(sign_note(text, [WITNESS]), [PETER.verifier])


def test_nobody_signs_nothing() -> None:
    with pytest.raises(InvalidNote):
        sign_note(PETER_TEXT, [])
    with pytest.raises(InvalidNote, match="repeats"):
        sign_note(PETER_TEXT, [PETER, PETER])


def test_a_signer_does_not_show_its_secret() -> None:
    assert PETER_SEED.hex() not in repr(PETER)
    assert repr(PETER) == "Signer(name='PeterNeumann')"


def test_the_module_costs_no_start_up_time() -> None:
    code = "import sys, pinfold.audit.note; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
