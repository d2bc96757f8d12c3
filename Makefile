# Run `make` to list the targets.
PYTHON ?= python3
BIN := .venv/bin
# One thread per process and at most four processes: with tests this small, more threads slow each other down.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup:  ## create .venv with the development tools and most extras (PYTHON=python3.12 selects a Python version)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' \
		|| { echo "error: $$($(PYTHON) --version) is not supported. Run make setup PYTHON=python3.12 (3.10 to 3.13)."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@echo "Done. Activate the environment with: source .venv/bin/activate"

.PHONY: run
run:  ## train a VAE on scikit-learn's digits
	$(BIN)/python train.py

.PHONY: test
test:  ## run all tests (13 minutes on 2 cores)
	$(TEST)

.PHONY: test-fast
test-fast:  ## run the tests that do not start other processes
	$(TEST) -m "not slow"

.PHONY: benchmark
benchmark:  ## compare training and data loading with plain PyTorch (DATA=folder that contains MNIST/raw; 15 minutes)
	$(BIN)/python benchmarks/throughput.py --root $(or $(DATA),data)
	$(BIN)/python benchmarks/loading.py --root $(or $(DATA),data)

.PHONY: benchmark-models
benchmark-models:  ## compare the training of several models with a bare loop over the same modules (DATA=...; 10 minutes)
	$(BIN)/python benchmarks/models.py --root $(or $(DATA),data)

.PHONY: benchmark-variants
benchmark-variants:  ## compare the training of every model with that of vae and with its arithmetic (DATA=...; half an hour)
	$(BIN)/python benchmarks/variants.py --root $(or $(DATA),data)

.PHONY: benchmark-sweeps
benchmark-sweeps:  ## compare ways to run many small jobs: launchers, threads, and models stacked by vmap (10 minutes)
	$(BIN)/python benchmarks/sweeps.py
	$(BIN)/python benchmarks/ensembles.py

.PHONY: docs
docs:  ## build the documentation with its notebooks into build/site (minutes; a broken link is an error)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: reproduce
reproduce:  ## train and evaluate all rows of docs/results.md that are not finished (DATA=...; days; can be interrupted)
	$(BIN)/python benchmarks/reproduce.py --root $(or $(DATA),data)

.PHONY: benchmark-gpu
benchmark-gpu:  ## compare training with the GPU's time for a compiled step, and time 30 epochs of MNIST (DATA=...)
	$(BIN)/python benchmarks/device.py --root $(or $(DATA),data)

.PHONY: faults
faults:  ## kill runs at KILLS=52 random moments, resume them, and check that the results are bitwise equal (minutes)
	$(BIN)/python benchmarks/faults.py --kills $(or $(KILLS),52) --seed $(or $(SEED),0)

.PHONY: fuzz
fuzz:  ## run the tests with damaged files and invalid values ROUNDS=20 times as often (minutes)
	FUZZ=$(or $(ROUNDS),20) $(TEST) tests/faults

.PHONY: long-runs
long-runs:  ## measure memory, open files and threads over 200 epochs and 50 jobs (minutes)
	$(BIN)/python benchmarks/long_runs.py

.PHONY: lint
lint:  ## check style, types and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: imports
imports:  ## update the import diagram in docs/architecture.md
	$(BIN)/python docs/draw_imports.py

.PHONY: metric-values
metric-values:  ## update the values in docs/metric_names.md
	$(BIN)/python docs/metric_values.py

.PHONY: format
format:  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: tensorboard
tensorboard:  ## show all runs in TensorBoard
	$(BIN)/tensorboard --logdir runs

.PHONY: constraints
constraints:  ## pin the newest versions for all Python versions; then run the tests and commit constraints.txt
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --extra dev --upgrade --no-annotate \
		--custom-compile-command "make constraints" --output-file constraints.txt pyproject.toml

.PHONY: clean
clean:  ## remove .venv and caches, but keep runs/ and data/
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
