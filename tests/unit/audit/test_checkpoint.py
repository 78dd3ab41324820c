from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.audit.checkpoint import Checkpoint, LogKeys
from pinfold.audit.merkle import EMPTY_ROOT
from pinfold.audit.note import Signer, Verifier, sign_note, to_base64
from pinfold.domain.errors import InvalidNote

ORIGIN = "pinfold.example/audit"
FIRST, SECOND, THIRD, STRANGER = (Signer.from_seed(ORIGIN, bytes([number]) * 32) for number in range(4))
WITNESS = Signer.from_seed("witness.example", bytes([9]) * 32)
KEYS = LogKeys.of(FIRST.verifier)


def at(size: int) -> Checkpoint:
    return Checkpoint(ORIGIN, size, bytes([size % 256]) * 32)


def test_the_text_is_the_published_one() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = Checkpoint.parse(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.root.hex().startswith("0ac5186a9186")
    assert str(checkpoint) == text


@given(st.integers(0, 10**18 - 1), st.binary(min_size=32, max_size=32), st.lists(st.text("ab =", min_size=1)))
def test_what_is_signed_is_what_is_opened(size: int, root: bytes, extensions: list[str]) -> None:
    checkpoint = Checkpoint(ORIGIN, size, root, tuple(extensions))
    assert KEYS.open(checkpoint.sign(FIRST)) == checkpoint


ROOT = to_base64(EMPTY_ROOT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"{ORIGIN}\n0\n{ROOT}",
        f"{ORIGIN}\n0\n",
        f"\n0\n{ROOT}\n",
        f"{ORIGIN}\n\n{ROOT}\n",
        f"{ORIGIN}\n0\n{ROOT}\n\n",
        f"{ORIGIN}\n0\n{ROOT}\n\nextension\n",
        *(
            f"{ORIGIN}\n{size}\n{ROOT}\n"
            for size in ("00", "01", "-1", "+1", " 1", "1 ", "1_0", "1.0", "0x1", "٣", "²")
        ),
        f"{ORIGIN}\n{10**18}\n{ROOT}\n",
        f"{ORIGIN}\n{'9' * 5000}\n{ROOT}\n",
        f"{ORIGIN}\n0\n{ROOT[:-1]}\n",
        f"{ORIGIN}\n0\n{ROOT} \n",
        f"{ORIGIN}\n0\n{ROOT[:-2]}V=\n",
        f"{ORIGIN}\n0\n{to_base64(EMPTY_ROOT[:-1])}\n",
        f"{ORIGIN}\n0\n{to_base64(EMPTY_ROOT + b'0')}\n",
        f"{ORIGIN}\n0\nKey rotation\n",
    ],
)
def test_a_malformed_checkpoint_is_refused_though_signed(text: str) -> None:
    with pytest.raises(InvalidNote):
        Checkpoint.parse(text)
    if text.endswith("\n") and "\n\n" not in text:
        with pytest.raises(InvalidNote):
            KEYS.open(sign_note(text, [FIRST]))


@given(st.text())
def test_a_checkpoint_has_one_spelling(text: str) -> None:
    try:
        checkpoint = Checkpoint.parse(text)
    except InvalidNote:
        return
    assert str(checkpoint) == text


@pytest.mark.parametrize(
    "broken", [replace(at(1), origin="a\n5"), replace(at(1), extensions=("a\nb",)), replace(at(1), root=b"short")]
)
def test_what_could_not_be_read_back_is_not_signed(broken: Checkpoint) -> None:
    with pytest.raises(InvalidNote):
        broken.sign(FIRST)


def test_every_changed_byte_is_found() -> None:
    note = at(7).sign(FIRST)
    for place, byte in enumerate(note):
        for other in {byte ^ 1, byte ^ 0x20, ord("A"), ord("\n")} - {byte}:
            with pytest.raises(InvalidNote):
                KEYS.open(note[:place] + bytes([other]) + note[place + 1 :])


def test_a_checkpoint_of_another_log_is_refused() -> None:
    other = replace(at(7), origin="other.example/audit")
    with pytest.raises(InvalidNote, match=r"not of pinfold\.example/audit"):
        KEYS.open(other.sign(FIRST))


def test_a_witness_alone_does_not_vouch() -> None:
    assert KEYS.open(at(7).sign(WITNESS, FIRST)) == at(7)
    with pytest.raises(InvalidNote, match="no trusted key"):
        KEYS.open(at(7).sign(WITNESS))


@pytest.mark.parametrize("verifiers", [(), (FIRST.verifier, WITNESS.verifier)])
def test_the_keys_of_a_log_bear_its_name(verifiers: tuple[Verifier, ...]) -> None:
    with pytest.raises(InvalidNote, match="of one name"):
        LogKeys.of(*verifiers)


def test_a_change_of_keys_is_followed() -> None:
    keys = KEYS.follow(at(10).sign_as_last(FIRST, SECOND)).follow(at(20).sign_as_last(SECOND, THIRD))
    assert keys.open(at(5).sign(FIRST)) == at(5)
    assert keys.open(at(10).sign(FIRST)) == at(10)
    assert keys.open(at(15).sign(SECOND)) == at(15)
    assert keys.open(at(25).sign(THIRD)) == at(25)
    with pytest.raises(InvalidNote, match="no trusted key"):
        KEYS.open(at(15).sign(SECOND))


def test_the_last_checkpoint_of_a_key_is_a_checkpoint() -> None:
    checkpoint = KEYS.open(at(10).sign_as_last(FIRST, SECOND))
    assert (checkpoint.size, checkpoint.root, checkpoint.successor) == (10, at(10).root, SECOND.verifier)
    assert at(10).successor is None


def test_a_replaced_key_vouches_for_no_larger_tree() -> None:
    keys = KEYS.follow(at(10).sign_as_last(FIRST, SECOND))
    with pytest.raises(InvalidNote, match="replaced"):
        keys.open(at(11).sign(FIRST))
    with pytest.raises(InvalidNote, match="replaced"):
        keys.follow(at(11).sign_as_last(FIRST, STRANGER))


def test_a_replaced_key_does_not_come_back() -> None:
    keys = KEYS.follow(at(10).sign_as_last(FIRST, SECOND)).follow(at(20).sign_as_last(SECOND, FIRST))
    with pytest.raises(InvalidNote, match="replaced"):
        keys.open(at(25).sign(FIRST))


def test_a_stolen_key_that_was_replaced_appoints_nobody_by_dating_back() -> None:
    keys = KEYS.follow(at(10).sign_as_last(FIRST, SECOND))
    for size in (9, 10):
        with pytest.raises(InvalidNote, match="after its own key was replaced"):
            keys.follow(at(size).sign_as_last(FIRST, STRANGER))


def test_following_twice_changes_nothing() -> None:
    first, second = at(10).sign_as_last(FIRST, SECOND), at(20).sign_as_last(SECOND, THIRD)
    keys = KEYS.follow(first).follow(second)
    assert keys.follow(first) == keys
    assert keys.follow(second) == keys


def test_nobody_but_a_known_key_names_its_successor() -> None:
    with pytest.raises(InvalidNote, match="no trusted key"):
        KEYS.follow(at(10).sign_as_last(STRANGER, SECOND))
    with pytest.raises(InvalidNote, match="names no key"):
        KEYS.follow(at(10).sign(FIRST))


def test_a_successor_must_sign_as_well() -> None:
    named = at(10).sign_as_last(FIRST, SECOND)
    alone = Checkpoint.parse(named.decode().split("\n\n")[0] + "\n").sign(FIRST)
    with pytest.raises(InvalidNote, match="no trusted key"):
        KEYS.follow(alone)


def test_a_successor_is_of_the_same_log_and_only_one() -> None:
    with pytest.raises(InvalidNote, match="names no key of this log"):
        KEYS.follow(at(10).sign_as_last(FIRST, WITNESS))
    twice = replace(at(10), extensions=(f"next-key {SECOND.verifier}",))
    with pytest.raises(InvalidNote, match="names two keys"):
        KEYS.follow(twice.sign_as_last(FIRST, THIRD))
    with pytest.raises(InvalidNote):
        KEYS.follow(replace(at(10), extensions=("next-key nonsense",)).sign(FIRST))
