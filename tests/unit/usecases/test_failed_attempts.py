import pytest

from pinfold.usecases.failed_attempts import ADDRESSES, MOST_ENTRIES, MOST_FAILURES, WINDOW, FailedAttempts


class Time:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def attempts(time):
    return FailedAttempts(time)


def test_a_few_failures_are_explained_and_then_no_more(attempts):
    answers = [attempts.add("192.0.2.7") for _ in range(MOST_FAILURES + 2)]
    assert [answer.retry_after > 0 for answer in answers] == [False] * MOST_FAILURES + [True] * 2
    assert 0 < attempts.retry_after("192.0.2.7") <= WINDOW + 1
    assert attempts.retry_after("192.0.2.8") == 0


def test_an_address_is_heard_again_after_its_window(attempts, time):
    for _ in range(MOST_FAILURES + 5):
        attempts.add("192.0.2.7")
    time.now += WINDOW - 1
    assert attempts.retry_after("192.0.2.7") >= 1
    time.now += 1.5
    assert attempts.retry_after("192.0.2.7") == 0
    assert attempts.add("192.0.2.7").retry_after == 0


def test_only_the_first_of_a_window_is_recorded(attempts, time):
    assert [attempts.add("192.0.2.7").to_be_recorded for _ in range(50)] == [True] + [False] * 49
    time.now += WINDOW
    assert attempts.add("192.0.2.7").to_be_recorded


def test_the_log_is_not_filled_from_many_addresses(attempts, time):
    recorded = [attempts.add(f"10.1.{n // 250}.{n % 250}").to_be_recorded for n in range(2000)]
    assert sum(recorded) == MOST_ENTRIES
    time.now += WINDOW
    assert attempts.add("10.9.9.9").to_be_recorded


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        (None, "", True),
        ("unknown", "unknown", True),
    ],
)
def test_one_site_is_one_address(attempts, one, other, same):
    for _ in range(MOST_FAILURES):
        attempts.add(one)
    assert (attempts.retry_after(other) > 0) is same


def test_memory_is_bounded(attempts):
    for number in range(ADDRESSES + 500):
        attempts.add(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(attempts._windows._entries) == ADDRESSES
