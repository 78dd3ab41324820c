"""What is rendered is read back as it was, and both representations say the same."""

from hypothesis import given
from tests.unit.index.pages import BASE, NAME, as_html_tells, page_of, projects

from pinfold.domain.project import Project
from pinfold.index.parse import parse_names_html, parse_names_json, parse_project_html, parse_project_json
from pinfold.index.render import render_html, render_json, render_names_html, render_names_json


@given(projects())
def test_json_is_read_back_as_it_was(project: Project) -> None:
    assert parse_project_json(render_json(page_of(project)), project=NAME, base_url=BASE) == project


@given(projects())
def test_html_is_read_back_as_far_as_html_can_tell(project: Project) -> None:
    assert parse_project_html(render_html(page_of(project)), project=NAME, base_url=BASE) == as_html_tells(project)


@given(projects())
def test_a_page_is_rendered_to_the_same_bytes_every_time(project: Project) -> None:
    assert render_json(page_of(project)) == render_json(page_of(project))
    assert render_html(page_of(project)) == render_html(page_of(project))


def test_lists_of_projects_are_read_back_as_they_were() -> None:
    names = ["a", "acme-tools", "zope-interface", "0"]
    assert parse_names_json(render_names_json(names)) == names
    assert parse_names_html(render_names_html(names)) == names
    assert parse_names_json(render_names_json([])) == parse_names_html(render_names_html([])) == []
