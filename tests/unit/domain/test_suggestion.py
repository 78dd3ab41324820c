from pinfold.domain.suggestion import suggestion


def test_a_name_that_is_nearly_known_is_answered_with_the_one_that_is_meant() -> None:
    assert suggestion("mian", ["prod", "main"]) == "; did you mean main?"


def test_any_other_name_is_answered_with_all_that_are_known_in_order() -> None:
    assert suggestion("absent", ["prod", "main"]) == "; known: main, prod"
    assert suggestion("absent", ()) == "; known: "
