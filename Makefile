# Two commands do everything on a fresh clone: `make run` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: run test lint docs check-slow check-install clean

run: $(VENV)/installed
	$(BIN)/mirical run
	$(BIN)/mirical check table5

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

lint: $(VENV)/installed-dev
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/ruff format --check src tests benchmarks docs
	$(BIN)/pyright --pythonpath $(BIN)/python

# Builds the site into build/docs and runs its tutorials; some minutes, and no network once installed.
docs: $(VENV)/installed-docs
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs build/docs

check-slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m slow
	$(BIN)/python benchmarks/photometry.py
	$(BIN)/python benchmarks/checks.py
	$(BIN)/python benchmarks/influence.py
	$(BIN)/python benchmarks/reproducibility.py
	$(BIN)/python benchmarks/laws.py
	$(BIN)/python benchmarks/covariance.py
	$(BIN)/python benchmarks/pipeline.py
	$(BIN)/python benchmarks/validation.py

# Wheel and source distribution as users get them: the newest dependencies, no constraints, no extras.
# For another Python: make check-install PYTHON=python3.13
check-install:
	rm -rf build/install
	$(PYTHON) -m venv build/install
	build/install/bin/python -m pip install --quiet --disable-pip-version-check build
	build/install/bin/python -m build --outdir build/install/archives .
	build/install/bin/python -m pip install --quiet --disable-pip-version-check build/install/archives/*.whl
	build/install/bin/python -m pip check
	du -sm build/install
	build/install/bin/python tests/installed.py build/install/archives

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@ $(VENV)/installed

$(VENV)/installed-docs: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) build dist
