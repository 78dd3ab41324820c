"""Somebody with a token who publishes on a Pinfold in the test's own process."""

from dataclasses import dataclass
from typing import Any

from tests.e2e.in_process import Answer, InProcess
from tests.fakes.uploads import CONTENT_TYPE, body_of, fields_of

from pinfold.domain.access import Role, Scope
from pinfold.domain.audit_entry import Actor
from pinfold.usecases.tokens import Tokens


@dataclass
class Publisher:
    """A token and what is done with it."""

    pinfold: InProcess
    token: str

    @classmethod
    async def of(cls, pinfold: InProcess, name: str = "ci", role: Role = Role.PUBLISHER, **scope: Any) -> "Publisher":
        installation = pinfold.installation
        tokens = Tokens(installation.tokens, installation.clock, installation.indexes)
        new = await tokens.create(name, role, Scope(**scope), None, Actor("tester"))
        return cls(pinfold, new.text)

    async def upload(self, filename: str, content: bytes, path: str = "/legacy/", **changes: str | None) -> Answer:
        return await self.send(body_of(fields_of(filename, content, **changes), filename, content), path)

    async def send(self, body: bytes, path: str = "/legacy/", **headers: str) -> Answer:
        headers = {
            "Content-Type": CONTENT_TYPE,
            "Content-Length": str(len(body)),
            "Authorization": f"Bearer {self.token}",
            "User-Agent": "twine/6.2",
            **headers,
        }
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return await self.pinfold.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)
