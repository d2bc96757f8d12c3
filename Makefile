# `make` alone lists what can be made.
PYTHON ?= python3
BIN := .venv/bin
# One thread to each of at most four processes: for tests as small as these, more threads wait for one another.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help

.PHONY: help
help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup:  ## make .venv with everything in it (PYTHON=python3.12 to choose one)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' \
		|| { echo "error: $$($(PYTHON) --version) will not do: type make setup PYTHON=python3.12 (3.10 to 3.13)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@echo "done; type: source .venv/bin/activate"

.PHONY: run
run:  ## train a VAE on the embedded digits
	$(BIN)/python train.py

.PHONY: test
test:  ## all tests (8 minutes on 2 cores)
	$(TEST)

.PHONY: test-fast
test-fast:  ## the tests that start no process of their own
	$(TEST) -m "not slow"

.PHONY: benchmark
benchmark:  ## images/s of training and of the loaders, beside plain loops (DATA=folder of MNIST/raw; 15 minutes)
	$(BIN)/python benchmarks/throughput.py --root $(or $(DATA),data)
	$(BIN)/python benchmarks/loading.py --root $(or $(DATA),data)

.PHONY: benchmark-gpu
benchmark-gpu:  ## training beside the GPU's own time for a compiled step, and 30 epochs of MNIST (DATA=folder of MNIST/raw)
	$(BIN)/python benchmarks/device.py --root $(or $(DATA),data)

.PHONY: faults
faults:  ## 52 runs killed at random moments and gone on with: are they the same to the bit? (minutes)
	$(BIN)/python benchmarks/faults.py --kills $(or $(KILLS),52) --seed $(or $(SEED),0)

.PHONY: fuzz
fuzz:  ## damaged files and wrong values, ROUNDS=20 times as many as in the tests (minutes)
	FUZZ=$(or $(ROUNDS),20) $(TEST) tests/faults/test_fuzz.py

.PHONY: long-runs
long-runs:  ## memory, open files, threads over 200 epochs and 50 jobs (minutes)
	$(BIN)/python benchmarks/long_runs.py

.PHONY: lint
lint:  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format:  ## rewrite the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: tensorboard
tensorboard:  ## look at all runs
	$(BIN)/tensorboard --logdir runs

.PHONY: constraints
constraints:  ## pin the newest versions for every Python; run the tests, then commit constraints.txt
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --extra dev --upgrade --no-annotate \
		--custom-compile-command "make constraints" --output-file constraints.txt pyproject.toml

.PHONY: clean
clean:  ## remove caches and .venv; runs/ and data/ stay
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
