from tests.bench.incident_table import BEGIN, END, INCIDENTS, README, RULES, table


def test_the_readme_tells_of_incidents_what_the_rules_decide() -> None:
    told = README.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0].strip()
    assert told == table(), "run: python -m tests.bench.incident_table"


def test_the_table_is_honest_in_both_directions() -> None:
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table().splitlines()[2:]]
    assert len(rows) == len(INCIDENTS)
    assert all(row[1] != "allow" for row in rows)
    for column in range(2, 2 + len(RULES)):
        assert any(row[column] == "no" for row in rows) or RULES[column - 2] == "minimum-age"
        assert any(row[column] != "no" for row in rows)
