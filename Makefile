PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-slow real-servers check mutants bench demo-model demo-eval install lock

demo: install  ## make both kinds of dataset with the built-in model
	$(BIN)/stillroom sft --recipe evolved --out datasets/demo-sft
	$(BIN)/stillroom dpo --recipe basic --instructions datasets/demo-sft --out datasets/demo-dpo

test: install  ## the whole unmarked suite
	$(BIN)/python -m pytest -m "not slow" -n 3 --dist loadfile

test-slow: install  ## cluster, browser, servers
	$(BIN)/python -m pytest -m slow

real-servers: install  ## both pipelines on vLLM, llama.cpp and transformers serve, installed apart; an hour
	$(BIN)/python -m tests.real_servers

check: install  ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check flows tasks tests stillroom.py
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_imports.py

mutants: install  ## break each law in a copy of the tree; its tests have to notice
	$(BIN)/python -m tests.mutants

bench: install  ## speed and memory, side by side with a reference in one run
	$(BIN)/python -m tests.benchmarks.overhead
	$(BIN)/python -m tests.benchmarks.local_model
	$(BIN)/python -m tests.benchmarks.prefixes
	$(BIN)/python -m tests.benchmarks.pairing
	$(BIN)/python -m tests.benchmarks.endpoint
	$(BIN)/python -m tests.benchmarks.orchestration
	$(BIN)/python -m tests.benchmarks.pipeline
	$(BIN)/python -m tests.benchmarks.preview
	$(BIN)/python -m tests.benchmarks.start

demo-model: install  ## train the built-in model again
	$(BIN)/python -m tasks.models.demo.train

demo-eval: install  ## how good the built-in model is at its roles
	$(BIN)/python -m tests.benchmarks.demo_eval

install: .venv/.installed

.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

lock:  ## resolve the ranges of pyproject.toml anew, in a fresh environment
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet "torch==2.13.0" && .venv-lock/bin/pip install --quiet --editable ".[dev,trl]"
	.venv-lock/bin/pip freeze --exclude-editable | sed 's/^\(torch==[0-9.]*\)+.*/\1/' > requirements.lock
	rm -rf .venv-lock
