"""Who publishes widget, and what its page says of its files."""

import json
from datetime import UTC, datetime

from tests.fakes.sigstore import GitHubIdentity

JSON = "application/vnd.pypi.simple.v1+json"
NOW = datetime.now(UTC)
WIDGET = GitHubIdentity()


async def entries(pinfold, index="", **headers):
    answer = await pinfold.get(f"{index}/simple/widget/", Accept=JSON, Accept_Encoding="identity", **headers)
    assert answer.status == 200, answer
    return {entry["filename"]: entry for entry in json.loads(answer.body)["files"]}
