# Two commands need nothing but Python >= 3.11, make and a package index: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo check test test-slow attack claims bench docs notebooks clean

# One virtual environment serves every target; the stamp makes the second call quick.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c "import sys; sys.exit('scalejax needs Python 3.11 or newer; run make PYTHON=python3.12' if sys.version_info < (3, 11) else 0)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

demo: $(VENV)/.installed
	$(BIN)/scalejax demo demo

check: $(VENV)/.installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

test: check
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder  # files stay whole, and in the order of conftest

test-slow: $(VENV)/.installed
	$(BIN)/python -m pytest -m slow

attack: $(VENV)/.installed
	$(BIN)/python -m tests.attack  # odd inputs to every public function and verb; a part of them: python -m tests.attack --part 1/8

claims: $(VENV)/.installed
	$(BIN)/python -m tests.claims  # what papers state beside what we compute

bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks  # scipy on small problems is slower with more threads

# Warnings are errors; nothing is fetched while it builds. What recipes and notebooks print is kept in docs/_build for the next time.
docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo docs/_build/html/index.html

notebooks: $(VENV)/.installed
	$(BIN)/python -m jupytext --to ipynb --execute notebooks/*.py

clean:
	rm -rf $(VENV) demo build dist docs/_build docs/api docs/laws docs/notebooks docs/papers.md
