"""The real clients that publish, each with a token."""

import subprocess
from pathlib import Path

from tests.e2e.clients import CLIENTS, Client


class Uploader(Client):
    """A client in a folder of its own, with what it publishes in `dist`."""

    repeats_refusals = True
    """Whether it prints why something was refused, and not only that it was."""

    @property
    def dist(self) -> Path:
        folder = self.folder / "dist"
        folder.mkdir(exist_ok=True)
        return folder

    def publish(self, url: str, token: str, *, skip_existing: bool = False) -> subprocess.CompletedProcess[str]:
        """Publish everything in `dist` on the index whose upload address is given."""
        raise NotImplementedError


class Twine(Uploader):
    name = "twine"

    def publish(
        self, url: str, token: str, *flags: str, skip_existing: bool = False
    ) -> subprocess.CompletedProcess[str]:
        # Twine lets nobody skip what exists but on PyPI and its test instance: here it is told that this is that one.
        start = (
            f"import sys; from twine import __main__, repository; repository.TEST_WAREHOUSE = {url!r}; "
            "sys.exit(__main__.main())"
        )
        flags = (*flags, "--skip-existing") if skip_existing else flags
        files = sorted(self.dist.iterdir())
        twine = [CLIENTS / "twine" / "bin" / "python", "-c", start, "upload", "--non-interactive"]
        return self.run(
            *twine,
            "--disable-progress-bar",
            "--verbose",
            "--repository-url",
            url,
            *flags,
            *files,
            TWINE_USERNAME="__token__",
            TWINE_PASSWORD=token,
        )


class UvPublish(Uploader):
    name = "uv"

    def publish(self, url: str, token: str, *, skip_existing: bool = False) -> subprocess.CompletedProcess[str]:
        flags = ["--check-url", url.replace("/legacy/", "/simple/")] if skip_existing else []
        return self._publish(url, *flags, UV_PUBLISH_TOKEN=token)

    def publish_as_workflow(self, url: str, runner_url: str, ca_file: Path) -> subprocess.CompletedProcess[str]:
        """Publish without a token, as in a workflow on GitHub that may show who it is."""
        variables = {
            "SSL_CERT_FILE": str(ca_file),
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{runner_url}?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "the-runners-own",
        }
        return self._publish(url, "--trusted-publishing", "always", **variables)

    def _publish(self, url: str, *flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
        uv = [CLIENTS / "uv" / "bin" / "uv", "--no-config", "publish", "--publish-url", url, *flags]
        return self.run(*uv, *sorted(self.dist.iterdir()), **variables)


class PoetryPublish(Uploader):
    name = "poetry"

    def publish(self, url: str, token: str, *, skip_existing: bool = False) -> subprocess.CompletedProcess[str]:
        (self.folder / "pyproject.toml").write_text(
            '[project]\nname = "acme-tool"\nversion = "1.0"\nrequires-python = ">=3.8"\n'
        )
        poetry = [CLIENTS / "poetry" / "bin" / "poetry", "--no-interaction"]
        return self.run(
            *poetry,
            "publish",
            "--repository=pinfold",
            *(["--skip-existing"] if skip_existing else []),
            POETRY_REPOSITORIES_PINFOLD_URL=url,
            POETRY_HTTP_BASIC_PINFOLD_USERNAME="__token__",
            POETRY_HTTP_BASIC_PINFOLD_PASSWORD=token,
            PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring",
        )


class PdmPublish(Uploader):
    name = "pdm"
    repeats_refusals = False

    def publish(self, url: str, token: str, *, skip_existing: bool = False) -> subprocess.CompletedProcess[str]:
        (self.folder / "pyproject.toml").write_text(
            '[project]\nname = "acme-tool"\nversion = "1.0"\nrequires-python = ">=3.8"\n'
        )
        pdm = [CLIENTS / "pdm" / "bin" / "pdm", "publish", "--no-build", "--repository", url]
        flags = ["--skip-existing"] if skip_existing else []
        return self.run(
            *pdm, *flags, PDM_PUBLISH_USERNAME="__token__", PDM_PUBLISH_PASSWORD=token, PDM_CHECK_UPDATE="0"
        )


EVERY_UPLOADER = [Twine, UvPublish, PoetryPublish, PdmPublish]
