# Two commands do everything on a fresh machine with Python 3.11+ and make:
#   make run     a populated newsroom at http://127.0.0.1:8000
#   make test    every test: SQLite, PostgreSQL, Chromium
SHELL := /bin/bash
# Tests and commands run several processes on few cores: BLAS threads would only fight each other.
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1
.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
FIND_PYTHON := for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done
JOBS ?= 2

.PHONY: help setup run test stress lint format bench docs lock clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

setup: $(VENV)/.dev ## install everything for running, testing and linting into .venv

$(BIN)/python:
	@python="$${PYTHON:-$$($(FIND_PYTHON))}"
	@if [ -z "$$python" ]; then echo "Newsbell needs Python 3.11 or newer; install it, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@"$$python" -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module is missing; on Debian: apt install python3-venv" >&2; exit 1; }

$(VENV)/.run: $(BIN)/python requirements.lock pyproject.toml
	@echo "Installing what Newsbell runs on (once) ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m recommender.kernels
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@echo "Installing what the tests and linters need (once) ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

run: $(VENV)/.run ## a populated newsroom: API, reader's pages and scheduler, on embedded SQLite
	@$(BIN)/newsbell demo

test: $(VENV)/.dev ## every test, with SQLite, PostgreSQL and Chromium
	@$(BIN)/python tests/chromium.py
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not stress" $(ARGS)

stress: $(VENV)/.dev ## long fault, fuzz and soak runs: bounded and seeded (SEED=1)
	@$(BIN)/python -m pytest -m stress -s --timeout 3600 $(ARGS)

lint: $(VENV)/.dev ## style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.dev ## put the code in its usual form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## measure against peers in the same run; writes benchmarks/results
	@$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.dev ## rewrite the generated pages: settings, commands, OpenAPI
	@$(BIN)/python docs/build.py

lock: $(VENV)/.dev ## pin every dependency anew, by version and hash
	@$(PIP) install uv
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q pyproject.toml --group build -o requirements.lock
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

clean: ## forget the environment and the demo's state
	@rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
