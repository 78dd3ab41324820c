"""What a rule is: a frozen model whose fields are its parameters, with one pure method."""

import importlib
import pkgutil
from abc import abstractmethod
from datetime import datetime
from functools import cache
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from pinfold.domain.decision import Effect, Finding
from pinfold.domain.errors import InvalidName
from pinfold.domain.evidence import Evidence, Need, ProjectEvidence
from pinfold.domain.names import normalise_glob
from pinfold.domain.project import File
from pinfold.domain.release_lines import AttestedUploads


def _glob(text: str) -> str:
    try:
        return normalise_glob(text)
    except InvalidName as error:
        raise ValueError(str(error)) from error


Glob = Annotated[str, AfterValidator(_glob)]
"""A glob over normalised project names, in whatever spelling it is written."""


class Rule(BaseModel):
    """A pure function from one file's evidence, and the moment of asking, to a finding.

    Each rule is one module in `policy/rules/` with one subclass. The subclass's fields are the `params` that a policy
    document may set; pydantic validates them, strictly: "3" is no number. The class attributes say what the rule does
    unless a document says otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    id: ClassVar[str]
    on_fail: ClassVar[Effect] = Effect.QUARANTINE
    on_unknown: ClassVar[Effect] = Effect.QUARANTINE
    implied: ClassVar[bool] = False
    """Part of every policy, also where a document does not name it."""
    needs: ClassVar[frozenset[Need]] = frozenset()
    """Evidence that is gathered only for rules that ask for it."""

    @abstractmethod
    def judge(self, evidence: Evidence, at: datetime) -> Finding:
        """Return what the evidence shows at a moment; a passing file gets the shared `PASS`."""

    def finds_alike(self, about: ProjectEvidence) -> bool:  # noqa: ARG002 - for those that do
        """Tell whether the rule finds the same in every file of a project at any one moment: it is then asked once.

        Whoever answers yes promises that `judge` looks at nothing in which the files of such a project differ.
        """
        return False

    def to_verify(self, evidence: Evidence, attested: AttestedUploads, at: datetime) -> tuple[File, ...]:  # noqa: ARG002 - for those that do
        """Return the files whose provenance must be verified before the rule can judge this one for good.

        `attested` is what the project's page says to be attested. Also pure.
        """
        return ()


@cache
def known_rules() -> dict[str, type[Rule]]:
    """Return every rule of `policy/rules/` by its id, found by importing the modules there."""
    from pinfold.policy import rules

    found: dict[str, type[Rule]] = {}
    for module_info in sorted(pkgutil.iter_modules(rules.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{rules.__name__}.{module_info.name}")
        for candidate in vars(module).values():
            if isinstance(candidate, type) and issubclass(candidate, Rule) and candidate.__module__ == module.__name__:
                found[candidate.id] = candidate
    return found
