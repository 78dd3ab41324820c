"""What is rendered is read back as it was, and both representations say the same."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.index.pages import BASE, NAME, as_html_tells, page_of, projects

from pinfold.domain.project import Project
from pinfold.index.parse import parse_names_html, parse_names_json, parse_project_html, parse_project_json
from pinfold.index.render import render_html, render_json, render_names_html, render_names_json


@given(projects())
def test_json_is_read_back_as_it_was(project: Project) -> None:
    assert parse_project_json(render_json(page_of(project)), project=NAME, base_url=BASE) == project


@given(projects(), st.data())
def test_a_page_is_read_alike_beside_an_entry_that_is_malformed(project: Project, data: st.DataObject) -> None:
    """Where one entry is malformed, the others are decoded another way."""
    page = json.loads(render_json(page_of(project)))
    broken = data.draw(st.sampled_from([None, 1, {}, {"filename": 1}, {"filename": "demo_pkg-1.tar.gz", "url": "x"}]))
    page["files"].insert(data.draw(st.integers(0, len(page["files"]))), broken)
    read = parse_project_json(json.dumps(page).encode(), project=NAME, base_url=BASE)
    assert len(read.rejected) == len(project.rejected) + 1
    assert replace(read, rejected=project.rejected) == project


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
