import pytest
from pydantic import TypeAdapter, ValidationError

from pinfold.settings.values import IndexName
from pinfold.web.app import INDEX_ROUTES, ROUTES

FIRST_SEGMENTS = sorted({route.path.split("/")[1] for route in (*ROUTES, *INDEX_ROUTES)})


@pytest.mark.parametrize("segment", FIRST_SEGMENTS)
def test_no_index_can_be_called_what_an_address_of_pinfolds_own_begins_with(segment: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(IndexName).validate_python(segment)


def test_any_other_segment_can_be_an_indexs_name() -> None:
    assert TypeAdapter(IndexName).validate_python("prod") == "prod"
