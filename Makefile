# `make demo` and `make test` do everything, the set-up included; both may be run again at any time.
# Needs Python 3.11 or newer, make and git. Another interpreter: `make test PYTHON=python3.12`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO := configs/tiny_ssd_bananas.yaml
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile  # two test files at once

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all test-tensorflow test-torch test-jax check docs docs-serve \
	peers format clean

help:                ## list what can be made
	@grep -E '^[a-z-]+: .*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:[^#]*## /\t/' | expand -t 18

# Modules are compiled when they are first imported; most of what is installed never is.
install: $(INSTALLED)  ## create .venv with the tested versions of everything

$(INSTALLED): pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || \
	{ $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "zoo needs Python 3.11 or newer; try: make PYTHON=python3.12"; exit 2; }; \
	  echo "creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile -c constraints.txt \
		-e '.[jax,torch,ray,export,dev]'
	touch $@

demo: $(INSTALLED)   ## train TinySSD on the embedded data, register it, show it
	$(BIN)/zoo train $(DEMO)
	@echo "drawn pictures: samples/ in the run folder"
	@echo "runs and registry: $(BIN)/mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db"

# Two test processes share the cores: with threads of their own they stand in each other's way, and
# PyTorch's wait by spinning.
test-tensorflow test-torch test-jax test-all: export OMP_NUM_THREADS = 1
test-tensorflow test-torch test-jax test-all: export TF_NUM_INTRAOP_THREADS = 1
test-tensorflow test-torch test-jax test-all: export TF_NUM_INTEROP_THREADS = 1

test: test-tensorflow test-torch test-jax  ## run the quick tests on every backend

# One process a backend. What does not depend on the backend runs with the first.
test-tensorflow: $(INSTALLED)  ## the quick tests on TensorFlow, and those of no backend
	KERAS_BACKEND=tensorflow $(PYTEST) -m "not slow"

test-torch: $(INSTALLED)  ## the quick tests on PyTorch
	KERAS_BACKEND=torch $(PYTEST) -m "not slow and not any_backend"

# Small models compile longer than they run: XLA's optimizations cost a quarter of the time.
test-jax: export JAX_DISABLE_MOST_OPTIMIZATIONS = 1
# What one test compiled, the next one with the same model reads from here.
test-jax: export JAX_COMPILATION_CACHE_DIR = $(CURDIR)/.pytest_cache/jax
test-jax: export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS = 0
test-jax: $(INSTALLED)  ## the quick tests on JAX
	KERAS_BACKEND=jax $(PYTEST) -m "not slow and not any_backend"

test-all: test       ## run the slow tests too
	KERAS_BACKEND=tensorflow $(PYTEST) -m "slow"
	KERAS_BACKEND=torch $(PYTEST) -m "slow and not any_backend"
	KERAS_BACKEND=jax $(PYTEST) -m "slow and not any_backend"

check: $(INSTALLED)  ## lint, formatting, types, import rules, pages
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) docs

peers: $(INSTALLED)  ## create .venv-peers with what the benchmarks compare with (5.5 GB)
	@test -x .venv-peers/bin/python || $(BIN)/python -m venv .venv-peers
	.venv-peers/bin/python -m pip install --disable-pip-version-check -r benchmarks/peers.txt

docs docs-serve: export NO_MKDOCS_2_WARNING = 1  # pyproject.toml keeps to mkdocs 1

docs: $(INSTALLED)   ## build the pages into site/; a broken link is an error
	$(BIN)/mkdocs build --strict --quiet

docs-serve: $(INSTALLED)  ## show the pages on http://127.0.0.1:8000 while you write them
	$(BIN)/mkdocs serve --dev-addr 127.0.0.1:8000

format: $(INSTALLED) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:               ## remove caches and build products; .venv, data and mlruns stay
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
