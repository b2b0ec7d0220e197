PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Exact versions with hashes, so that a clone of any commit installs what it was tested with.
LOCK := generator/requirements.txt
SBOM_LOCK := generator/sbom.txt
# What Sluice itself needs, of the same versions: `sluice init` writes it for CI.
RUNTIME_LOCK := generator/sluice/starter/.github/sluice-requirements.txt

.PHONY: demo test lint test-slow test-live test-newest bench manifests schemas lock sbom clean

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

# The same tests with the newest versions that pyproject.toml allows.
test-newest:
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade --editable '.[dev]'
	SLUICE_TEST_NEWEST=true .venv-newest/bin/pytest -q -n 2 -m "not slow"

bench: $(INSTALLED)
	PYTHONPATH=tests $(BIN)/python -m benchmarks

manifests: $(INSTALLED)
	$(BIN)/sluice render

schemas: $(INSTALLED)
	$(BIN)/python generator/tools/kubernetes_schemas.py

# Writes the locks anew, for every platform and every Python that pyproject.toml allows.
COMPILE := build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url

lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(COMPILE) --upgrade --extra dev pyproject.toml --output-file $(LOCK)
	$(COMPILE) --upgrade --constraint $(LOCK) pyproject.toml --output-file $(RUNTIME_LOCK)
	echo cyclonedx-bom==7.5.0 | $(COMPILE) --upgrade - --output-file $(SBOM_LOCK)

# What the lock installs, as a bill of materials (CycloneDX), from the lock alone.
sbom:
	$(PYTHON) -m venv build/sbom
	build/sbom/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(SBOM_LOCK)
	build/sbom/bin/python -W ignore -m cyclonedx_py requirements $(LOCK) --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom.json

$(INSTALLED): pyproject.toml $(LOCK)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf $(VENV) .venv-newest build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
