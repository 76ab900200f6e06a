# Two targets do everything: `make demo` and `make test`. Both make the environment on first use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: demo test check docs clean

demo: $(READY)
	$(BIN)/bench run suites/quickstart.yaml
	$(BIN)/bench leaderboard suites/quickstart.yaml
	@echo
	@echo "Dashboard:  $(BIN)/bench dashboard"
	@echo "MLflow:     $(BIN)/mlflow ui --backend-store-uri sqlite:///runs/mlflow.db"

test: $(READY)
	$(BIN)/python -m pytest -n 2

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/mkdocs build --strict

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; say make PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
