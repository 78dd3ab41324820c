"""What the audit log records of a request or an administrative act, before it has a place in the log."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What happened."""

    FILE_SERVED = "file.served"
    FILE_REFUSED = "file.refused"
    FILE_BROKEN_OFF = "file.broken-off"
    FILE_VOUCHED = "file.vouched"
    """A file that was being served has been inspected, and may be served to its end."""
    DECISION_CHANGED = "decision.changed"
    """A file that was served before is refused from now on, or a file that was so refused is not any more."""
    QUARANTINE_ADD = "quarantine.add"
    QUARANTINE_RELEASE = "quarantine.release"
    QUARANTINE_REJECT = "quarantine.reject"
    WAIVER_ADD = "waiver.add"
    WAIVER_REVOKE = "waiver.revoke"
    PUBLISHER_PIN = "publisher.pin"
    PUBLISHER_ACCEPT = "publisher.accept"
    PUBLISHER_REVOKE = "publisher.revoke"
    PIN_IMPORT = "pin.import"
    PIN_ROLLBACK = "pin.rollback"
    PIN_REMOVE = "pin.remove"
    POLICY_CHANGED = "policy.changed"
    """An index is served under another policy than before."""
    FEED_CHANGED = "feed.changed"
    """An advisory feed holds other records than before."""
    AUDIT_KEY_CHANGED = "audit.key-changed"
    AUDIT_PRUNED = "audit.pruned"
    FILE_PUBLISHED = "file.published"
    FILE_PUBLISH_REFUSED = "file.publish-refused"
    FILE_RESTORED = "file.restored"
    """The very file was uploaded again after its bytes were lost or damaged here."""
    FILE_DELETED = "file.deleted"
    FILE_YANKED = "file.yanked"
    FILE_UNYANKED = "file.unyanked"
    PROJECT_CLAIMED = "project.claimed"
    """A name was published under for the first time, and belongs to this organisation from then on."""
    TOKEN_CREATE = "token.create"  # noqa: S105 - no secret
    TOKEN_REVOKE = "token.revoke"  # noqa: S105 - no secret
    TOKEN_MINT = "token.mint"  # noqa: S105 - no secret
    """A workflow got a short-lived token for what it proved to be."""
    ACCESS_REFUSED = "access.refused"
    """A credential did not hold; the first of an address in a while."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asked, and with what."""

    name: str = "anonymous"
    """A token's name, an operating-system user of the command line, or `anonymous`."""
    address: str | None = None
    installer: str | None = None
    installer_version: str | None = None
    python: str | None = None
    ci: bool | None = None
    """Whether the client says that it runs in CI; None where it says nothing."""
    user_agent: str | None = None
    token: str | None = None
    """The token's id, which tells it from others of its name, and from users."""


SYSTEM = Actor("pinfold")
"""Who does what Pinfold does by itself."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact for the audit log; what does not apply is None."""

    action: Action
    time: datetime
    actor: Actor
    index: str | None = None
    project: str | None = None
    version: str | None = None
    filename: str | None = None
    sha256: str | None = None
    decision: str | None = None
    """The label of the effect that stood."""
    rule: str | None = None
    """The rule that decided, where the effect is above allow."""
    verdicts: tuple[dict[str, Any], ...] = ()
    policy_digest: str | None = None
    evidence_digest: str | None = None
    reference: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    """What only some actions have: a range, a reason, a record's id, an earlier entry's number."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry at its place in the log."""

    seq: int
    """Counted from 1 without gaps."""
    entry: Entry
