# The two commands that a newcomer needs:
#   make demo   the main job on the bundled sample, then JupyterLab (ARGS=--headless: exit when done)
#   make test   everything that is checked
# Both first make .venv with all they need; that is repeated only where sources changed.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV ?= .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
ARGS ?=
PYTEST_ARGS ?=
UNDER ?=
# Half of a test's time is a worker or a browser that it waits for.
TEST_PROCESSES ?= 3

# Without an NVIDIA driver the CPU build of PyTorch is enough; asking for this release takes it
# wherever the machine offers one. Override with e.g. `make TORCH=torch`.
TORCH ?= $(if $(shell command -v nvidia-smi 2>/dev/null),torch,torch==2.13.0)

# Python compiles what it imports; compiling everything beforehand would take half a minute.
PIP := $(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check
NPM := cd labextension && npm --loglevel=error

PACKAGING := pyproject.toml install.json LICENSE README.md jupyter-config/mistudio_ext.json \
	mistudio_ext/_version.py
FRONT := $(shell find labextension/src labextension/schema labextension/style -type f) \
	labextension/package.json labextension/tsconfig.json labextension/esbuild.panels.mjs
PROXY := tests/hub/node_modules/.package-lock.json
LABEXTENSION := mistudio_ext/labextension/package.json

.PHONY: help demo test test-random test-load oracle docs install install-test build \
	wheel lint format check-front check-python chromium clean distclean

help:
	@sed -n '1,5s/^# \{0,1\}//p' Makefile
	@echo 'Also: test-random, test-load, oracle, build, wheel, docs, lint, format, clean, distclean.'

demo:
	@$(MAKE) -j2 install
	@$(BIN)/jupyter mistudio demo $(ARGS)

test:
	@$(MAKE) -j2 install-test chromium
	@$(MAKE) check-front check-python
	@$(UNDER) $(BIN)/python -m pytest --numprocesses=$(TEST_PROCESSES) --dist=loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# The same in another order: of the files, and of the tests in each file. The header names the seed;
# SEED=N gives that order again.
test-random:
	@$(MAKE) test PYTEST_ARGS='--shuffle=$(or $(SEED),0) $(PYTEST_ARGS)'

# The same while other programs keep the processors, the disk and the memory busy.
test-load:
	@$(MAKE) test UNDER='bash scripts/under-load.sh' PYTEST_ARGS='--timeout=900 $(PYTEST_ARGS)'

# Draws for as long as SECONDS says, from SEED on or from a new seed: ONLY=engine,files narrows it.
SECONDS ?= 3600
SEED ?=
ONLY ?=
oracle: install-test
	@$(BIN)/python -m tests.oracle --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

# --- environment -------------------------------------------------------------------------------

install: $(STAMPS)/project

install-test: $(STAMPS)/test

$(STAMPS)/venv:
	@python=""
	@for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
		if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
		then python=$$candidate; break; fi; done; \
	if [ -z "$${python:-}" ]; then \
		echo 'miStudio needs Python 3.11 or newer (make PYTHON=/path/to/python3).' >&2; exit 1; fi; \
	echo "· Python environment in $(VENV) ($$($$python --version))"; \
	$$python -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/torch: | $(STAMPS)/venv
	@echo '· PyTorch'
	@$(PIP) '$(TORCH)' || { echo '· $(TORCH) is not to be had here; taking the newest' >&2; \
		$(PIP) torch; }
	@touch $@

# Dependencies first, so that they download while npm builds the front end.
$(STAMPS)/dependencies: pyproject.toml scripts/requirements.py | $(STAMPS)/torch
	@echo '· dependencies'
	@$(BIN)/python scripts/requirements.py > $(STAMPS)/requirements.txt
	@$(PIP) -r $(STAMPS)/requirements.txt
	@touch $@

# After the project, because two pips must not work on one environment at a time.
$(STAMPS)/dependencies-test: pyproject.toml scripts/requirements.py | $(STAMPS)/project
	@echo '· dependencies of the tests'
	@$(BIN)/python scripts/requirements.py test docs > $(STAMPS)/requirements-test.txt
	@$(PIP) -r $(STAMPS)/requirements-test.txt
	@touch $@

# Editable: Python runs from the tree; the lab extension and the server's configuration are copied
# into the environment, so this is repeated when the front end was built anew.
$(STAMPS)/project: $(STAMPS)/dependencies $(LABEXTENSION) $(PACKAGING)
	@echo '· mistudio_ext'
	@SKIP_JUPYTER_BUILDER=1 $(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/test: $(STAMPS)/dependencies-test $(STAMPS)/project $(PROXY)
	@touch $@

# The proxy of the JupyterHub that the tests start.
$(PROXY): tests/hub/package-lock.json
	@echo '· proxy of JupyterHub'
	@(cd tests/hub && npm --loglevel=error ci) > /dev/null
	@touch $@

chromium:
	@bash scripts/chromium.sh

# --- front end ---------------------------------------------------------------------------------

labextension/node_modules/.package-lock.json: labextension/package-lock.json
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' 2>/dev/null \
		|| { echo 'miStudio needs Node 20 or newer.' >&2; exit 1; }
	@echo '· front-end packages'
	@($(NPM) ci) > /dev/null
	@touch $@

# jupyter-builder runs npm's @jupyter/builder and comes with the Python dependencies.
$(LABEXTENSION): $(FRONT) labextension/node_modules/.package-lock.json | $(STAMPS)/dependencies
	@echo '· front end'
	@export PATH="$(abspath $(BIN)):$$PATH"; log=$(abspath $(STAMPS))/front.log; \
		($(NPM) run --silent build) > "$$log" 2>&1 || { cat "$$log" >&2; exit 1; }
	@touch $@

build: $(LABEXTENSION)

wheel: install-test
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

docs: install-test
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo 'build/docs/index.html'

# --- checks ------------------------------------------------------------------------------------

check-front: $(LABEXTENSION)
	@echo '· front end: types, format, units'
	@$(NPM) run --silent check

check-python: install-test
	@echo '· ruff, mypy'
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary

lint:
	@$(MAKE) check-front check-python

format: install-test
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .
	@$(NPM) run --silent format

clean:
	rm -rf build dist labextension/lib labextension/tsconfig.tsbuildinfo \
		mistudio_ext/labextension mistudio_ext/static .pytest_cache .mypy_cache .ruff_cache

distclean: clean
	rm -rf $(VENV) labextension/node_modules tests/hub/node_modules
