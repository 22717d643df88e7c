# make run    opens the application        make test   checks everything (also: bash .ci/run)
# make lint   fast checks only             make train  trains models, e.g. make train TARGET=prediction-training-gpul40s DATA=ai3_cudnn.parquet
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

# The first interpreter that is new enough.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check
export PYTHONUTF8 := 1
export PIP_NO_INPUT := 1
HEADLESS := QT_QPA_PLATFORM=offscreen

.PHONY: help run test lint format screenshots soak fuzz train benchmark accuracy lock audit sbom wheel package package-test clean

help:  ## list of targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

run: $(STAMPS)/application  ## open the application (without a display: a prediction by all models in the terminal)
	@if [ "$$(uname)" = Darwin ] || [ -n "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}$${QT_QPA_PLATFORM:-}" ]; then \
		exec $(BIN)/python -m cnnpredict_gui; \
	else \
		echo "No display: here is what the command line says of a layer of ResNet-50."; \
		exec $(BIN)/python -m cnnpredict_gui.cli predict --all --batch-size 1 --input-channels 64 --input-height 56 \
			--input-width 56 --output-channels 64 --kernel-size 3; \
	fi

test: lint  ## ruff, mypy, layers and all tests
	$(HEADLESS) $(BIN)/python -m pytest

lint: $(STAMPS)/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy cnnpredict_gui tests tools $(wildcard benchmarks/*.py) $(wildcard packaging/*.py)
	$(BIN)/lint-imports --no-logo --cache-dir .import_linter_cache

format: $(STAMPS)/development  ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

screenshots: $(STAMPS)/application  ## pictures of all views, light and dark
	$(HEADLESS) $(BIN)/python tools/screenshots.py

benchmark: $(STAMPS)/application  ## tables of speed
	for script in benchmarks/*.py; do $(HEADLESS) $(BIN)/python $$script; done

soak: $(STAMPS)/development  ## an hour's random walk over the real window (or MINUTES=n), looking for errors, stalls and leaks
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),60)

fuzz: $(STAMPS)/development  ## a million mutated files (or INPUTS=n) through every reader
	$(BIN)/python -m tests.fuzz --inputs $(or $(INPUTS),1000000)

train: $(STAMPS)/application  ## train all families of TARGET on DATA, into OUT (default: models)
	@[ -n "$(TARGET)" ] && [ -n "$(DATA)" ] || { echo "say what: make train TARGET=prediction-training-gpul40s DATA=FILE.parquet" >&2; exit 2; }
	$(BIN)/python -m cnnpredict_gui.cli train --target "$(TARGET)" --data $(DATA) $(if $(OUT),--out "$(OUT)")

accuracy: $(STAMPS)/application  ## bring the accuracy table of the README up to date with the model cards
	$(BIN)/python tools/accuracy_table.py

lock: $(STAMPS)/development  ## write the lock files from what is installed, with hashes
	$(BIN)/python tools/make_lock.py

audit:  ## ask the package index for known weaknesses of the locked versions (needs a connection)
	$(PYTHON) -m venv build/audit
	build/audit/bin/python -m pip install --quiet "pip-audit>=2.10,<3"
	build/audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock -r requirements-dev.lock
	build/audit/bin/pip-audit --strict --disable-pip --no-deps -r requirements-torch.lock

sbom: $(STAMPS)/application  ## bill of materials (CycloneDX) of what the application stands on, in dist
	$(BIN)/python -m tools.make_sbom

wheel: $(STAMPS)/development  ## a wheel with the models in it
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

package: $(STAMPS)/development  ## the frozen program and its installers for this system, in dist (minutes)
	packaging/system_packages.sh build
	PYTHON=$(abspath $(BIN)/python) packaging/ci/package.sh

package-test: $(STAMPS)/development  ## proof that they install, work and leave nothing: Debian without Python (as root), wine, .run
	packaging/system_packages.sh test
	packaging/proof/portable.sh
	packaging/proof/windows.sh
	packaging/proof/debian.sh

clean:  ## remove what can be made again
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed: install it, or say PYTHON=/path/to/python" >&2; exit 2; }
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then tools/system_packages.sh; else tools/system_packages.sh --venv; fi
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/application: requirements.lock requirements-torch.lock pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --require-hashes -r requirements.lock
	$(PIP) install --quiet -r requirements-torch.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/development: requirements-dev.lock $(STAMPS)/application
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@mkdir -p $(STAMPS) && touch $@
