"""docs/settings.md is the whole document, with every key at its default."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.settings.keys import every_key

from pinfold.settings import Settings, load_settings

PAGE = Path(__file__).parents[3] / "docs/settings.md"
DOCUMENT = PAGE.read_text().partition("```toml\n")[2].partition("```")[0]
COMMENTED_OUT = re.compile(r"^# (?=\[\[?[a-z_.]+\]|[a-z_]+ = )", re.MULTILINE)


def documented() -> Iterator[tuple[str, str]]:
    table = ""
    for line in COMMENTED_OUT.sub("", DOCUMENT).splitlines():
        if header := re.match(r"\[+([a-z_.]+)\]", line):
            # What upstreams, indexes and feeds are called is not part of the table's kind.
            table = re.sub(r"^(upstreams|indexes|feeds)\..*", r"\1", header[1])
        elif key := re.match(r"([a-z_]+) = ", line):
            yield table, key[1]


def test_every_key_is_there_once_and_no_other() -> None:
    assert sorted(documented()) == sorted((key.table, key.name) for key in every_key())


def test_what_is_set_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pinfold.toml").write_text(DOCUMENT)
    assert load_settings(Path("pinfold.toml"), {}) == Settings()


def test_what_is_commented_out_is_toml_too() -> None:
    assert tomllib.loads(COMMENTED_OUT.sub("", DOCUMENT))
