"""PyPI's upload API, `POST /legacy/`, for every index: as twine, uv, Poetry, PDM, Flit and Hatch send files."""

from aiohttp import hdrs, web

from pinfold.domain.errors import AccessDenied, InvalidUpload
from pinfold.usecases.publish import Answer, Upload, distribution_of
from pinfold.web.access import identify, require
from pinfold.web.actor import PRINCIPAL, actor_of
from pinfold.web.services import SERVICES
from pinfold.web.simple import index_of
from pinfold.web.upload_form import UploadForm


async def upload(request: web.Request) -> web.Response:
    """Publish a file, or say what is wrong with it, with PyPI's own answers to what exists already."""
    index, services = index_of(request), request.app[SERVICES]
    publish, actor = services.publish, actor_of(request, services.trusted_proxies)

    def authorise(upload: Upload) -> None:
        project = distribution_of(upload).project
        allowed = request[PRINCIPAL].may_publish(index.name, project)
        require(request, allowed, f"publish {project} on index {index.name}")

    async with publish.receiving() as received:
        form = UploadForm(received, services.upload_idle_seconds, authorise)
        try:
            await form.read(request)
            # Sending it may have taken longer than the token was to hold.
            await identify(request)
            authorise(form.upload)
        except (InvalidUpload, AccessDenied) as error:
            await publish.refuse(index, form.upload, actor, error)
            raise
        answer = await publish.accept(index, form.upload, received, actor)
    return web.Response(text=_told(answer), headers={hdrs.CACHE_CONTROL: "no-store"})


def _told(answer: Answer) -> str:
    file = answer.published.file
    lines = [f"{answer.outcome}: {file.filename} sha256:{file.sha256}"]
    return "\n".join([*lines, *(f"warning: {warning}" for warning in answer.warnings)]) + "\n"
