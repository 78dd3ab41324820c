"""Who may do what: roles, scopes, tokens, and the principal that every request comes from."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

ANYTHING = "*"


class Role(StrEnum):
    """What a token is for."""

    READER = "reader"
    """Installs: reads pages and files."""
    PUBLISHER = "publisher"
    """Reads and publishes."""
    AUDITOR = "auditor"
    """Reads the audit log and metrics, and no packages but those that are open to everybody."""
    ADMIN = "admin"
    """Everything."""


_READERS = frozenset({Role.READER, Role.PUBLISHER, Role.ADMIN})
_PUBLISHERS = frozenset({Role.PUBLISHER, Role.ADMIN})
_AUDITORS = frozenset({Role.AUDITOR, Role.ADMIN})
_ADMINS = frozenset({Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of an installation that a token reaches, in globs: the same part for everything that its role allows."""

    indexes: tuple[str, ...] = (ANYTHING,)
    projects: tuple[str, ...] = (ANYTHING,)
    """Over normalised names."""

    def covers(self, index: str, project: str) -> bool:
        """Tell whether a project of an index is within it."""
        return self.touches(index) and any(fnmatchcase(project, glob) for glob in self.projects)

    def contains(self, index: str) -> bool:
        """Tell whether an index is within it as a whole, with every project that it may ever have."""
        return self.touches(index) and ANYTHING in self.projects

    def touches(self, index: str) -> bool:
        """Tell whether anything of an index can be within it."""
        return any(fnmatchcase(index, glob) for glob in self.indexes)

    @property
    def everything(self) -> bool:
        """Whether nothing is beyond it."""
        return ANYTHING in self.indexes and ANYTHING in self.projects

    def __str__(self) -> str:
        indexes = "every index" if ANYTHING in self.indexes else f"index {', '.join(self.indexes)}"
        return indexes if ANYTHING in self.projects else f"{', '.join(self.projects)} of {indexes}"


_NOWHERE = Scope((), ())


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of an API token; its secret is known to its holder alone."""

    id: str
    """Such as `T-7QK2MXA`. It is part of the token's text, so that one that was found can be named and revoked."""
    name: str
    role: Role
    scope: Scope
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    last_used_at: datetime | None = None
    """To the minute or so."""

    def stands_at(self, moment: datetime) -> bool:
        """Tell whether the token opens anything at a moment."""
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and what they may do; nobody in particular where there is no token."""

    token: Token | None = None
    open_indexes: frozenset[str] = frozenset()
    """Those that anybody may read. No token makes less of them."""

    def may_read(self, index: str, project: str) -> bool:
        """Tell whether a project's page and files may be had from an index."""
        return index in self.open_indexes or self._scope_as(_READERS).covers(index, project)

    def may_list(self, index: str) -> bool:
        """Tell whether the names of all projects of an index may be had."""
        return index in self.open_indexes or self._scope_as(_READERS).contains(index)

    def may_publish(self, index: str, project: str | None = None) -> bool:
        """Tell whether files of a project may be published on an index; without a project, those of any at all."""
        scope = self._scope_as(_PUBLISHERS)
        return scope.touches(index) if project is None else scope.covers(index, project)

    def may_audit(self, index: str | None = None) -> bool:
        """Tell whether the audit log of an index may be read; without an index, that of the whole installation."""
        scope = self._scope_as(_AUDITORS)
        return scope.everything if index is None else scope.contains(index)

    def may_administer(self, index: str | None = None) -> bool:
        """Tell whether an index may be changed; without an index, the whole installation."""
        scope = self._scope_as(_ADMINS)
        return scope.everything if index is None else scope.contains(index)

    def _scope_as(self, roles: frozenset[Role]) -> Scope:
        """Return what is within reach in any of some roles."""
        return self.token.scope if self.token is not None and self.token.role in roles else _NOWHERE
