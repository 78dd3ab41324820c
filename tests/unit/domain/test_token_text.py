import string

from hypothesis import given
from hypothesis import strategies as st

from pinfold.domain.token_text import read_token, write_token

TEXT = write_token("T-7QK2MXA")


def test_a_token_names_itself_and_proves_itself():
    text = read_token(TEXT)
    assert text.id == "T-7QK2MXA"
    assert len(text.sha256) == 32
    assert read_token(TEXT) == text


def test_no_two_tokens_are_alike():
    assert len({write_token("T-7QK2MXA") for _ in range(100)}) == 100


def test_a_token_needs_no_escaping_anywhere():
    assert set(TEXT) <= set(string.ascii_lowercase + string.digits + "_")
    assert TEXT.startswith("pinfold_7qk2mxa_")


def test_a_secret_has_256_bits():
    assert len(TEXT.rpartition("_")[2]) == 52 + 7
    assert 52 * 5 >= 256


def test_the_hash_is_not_shown_with_it():
    assert "sha256" not in repr(read_token(TEXT))


@given(st.integers(0, len(TEXT) - 1), st.sampled_from(string.ascii_lowercase + "234567_"))
def test_one_wrong_letter_is_noticed(at, letter):
    typo = TEXT[:at] + letter + TEXT[at + 1 :]
    assert typo == TEXT or read_token(typo) is None


@given(st.integers(0, len(TEXT) - 1))
def test_what_is_cut_off_or_doubled_is_noticed(at):
    assert read_token(TEXT[:at]) is None
    assert read_token(TEXT + TEXT[at:]) is None
    assert read_token(TEXT[:at] + TEXT[at] + TEXT[at:]) is None


@given(st.text())
def test_no_text_breaks_the_reading(text):
    assert read_token(text) is None
    assert read_token("pinfold_7qk2mxa_" + text) is None


def test_what_only_looks_like_letters_is_no_token():
    assert read_token(TEXT.upper()) is None
    assert read_token(TEXT + "\n") is None
    assert read_token(TEXT.replace("7", "\N{ARABIC-INDIC DIGIT SEVEN}")) is None
