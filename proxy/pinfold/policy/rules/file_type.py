"""`file-type`: kinds of files that an index does not want, such as sdists."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator

from pinfold.domain.decision import PASS, Effect, Finding, Outcome
from pinfold.domain.evidence import Evidence
from pinfold.domain.names import FileKind
from pinfold.policy.rule import Rule


def _in_order(kinds: tuple[FileKind, ...]) -> tuple[FileKind, ...]:
    return tuple(sorted(set(kinds)))


Kinds = Annotated[tuple[Annotated[FileKind, Field(strict=False)], ...], Field(strict=False), AfterValidator(_in_order)]


class FileType(Rule):
    """Refuse files by kind: `wheel`, `sdist`, or `other` for formats of the past such as eggs and installers.

    Building an sdist runs its code; installing a wheel runs none of the wheel's.
    """

    id: ClassVar = "file-type"
    on_fail: ClassVar = Effect.DENY

    allow: Kinds = ()
    """The only kinds that pass."""
    refuse: Kinds = ()
    """The only kinds that fail."""

    @model_validator(mode="after")
    def _has_one_list(self) -> "FileType":
        if bool(self.allow) == bool(self.refuse):
            raise ValueError('set allow or refuse, and not both: a list of "wheel", "sdist" and "other"')
        return self

    def judge(self, evidence: Evidence, at: datetime) -> Finding:  # noqa: ARG002 - kinds do not age
        """Look the file's kind up."""
        kind = evidence.file.kind
        refused = kind in self.refuse if self.refuse else kind not in self.allow
        if not refused:
            return PASS
        kinds = "files that are neither wheel nor sdist" if kind is FileKind.OTHER else f"{kind}s"
        return Finding(Outcome.FAIL, f"the policy takes no {kinds}")
