from pinfold.domain.by_identity import ByIdentity


def test_an_object_is_asked_about_once() -> None:
    asked: list[tuple[int, ...]] = []
    length = ByIdentity(lambda numbers: asked.append(numbers) or len(numbers), 10)
    one = tuple(range(3))
    assert [length(one), length(one)] == [3, 3]
    assert asked == [one]


def test_objects_that_are_equal_are_not_taken_for_each_other() -> None:
    kind = ByIdentity(lambda values: [type(value) for value in values], 10)
    assert (kind((True,)), kind((1,))) == ([bool], [int])


def test_an_object_that_is_gone_is_not_taken_for_another_at_its_place() -> None:
    first = ByIdentity(lambda numbers: numbers[0], 10)
    assert [first([number]) for number in range(1000)] == list(range(1000))


def test_no_more_is_kept_than_may_be() -> None:
    made: list[object] = []
    same = ByIdentity(lambda thing: made.append(thing) or thing, 2)
    one, two, three = (object() for _ in range(3))
    for thing in (one, two, one, two, three, one):
        assert same(thing) is thing
    assert made == [one, two, three, one]
