import gc

from hypothesis import given
from hypothesis import strategies as st

from pinfold.usecases.lru import Lru, Recalling


def test_the_least_recently_used_entry_makes_room():
    memory = Lru(3)
    for key in "abc":
        memory.put(key, key.upper(), 1)
    memory.get("a")
    memory.put("d", "D", 1)
    assert [memory.get(key) for key in "abcd"] == ["A", None, "C", "D"]


def test_the_oldest_entry_is_told_without_being_used():
    memory = Lru(2)
    assert memory.oldest() is None
    for key in "ab":
        memory.put(key, key.upper(), 1)
    assert memory.oldest() == memory.oldest() == ("a", "A")
    memory.put("c", "C", 1)
    assert memory.oldest() == ("b", "B")


def test_an_entry_that_is_peeked_at_is_not_used():
    memory = Lru(2)
    for key in "ab":
        memory.put(key, key.upper(), 1)
    assert (memory.peek("a"), memory.peek("c")) == ("A", None)
    assert memory.oldest() == ("a", "A")


def test_what_exceeds_the_budget_is_not_kept_and_throws_nothing_out():
    memory = Lru(3)
    memory.put("a", "A", 1)
    memory.put("b", "B", 4)
    assert memory.get("a") == "A"
    assert memory.get("b") is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 7))), st.integers(0, 20))
def test_the_weights_never_exceed_the_budget_and_the_last_entry_that_fits_is_there(puts, budget):
    memory, weights = Lru(budget), {}
    for key, weight in puts:
        memory.put(key, (key, weight), weight)
        weights[key] = weight
        kept = [entry for known in weights if (entry := memory.get(known)) is not None]
        assert sum(weight for _, weight in kept) <= budget
        assert memory.get(key) == ((key, weight) if weight <= budget else None)


class Page:
    """Anything that can be referred to weakly."""


def test_what_made_room_is_found_again_while_somebody_works_with_it():
    memory = Recalling(1)
    first = Page()
    memory.put("a", first, 1)
    memory.put("b", Page(), 1)
    assert memory.get("a") is first
    memory.drop("a")
    assert memory.get("a") is None
    memory.put("a", first, 2)
    assert memory.get("a") is first, "or it had no room to begin with"
    del first
    gc.collect()
    assert memory.get("a") is None


def test_what_took_its_place_is_found_alone():
    memory = Recalling(0)
    first, second = Page(), Page()
    memory.put("a", first, 1)
    memory.put("a", second, 1)
    assert memory.get("a") is second
