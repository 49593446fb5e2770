# Every target makes the virtual environment by itself; when nothing changed, that costs nothing.
# Users who train (demo) need the extra train; developers need the tools too, PESQ, which compiles C, and Ray (79 MB).
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet -c constraints.txt
USER_STAMP := $(VENV)/.installed
DEVELOPER_STAMP := $(VENV)/.installed-for-development
# Arguments for pytest: two processes, each file in one of them; e.g. `make test PYTEST_ARGS="-x tests/cli"`.
PYTEST_ARGS ?= -n 2 --dist loadfile
# Bytecode is kept, whatever the environment says: without it each process compiles a thousand files.
export PYTHONDONTWRITEBYTECODE :=
# Options of the paper's rows, e.g. `make paper PAPER_ARGS="--speech DIR --noise DIR"`.
PAPER_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo paper test test-all test-ray test-versions test-light lint format docs bench install install-dev clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(USER_STAMP) ## train, prune, compile and report the speech example on a synthetic corpus
	$(BIN)/tinyprune run examples/denoise.toml
	@echo
	@echo "These networks have learned synthetic speech. For recordings of your own, take the one that comes with tinyprune:"
	@echo "$(BIN)/tinyprune enhance noisy.wav clean.wav --model pretrained"

paper: $(DEVELOPER_STAMP) ## reproduce "Weight, Block or Unit?": every row, then docs/results.md; continues where it stopped
	$(BIN)/python -m benchmarks.paper $(PAPER_ARGS)

test: $(DEVELOPER_STAMP) ## the quick tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: $(DEVELOPER_STAMP) ## every test but those of test-ray, the slow ones too
	$(BIN)/python -m pytest -m "not cluster" $(PYTEST_ARGS)

test-ray: $(DEVELOPER_STAMP) ## sweeps on a Ray cluster of three nodes on this machine, by themselves
	$(BIN)/python -m pytest -m cluster tests/stages/test_ray_workers.py

test-versions: $(DEVELOPER_STAMP) ## the lowest versions of pyproject.toml and the newest Python, where they can be installed
	$(BIN)/python .ci/versions.py

test-light: $(DEVELOPER_STAMP) ## what `pip install tinyprune` alone can do, in an environment that has no more
	$(BIN)/python .ci/light.py

lint: $(DEVELOPER_STAMP) ## style, format, types and import directions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEVELOPER_STAMP) ## put the code in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(DEVELOPER_STAMP) ## write the generated pages again
	$(BIN)/python docs/generate_cli.py
	$(BIN)/python docs/generate_schema.py

bench: $(DEVELOPER_STAMP) ## measure, with the opponents beside
	$(BIN)/python benchmarks/run.py

install: $(USER_STAMP) ## make the virtual environment only, as `make demo` needs it

install-dev: $(DEVELOPER_STAMP) ## make the virtual environment with what the tests need

$(USER_STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tinyprune needs Python 3.11 or newer; make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) -e '.[train]'
	@touch $@

$(DEVELOPER_STAMP): $(USER_STAMP)
	$(PIP_INSTALL) -e '.[dev,train,device,live,sweep]'
	@$(PIP_INSTALL) -e '.[pesq]' || \
		echo 'PESQ was not installed: it compiles C and needs a compiler; its tests will be skipped'
	@$(PIP_INSTALL) -e '.[ray]' || \
		echo 'Ray was not installed: not every system and Python has it; its tests will be skipped'
	@touch $@

clean: ## remove caches and build output; runs/ and .venv/ stay
	rm -rf build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find tinyprune tests benchmarks docs examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
