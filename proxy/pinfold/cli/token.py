"""`pinfold token`: who may read, publish, audit and administer."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from pinfold.cli.invocation import Group, Invocation
from pinfold.cli.parameters import When, operating_system_user
from pinfold.cli.standing import painted_standing, standing
from pinfold.cli.terminal import Line, moment, note, table
from pinfold.domain.access import ANYTHING, Role, Scope, Token
from pinfold.domain.evidence import plain

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation
    from pinfold.usecases.tokens import NewToken


@click.group(cls=Group)
def token() -> None:
    """Give people and machines what they may do here, and take it away."""


@token.command()
@click.argument("name")
@click.option(
    "--role",
    required=True,
    type=click.Choice([role.value for role in Role]),
    help="What for: installing, publishing as well, reading the audit log and metrics, or everything.",
)
@click.option("--index", "indexes", metavar="I", multiple=True, help="Only this index, or a glob; may be repeated.")
@click.option(
    "--project",
    "projects",
    metavar="P",
    multiple=True,
    help="Only this project, or a glob such as acme-*; may be repeated.",
)
@click.option("--expires", type=When(ahead=True), help="When it ends: 90d from now, a date, or a date and time.")
@click.pass_obj
def create(
    invocation: Invocation,
    name: str,
    role: str,
    indexes: tuple[str, ...],
    projects: tuple[str, ...],
    expires: datetime | None,
) -> None:
    """Create a token called NAME, and print it: this once, since only its hash is kept."""
    from pinfold.usecases.tokens import Tokens

    scope = Scope(indexes or (ANYTHING,), projects or (ANYTHING,))

    async def work(installation: "Installation") -> "NewToken":
        use = Tokens(installation.tokens, installation.clock, installation.indexes)
        return await use.create(name, Role(role), scope, expires, operating_system_user())

    new = invocation.run(work, may_begin=True)
    if not invocation.json:
        until = f"until {moment(new.token.expires_at)} UTC" if new.token.expires_at else "until it is revoked"
        note(
            f"{new.token.id}: {new.token.name}, a {new.token.role} for {new.token.scope}, {until}.",
            "This is shown once. Clients send it as the password of user __token__:",
        )
    invocation.answer({**_document(new.token, new.token.created_at), "token": new.text}, [new.text])


@token.command()
@click.argument("token_id", metavar="ID")
@click.pass_obj
def revoke(invocation: Invocation, token_id: str) -> None:
    """End token ID, in every running server within a second. A token's whole text does as well."""
    from pinfold.usecases.tokens import Tokens

    async def work(installation: "Installation") -> Token:
        use = Tokens(installation.tokens, installation.clock, installation.indexes)
        return await use.revoke(token_id, operating_system_user())

    revoked = invocation.run(work)
    invocation.answer(
        {"id": revoked.id, "name": revoked.name}, [f"{revoked.id}: {revoked.name} opens nothing any more."]
    )


@token.command("list")
@click.option("--all", "everything", is_flag=True, help="With the tokens that have ended.")
@click.pass_obj
def list_(invocation: Invocation, everything: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Show the tokens that are in force, with their last use."""

    async def work(installation: "Installation") -> tuple[list[Token], datetime]:
        return await installation.tokens.history(), installation.clock.now()

    history, now = invocation.run(work)
    tokens = [one for one in history if everything or one.stands_at(now)]
    invocation.answer({"tokens": [_document(one, now) for one in tokens]}, _listing(tokens, now))


def _document(one: Token, now: datetime) -> dict[str, Any]:
    document = plain(one)
    assert isinstance(document, dict)  # noqa: S101 - what a dataclass becomes
    scope = document.pop("scope")
    return {**document, **scope, "state": standing(one, now)}


def _listing(tokens: Sequence[Token], now: datetime) -> Iterator[Line]:
    if not tokens:
        yield "There are no tokens."
        return
    yield from table(
        ["ID", "STATE", "NAME", "ROLE", "FOR", "UNTIL", "LAST USED", "BY"],
        [
            [
                one.id,
                painted_standing(one, now),
                one.name,
                one.role.value,
                str(one.scope),
                moment(one.expires_at) or "no end",
                moment(one.last_used_at) or "never",
                one.created_by,
            ]
            for one in tokens
        ],
    )
