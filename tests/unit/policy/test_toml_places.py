import tomllib

from hypothesis import given
from hypothesis import strategies as st

from pinfold.policy.toml_places import KeyPath, line_numbers

TEXT = '''# a comment
name = "x"

[[rule]]
id = "one"
params = { days = 3, overrides = { a = 1 } }
list = [
  "a",   # ]
  "b = 3",
]

[[rule]]
id = """
[[rule]]
id = "not a key"
"""
  [rule.params]
  days = 3
  "quoted key" = 1
  dotted.key = 2

  [[rule.file]]
  name = "f"
  [[rule.file]]
  name = "g"
[other]
x = 1
'''


def test_every_table_and_key_has_its_line() -> None:
    lines = line_numbers(TEXT)
    assert lines[("name",)] == 2
    assert lines[("rule", 0)] == 4
    assert lines[("rule", 0, "params", "days")] == 6
    assert lines[("rule", 0, "params", "overrides", "a")] == 6
    assert lines[("rule", 0, "list", 1)] == 7
    assert lines[("rule", 1)] == 12
    assert lines[("rule", 1, "id")] == 13
    assert lines[("rule", 1, "params")] == 17
    assert lines[("rule", 1, "params", "quoted key")] == 19
    assert lines[("rule", 1, "params", "dotted", "key")] == 20
    assert lines[("rule", 1, "file", 0)] == 22
    assert lines[("rule", 1, "file", 1, "name")] == 25
    assert lines[("other", "x")] == 27


def test_windows_line_ends_count_once() -> None:
    assert line_numbers(TEXT.replace("\n", "\r\n")) == line_numbers(TEXT)


def test_nothing_but_what_the_text_holds_has_a_line() -> None:
    assert set(paths(tomllib.loads(TEXT))) - {("rule",), ("rule", 1, "file")} == line_numbers(TEXT).keys()


def test_list_of_thousands_of_lines_takes_no_time() -> None:
    names = "\n".join(f'  "name-{number}",' for number in range(5000))
    assert line_numbers(f"list = [\n{names}\n]\nafter = 1\n")[("after",)] == 5003


def test_empty_text_has_no_places() -> None:
    assert line_numbers("") == {}
    assert line_numbers("\n# only a comment\n") == {}


def paths(value: object, above: KeyPath = ()) -> list[KeyPath]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, child in children for path in ((*above, key), *paths(child, (*above, key)))]


keys = st.text("ab-_ .#=[]\"'é", min_size=1, max_size=4)
values = st.recursive(
    st.integers() | st.text("a\n#[]\"'=\\", max_size=6) | st.booleans(), lambda inner: st.lists(inner, max_size=3)
)


@given(st.lists(st.dictionaries(keys, values, max_size=3), min_size=1, max_size=3), st.booleans())
def test_any_document_is_split_where_its_statements_begin(tables: list[dict[str, object]], broken: bool) -> None:
    """Whatever strings and arrays hold, however they are broken over lines, each key is found in its own line."""
    text, expected = "", {}
    for position, table in enumerate(tables):
        expected[("t", position)] = text.count("\n") + 1
        text += "[[t]]\n"
        for key, value in table.items():
            expected[("t", position, key)] = text.count("\n") + 1
            text += f"{quoted(key)} = {written(value, broken)}\n"
    lines = line_numbers(text)
    assert {path: lines[path] for path in expected} == expected
    assert tomllib.loads(text) == {"t": tables}


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def written(value: object, broken: bool) -> str:
    if isinstance(value, list):
        glue = ',\n# ] """\n' if broken else ", "
        return "[" + glue.join(written(item, broken) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and broken:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"""\n{escaped}"""'
    return quoted(value) if isinstance(value, str) else str(value)
