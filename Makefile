# Everything runs in .venv, which `make` builds from the hash-pinned files in requirements/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help serve test check format lint types imports bench bench-quick bench-audited bench-clients bench-herd bench-start bench-cold bench-growth everyday pinned lock clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.serve: requirements/serve.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pinfold needs Python 3.11 or newer; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes --requirement requirements/serve.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.develop: $(VENV)/.serve requirements/develop.lock
	$(PIP) install --require-hashes --requirement requirements/develop.lock
	touch $@

# The real clients of the end-to-end tests, each in an environment of its own.
CLIENTS := $(patsubst requirements/clients/%.lock,$(VENV)/clients/%/.ready,$(wildcard requirements/clients/*.lock))
.SECONDARY: $(CLIENTS)
$(VENV)/clients/%/.ready: requirements/clients/%.lock
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --requirement $<
	touch $@

serve: $(VENV)/.serve ## Set everything up and run the proxy in front of PyPI on 127.0.0.1:8765
	$(BIN)/pinfold serve $(ARGS)

test: $(VENV)/.develop $(CLIENTS) ## Set everything up and run every test
	$(BIN)/python -m pytest -n 2 $(ARGS)

check: format-check lint types imports test ## Format, lint, strict types, import contracts and tests

format: $(VENV)/.develop ## Rewrite the code in the project's format
	$(BIN)/ruff format proxy tests
	$(BIN)/ruff check --fix proxy tests

.PHONY: format-check
format-check: $(VENV)/.develop
	$(BIN)/ruff format --check proxy tests

lint: $(VENV)/.develop
	$(BIN)/ruff check proxy tests

types: $(VENV)/.develop
	$(BIN)/mypy

imports: $(VENV)/.develop
	$(BIN)/lint-imports

# The proxies that Pinfold is measured beside, each in an environment of its own; nothing but `make bench` needs them.
PEERS := $(patsubst requirements/peers/%.lock,$(VENV)/peers/%/.ready,$(wildcard requirements/peers/*.lock))
.SECONDARY: $(PEERS)
$(VENV)/peers/%/.ready: requirements/peers/%.lock
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --requirement $<
	touch $@

bench: $(VENV)/.develop $(PEERS) ## Measure pages and files beside nginx and other proxies, half an hour
	$(BIN)/python tests/bench/speed.py $(ARGS)

bench-quick: $(VENV)/.develop ## Measure pages and files beside nginx alone, two minutes
	$(BIN)/python tests/bench/speed.py --quick $(ARGS)

bench-audited: $(VENV)/.develop ## Measure what the audit log costs small downloads
	$(BIN)/python tests/bench/audited.py $(ARGS)

bench-clients: $(VENV)/.develop $(CLIENTS) ## Measure uv and pip with thirty wheels, with and without Pinfold
	$(BIN)/python tests/bench/clients.py $(ARGS)

bench-herd: $(VENV)/.develop ## Measure 50 first requests for one 100 MB wheel, and for one huge page
	$(BIN)/python tests/bench/herd.py $(ARGS)

bench-start: $(VENV)/.develop ## Measure how long a server takes to be ready, and a command to answer
	$(BIN)/python tests/bench/start.py $(ARGS)

bench-cold: $(VENV)/.develop ## Measure a first request for a page of 5,000 files, and one after a policy changed
	$(BIN)/python tests/bench/cold_page.py $(ARGS)

bench-growth: $(VENV)/.develop ## Measure how costs grow with projects, files, the audit log, feeds and more
	$(BIN)/python tests/bench/growth.py $(ARGS)

everyday: $(VENV)/.develop $(CLIENTS) ## Resolve and install 50 everyday packages with and without Pinfold
	$(BIN)/python tests/bench/everyday.py

pinned: $(VENV)/.develop $(CLIENTS) ## Lock 50 everyday packages, serve the lock pinned, and try what is outside of it
	$(BIN)/python tests/bench/pinned.py

lock: ## Resolve requirements/*.lock anew, with hashes
	sh requirements/lock.sh $(PYTHON)

clean: ## Remove what `make` built, but no data
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist build
