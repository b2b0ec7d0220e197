PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint test-slow test-live bench manifests schemas clean

demo: $(INSTALLED)
	$(BIN)/sluice demo

test: lint
	$(BIN)/pytest -q -n 2 -m "not slow"

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sluice check

test-slow: $(INSTALLED)
	$(BIN)/pytest -q -n 2 -m slow

# What could not be built is skipped by name; where nothing can run it fails.
test-live: $(INSTALLED)
	-PYTHON=$(BIN)/python tests/live/build.sh
	$(BIN)/pytest -q tests/live

bench: $(INSTALLED)
	PYTHONPATH=tests $(BIN)/python -m benchmarks

manifests: $(INSTALLED)
	$(BIN)/sluice render

schemas: $(INSTALLED)
	$(BIN)/python generator/tools/kubernetes_schemas.py

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
