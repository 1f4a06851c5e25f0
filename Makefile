# make demo   harvest 2,000 users from a faulty, rate-limited server into ./demo-data
# make test   everything: lint, types, import rules, unit, property, crash and real-server tests
# make bench  the figures, side by side with the peers (installs the peers in an environment of their own)
SHELL := /bin/sh
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test lint format bench clean
.DELETE_ON_ERROR:

demo: .venv/base
	@$(BIN)/penstock demo --store demo-data

test: .venv/full lint
	@scripts/test

lint: .venv/full
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: .venv/full
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: .venv/full
	@$(BIN)/python benchmarks/run

.venv/bin/python:
	@python=$$(scripts/find-python) && echo "penstock: making .venv with $$python" && $$python -m venv .venv

.venv/base: pyproject.toml constraints.txt hatch_build.py src/penstock/javadata/_core.c | .venv/bin/python
	@$(PIP) install -c constraints.txt -e .
	@touch $@

.venv/full: pyproject.toml constraints.txt hatch_build.py src/penstock/javadata/_core.c | .venv/bin/python
	@echo "penstock: installing everything the tests need into .venv"
	@$(PIP) install -c constraints.txt -e '.[all,dev]'
	@touch $@ .venv/base

clean:
	rm -rf .venv .envs .work demo-data .mypy_cache .ruff_cache .pytest_cache .hypothesis
