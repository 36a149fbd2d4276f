# `make quickstart` and `make test` do everything on a machine that has Python 3.11 or newer.

VENV ?= .venv
BIN := $(VENV)/bin
RUN ?= runs/quickstart
WORKERS ?= 2
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
INDEX := $(if $(CPU),--extra-index-url https://download.pytorch.org/whl/cpu)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(INDEX)
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report=term

.PHONY: help quickstart test test-all lint format pages clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

quickstart: $(VENV)/.train ## install, train on the built-in digits, evaluate
	$(BIN)/torchstone train digits --out $(RUN) --force
	$(BIN)/torchstone evaluate $(RUN)
	@echo
	@echo "Open $(RUN)/report.html in a browser; $(RUN)/ holds the whole run."

test: $(VENV)/.dev lint ## checks and tests, in minutes
	$(PYTEST) -m "not slow"

test-all: $(VENV)/.dev lint ## checks and all tests, the slow ones too
	$(PYTEST)

lint: $(VENV)/.dev ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## write the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pages: $(VENV)/.dev ## write the pages of the mistakes anew from their files
	$(BIN)/python -m torchstone.review.pages docs/mistakes

clean: ## remove what tests and tools leave behind, but not the virtual environment
	rm -rf build dist htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# A stamp stands for "installed"; it is older than what it was installed from when that changes.

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with its venv module is needed." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.train: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing torchstone and torch into $(VENV) (a few minutes the first time) ..."
	$(PIP) -e ".[train]"
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	@echo "Installing what the checks and tests need ..."
	$(PIP) -e ".[train,plot,dev]"
	@touch $@
