"""Every error that Pinfold raises on purpose; each message says what happened and, where it helps, what to do."""

from typing import Self


class PinfoldError(Exception):
    """The base of every error that Pinfold raises on purpose."""


class InvalidName(PinfoldError):
    """A project name or file name breaks the packaging specifications."""


class InvalidTarget(PinfoldError):
    """A TARGET on the command line or in the API names nothing that could exist."""


class InvalidPage(PinfoldError):
    """An upstream answered a project page that cannot be understood."""


class InvalidDocument(PinfoldError):
    """A document that people write is wrong; `problems` lists every mistake with its place."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join([f"{source}: {len(problems)} problem(s)", *(f"  {line}" for line in problems)]))

    def __reduce__(self) -> tuple[type[Self], tuple[str, list[str]]]:
        """Survive the way from one process to another."""
        return type(self), (self.source, self.problems)


class InvalidPolicy(InvalidDocument):
    """A policy document is wrong."""


class InvalidCases(InvalidDocument):
    """A document of policy cases is wrong: the cases themselves, not the policies that they test."""


class InvalidLock(InvalidDocument):
    """A lock file is wrong, or says too little to pin files by."""


class InvalidSettings(PinfoldError):
    """The configuration is wrong; `problems` lists every mistake with its place."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))

    def __reduce__(self) -> tuple[type[Self], tuple[list[str]]]:
        """Survive the way from one process to another."""
        return type(self), (self.problems,)


class InvalidRecord(PinfoldError):
    """A quarantine record or a waiver cannot be made, or closed, as it was asked for."""


class AccessDenied(PinfoldError):
    """Whoever asks may not have this."""

    def __init__(self, message: str, *, credential_helps: bool = False) -> None:
        self.credential_helps = credential_helps
        """None was sent, and one could open this."""
        super().__init__(message)


class InvalidIdentity(PinfoldError):
    """What a workflow shows for itself does not hold."""


class UnknownPublisher(PinfoldError):
    """A workflow is what it says, and none that may publish."""


class TooManyAttempts(PinfoldError):
    """So many credentials failed from one address that no other is looked at for a while."""

    def __init__(self, message: str, retry_after: int) -> None:
        self.retry_after = retry_after
        """Seconds."""
        super().__init__(message)


class Misdirected(PinfoldError):
    """A request was meant for another server, or came by a way that this one was not told of."""


class NotFound(PinfoldError):
    """The project, file or record that was asked for does not exist."""


class InvalidUpload(PinfoldError):
    """A file that was to be published is not what it says that it is, or not what can be published."""


class UploadTooLarge(InvalidUpload):
    """An upload goes beyond a limit."""


class UploadTooSlow(InvalidUpload):
    """An upload stands still, or takes too long as a whole."""


class AlreadyPublished(PinfoldError):
    """A file of this name was published before, with other bytes or since deleted: a name is given away once."""


class UpstreamError(PinfoldError):
    """An upstream could not be asked, or its answer cannot be trusted: never the same as "does not exist"."""


class FileMismatch(UpstreamError):
    """An upstream sent other bytes for a file than its page promised."""


class StoreError(PinfoldError):
    """The store cannot be read or written: full, read-only, corrupt, or of a newer version."""


class TrustRootError(PinfoldError):
    """The keys and certificates that provenance is verified with cannot be read, or hold nothing to verify with."""


class InspectionFailed(PinfoldError):
    """An archive could not be inspected now; nothing is known of what is in it."""


class InvalidAdvisory(PinfoldError):
    """A record of an advisory feed cannot be read."""


class FeedError(PinfoldError):
    """An advisory feed could not be fetched, or what it sent cannot be taken over; what was there before stays."""


class InvalidNote(PinfoldError):
    """A signed note, a checkpoint or a verifier key is malformed, or nobody who is trusted signed it."""
