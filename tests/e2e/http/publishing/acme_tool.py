"""The package that tests publish, and where to see that it is."""

import json

from tests.fakes.upstream import build_wheel

JSON = "application/vnd.pypi.simple.v1+json"
WHEEL, SDIST = "acme_tool-1.0-py3-none-any.whl", "acme_tool-1.0.tar.gz"


async def page(pinfold, project="acme-tool", index=""):
    answer = await pinfold.get(f"{index}/simple/{project}/", Accept=JSON)
    return json.loads(answer.body) if answer.status == 200 else None


def wheel(version="1.0", project="acme-tool", **options):
    return build_wheel(project, version, **options)
