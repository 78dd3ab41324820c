#!/bin/sh
# Resolves the locked requirements for every supported Python at once. Hashes pin the bytes; no index is named, so that
# the files install from whatever index a machine is set up with.
set -eu
cd "$(dirname "$0")/.."
python=${1:-python3}
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip --disable-pip-version-check --quiet install uv
compile() {
    output=$1
    shift
    .venv/bin/uv pip compile --quiet --upgrade --no-config --universal --python-version 3.11 --generate-hashes \
        --no-strip-extras --no-header --no-emit-index-url --no-emit-find-links --output-file "$output" "$@"
}
compile requirements/serve.lock --group build pyproject.toml
compile requirements/develop.lock --group build --group test --group check --constraint requirements/serve.lock \
    pyproject.toml

# The real clients that the end-to-end tests run, each in an environment of its own.
client() {
    output=requirements/clients/$1.lock
    shift
    printf '%s\n' "$@" | compile "$output" --no-annotate -
}
client pip-oldest "pip==23.2.1"
client pip-newest "pip"
client uv "uv"
client twine "twine"
client poetry "poetry"
# Its `locked` extra names the versions it was tested with; beside the newest of all it does not start.
client pdm "pdm[locked]"

# The other proxies that `make bench` measures beside Pinfold, each in an environment of its own.
peer() {
    output=requirements/peers/$1.lock
    shift
    printf '%s\n' "$@" | compile "$output" --no-annotate -
}
peer devpi-server "devpi-server"
peer proxpi "proxpi" "gunicorn"
peer simple-repository-server "simple-repository-server"
peer pypiserver "pypiserver"
