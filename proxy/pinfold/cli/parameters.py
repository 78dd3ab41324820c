"""Kinds of values that commands take, and who gives them."""

import os
import pwd
from datetime import UTC, datetime
from typing import Any

import click

from pinfold.domain.audit_entry import Actor
from pinfold.domain.duration import parse_duration
from pinfold.domain.errors import InvalidName, InvalidTarget
from pinfold.domain.names import canonical_version, normalise
from pinfold.domain.target import Target, parse_target


class TargetType(click.ParamType[Target]):
    """A project, a release, a file name or a hash."""

    name = "TARGET"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Target:
        """Return what the text names."""
        try:
            return parse_target(value)
        except InvalidTarget as error:
            self.fail(str(error), param, ctx)


class ProjectName(click.ParamType[str]):
    """A project's name, in any spelling."""

    name = "PROJECT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the normalised name."""
        try:
            return normalise(value)
        except InvalidName as error:
            self.fail(str(error), param, ctx)


class VersionNumber(click.ParamType[str]):
    """A release's version, in any spelling."""

    name = "VERSION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the version in its canonical spelling."""
        return canonical_version(value) or self.fail(f"{value!r} is not a version (PEP 440)", param, ctx)


class Sha256(click.ParamType[str]):
    """A file's hash, with or without `sha256:` in front."""

    name = "HEX"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the hexadecimal digits."""
        try:
            return str(parse_target(f"sha256:{value.removeprefix('sha256:')}")).removeprefix("sha256:")
        except InvalidTarget as error:
            self.fail(str(error), param, ctx)


class When(click.ParamType[datetime]):
    """A moment, as a date, a date and time, or a length of time from now: back, or ahead."""

    name = "WHEN"

    def __init__(self, *, ahead: bool = False) -> None:
        self._direction = 1 if ahead else -1

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment; aware, UTC, which is also what a time without a zone means."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.now(UTC) + self._direction * parse_duration(value)
        except (ValueError, OverflowError):
            pass
        try:
            stated = datetime.fromisoformat(value)
            return (stated if stated.tzinfo else stated.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no moment: write 14d, 2026-04-07 or 2026-04-07T12:00Z", param, ctx)


def operating_system_user() -> Actor:
    """Return who runs the command, by user id: environment variables could claim to be anybody."""
    uid = os.geteuid()
    try:
        return Actor(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return Actor(f"uid {uid}")
