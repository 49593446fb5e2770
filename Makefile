# Every target makes the virtual environment by itself; when nothing changed, that costs nothing.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Arguments for pytest: two processes, each file in one of them; e.g. `make test PYTEST_ARGS="-x tests/cli"`.
PYTEST_ARGS ?= -n 2 --dist loadfile
# Options of the paper's rows, e.g. `make paper PAPER_ARGS="--speech DIR --noise DIR"`.
PAPER_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo paper test test-all lint format docs bench install clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## train, prune, compile and report the speech example on a synthetic corpus
	$(BIN)/tinyprune run examples/denoise.toml

paper: $(STAMP) ## reproduce "Weight, Block or Unit?": every row, then docs/results.md; continues where it stopped
	$(BIN)/python -m benchmarks.paper $(PAPER_ARGS)

test: $(STAMP) ## the quick tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: $(STAMP) ## every test, the slow ones too
	$(BIN)/python -m pytest -m "slow or not slow" $(PYTEST_ARGS)

lint: $(STAMP) ## style, format, types and import directions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## put the code in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(STAMP) ## write the generated pages again
	$(BIN)/python docs/generate_cli.py
	$(BIN)/python docs/generate_schema.py

bench: $(STAMP) ## measure, with the opponents beside
	$(BIN)/python benchmarks/run.py

install: $(STAMP) ## make the virtual environment only

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tinyprune needs Python 3.11 or newer; make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,live]'
	@$(BIN)/python -m pip install --quiet -c constraints.txt 'pesq>=0.0.4' || \
		echo 'PESQ was not installed: it compiles C and needs a compiler; its tests will be skipped'
	@touch $@

clean: ## remove caches and build output; runs/ and .venv/ stay
	rm -rf build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find tinyprune tests benchmarks docs examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
