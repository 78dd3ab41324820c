"""What all tables of `pinfold.toml` have in common."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class Disagreement(ValueError):
    """Values that are right by themselves do not fit together; `problems` has what is wrong by its place below."""

    def __init__(self, problems: Mapping[tuple[str, str], str]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{'.'.join(place)}: {problem}" for place, problem in problems.items()))


class Table(BaseModel):
    """A table of the document: frozen, and closed to keys that would do nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
