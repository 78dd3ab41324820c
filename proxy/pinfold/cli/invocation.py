"""What every command has in common: where the settings come from, how it answers, and how it fails."""

import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pinfold.cli.terminal import Line, printable, say, say_json
from pinfold.domain.errors import InvalidSettings, PinfoldError

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation
    from pinfold.settings import Settings

T = TypeVar("T")

REFUSED = 1
"""The exit code of a command that was carried out, and whose answer is no."""
INTERRUPTED = 130
"""The exit code after Ctrl-C, by the shells' convention: no answer at all."""


@dataclass
class Invocation:
    """The options that every command takes, before or after its name."""

    config: Path | None = None
    data: Path | None = None
    json: bool = False
    overrides: dict[str, Any] = field(default_factory=dict)
    """What other flags set, by dotted key."""

    def settings(self) -> "Settings":
        """Return the settings; raise InvalidSettings."""
        # Slow to load, and needless for --help.
        from pinfold.settings import load_settings

        return load_settings(self.config, os.environ, {"data": self.data, **self.overrides})

    def run(self, work: Callable[["Installation"], Awaitable[T]], *, may_begin: bool = False) -> T:
        """Open the installation, do one thing with it, and close it again.

        Only what `may_begin` a data directory makes one. A quarantine that went into a new one, because the command
        ran in another folder than the server, would hold nothing and look as if it did.
        """
        settings = self.settings()
        if not may_begin and not settings.data.is_dir():
            raise InvalidSettings(
                [f"there is no data directory {settings.data.absolute()}: name the server's by --data"]
            )

        # Slow to load, and needless for a configuration that is wrong.
        import asyncio

        from pinfold.bootstrap import open_installation

        done: list[T] = []

        async def opened() -> None:
            async with open_installation(settings) as installation:
                done.append(await work(installation))

        # What a task returns is described when asyncio takes its interrupt handler back, and an answer may be long.
        asyncio.run(opened())
        return done.pop()

    def answer(self, document: Any, lines: Iterable[Line]) -> None:
        """Print the answer: the document where JSON is asked for, else the lines."""
        if self.json:
            say_json(document)
        else:
            say(*lines)


class Failure(click.ClickException):
    """A command could not be carried out."""

    exit_code = 2


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    # All contexts share the outermost one's object, so that an option counts wherever it stands.
    invocation = context.ensure_object(Invocation)
    if value and parameter.name:
        setattr(invocation, parameter.name, value)


def _common_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            expose_value=False,
            callback=_remember,
            help="The configuration; without it ./pinfold.toml, if there is one.",
        ),
        click.Option(
            ["--data"],
            type=click.Path(path_type=Path, file_okay=False),
            metavar="FOLDER",
            expose_value=False,
            callback=_remember,
            help="The data directory, in place of the configured one.",
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="Answer with one JSON document.",
        ),
    ]


class Command(click.Command):
    """A command that takes the common options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _common_options()


class Group(click.Group):
    """A group whose members take the common options, as it does itself."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _common_options()


class Members(Mapping[str, click.Command]):
    """Commands, each in the module of its name and loaded when it is asked for: the others need not be waited for."""

    def __init__(self, package: str, names: Sequence[str]) -> None:
        self._package = package
        self._names = names

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._names:
            raise KeyError(name)
        command: click.Command = getattr(import_module(f"{self._package}.{name}"), name)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Program(Group):
    """The outermost group: turns errors that were raised on purpose into one clear message and exit code 2."""

    group_class = Group

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was called."""
        try:
            return super().invoke(ctx)
        except PinfoldError as error:
            if ctx.ensure_object(Invocation).json:
                say_json({"error": {"type": type(error).__name__, "message": str(error)}})
            raise Failure(_message(error)) from error
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


def _message(error: PinfoldError) -> str:
    text = "\n".join(printable(line) for line in str(error).split("\n"))
    if isinstance(error, InvalidSettings):
        return f"the configuration is wrong:\n{text}" if len(error.problems) > 1 else text
    return text
