# make demo   harvest 2,000 users from a faulty, rate-limited server into ./demo-data
# make test   everything: lint, types, import rules, unit, property, crash and real-server tests
# make quick  lint, types and the tests that need no server, in a minute
# make audit  known vulnerabilities of the pinned versions; make sbom lists what is installed
# make verified  .envs/verified: exactly the files of hashes.txt; make hashes draws that again
# make bench  the figures, side by side with the peers (installs the peers in an environment of their own)
SHELL := /bin/sh
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# What does not wait for something else runs beside it: types take as long as style, layers and documents.
MAKEFLAGS += --jobs=2

.PHONY: audit demo sbom hashes verified test quick ready lint style types layers documents format coverage mutate docs wheel pythons bench clean
.DELETE_ON_ERROR:

demo: .venv/base
	@$(BIN)/penstock demo --store demo-data

test: .venv/full lint documents
	@scripts/test --tests

quick: .venv/full lint
	@scripts/test --quick

# What tests need of the system, installed where that is allowed; `make test` does it, too.
ready: .venv/full
	@$(BIN)/python tests/ready.py

lint: style types layers

style: .venv/full
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/full
	@$(BIN)/mypy

layers: .venv/full
	@$(BIN)/lint-imports --no-cache

# README, docs and docstrings: every example runs.
documents: .venv/full
	@scripts/test --documents

format: .venv/full
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Which branches the tests take, room by room, and whether that is enough.
coverage: .venv/full
	@scripts/coverage

# Small faults put into the pure rules, one at a time: which of them do the tests notice?
mutate: .venv/full
	@scripts/mutate

# A static site in build/site: the pages, and every name a room offers with its signature.
docs: .venv/full
	@$(BIN)/python scripts/make-docs build/site

# dist/: the sdist, a pure wheel, and one with the native core for each Python that is here.
wheel: .venv/full
	@$(BIN)/python scripts/wheel

# The tests that need no server, on each Python from 3.11 to 3.14 that is here; says which are not.
pythons: .venv/full
	@$(BIN)/python scripts/pythons.py

audit: .venv/full
	@scripts/audit

sbom hashes verified: .venv/full
	@scripts/audit $@

bench: .venv/full
	@$(BIN)/python benchmarks/run

.venv/bin/python:
	@python=$$(scripts/find-python) && echo "penstock: making .venv with $$python" && $$python -m venv .venv

.venv/base: pyproject.toml constraints.txt hatch_build.py src/penstock/javadata/_core.c src/penstock/portfolio/_windows.c | .venv/bin/python
	@$(PIP) install -c constraints.txt -e .
	@touch $@

.venv/full: pyproject.toml constraints.txt hatch_build.py src/penstock/javadata/_core.c src/penstock/portfolio/_windows.c | .venv/bin/python
	@echo "penstock: installing everything the tests need into .venv"
	@$(PIP) install -c constraints.txt -e '.[all,dev]'
	@touch $@ .venv/base

clean:
	rm -rf .venv .envs .work demo-data .mypy_cache .ruff_cache .pytest_cache .hypothesis
