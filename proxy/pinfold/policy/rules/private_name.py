"""`private-name`: upstream files under names that belong to this organisation."""

from datetime import datetime
from typing import ClassVar

from pinfold.domain.decision import PASS, Effect, Finding, Outcome
from pinfold.domain.evidence import Evidence, ProjectEvidence
from pinfold.policy.rule import Rule


class PrivateName(Rule):
    """Refuse files of a private name from an upstream that is not this organisation's: dependency confusion."""

    id: ClassVar = "private-name"
    on_fail: ClassVar = Effect.DENY

    def finds_alike(self, about: ProjectEvidence) -> bool:  # noqa: ARG002 - names are projects'
        """Answer for the whole project, whose name and upstream decide."""
        return True

    def judge(self, evidence: Evidence, at: datetime) -> Finding:  # noqa: ARG002 - ownership does not age
        """Compare whose name it is with whose upstream."""
        if not evidence.private_name or evidence.origin.private:
            return PASS
        return Finding(
            Outcome.FAIL,
            f"{evidence.project} is a name of this organisation, which the upstream {evidence.origin.upstream} "
            "may not provide",
        )
