BIN := .venv/bin
FITTING := >=3.11,<3.14
UV = $(or $(shell command -v uv 2>/dev/null),$(BIN)/uv)

.PHONY: demo proof test test-slow real-model real-servers bench-vllm check mutants bench prompt-bench demo-model demo-eval install docs example lock

demo: install  ## make both kinds of dataset with the built-in model, and choose 100 rows of the first
	$(BIN)/stillroom sft --recipe evolved --out datasets/demo-sft
	$(BIN)/stillroom dpo --recipe basic --instructions datasets/demo-sft --out datasets/demo-dpo
	$(BIN)/stillroom curate datasets/demo-sft --rows 100 --set curate.diversify.by=longest --out datasets/demo-chosen

QUESTIONS = datasets/proof-questions.jsonl
PROVE = PYTHONPATH=. $(BIN)/stillroom prove --base demo-base --seeds $(or $(SEEDS),1) --questions $(QUESTIONS) --check tests/demo_model/checker.py:is_right --max-new-tokens 96

# the first student of uncurated rows, which the proof before has trained: it is asked for the pairs
STUDENT = $$($(PROVE) datasets/proof --against datasets/proof-raw --json | tail -n 1 | $(BIN)/python -c "import json, sys; print(json.load(sys.stdin)['students']['proof-raw'][0])")

proof: install  ## does curation make a student better? students on what it keeps, and on as much of what it was given; SEEDS=5 for five of each, and pairs
	$(BIN)/stillroom sft --config examples/proof.yaml
	$(BIN)/stillroom curate datasets/proof-raw --out datasets/proof --set curate.rate.threshold=5
	$(BIN)/python -m tests.demo_model.questions $(QUESTIONS)
	$(PROVE) datasets/proof --against datasets/proof-raw
ifneq ($(or $(SEEDS),1),1)
	$(BIN)/python -m tests.demo_model.questions datasets/proof-own.jsonl --rows 1800 --seed 7 --asked
	PYTHONPATH=. $(BIN)/stillroom dpo --recipe verified --model "$(STUDENT)" --instructions datasets/proof-own.jsonl --out datasets/proof-pairs \
		--set verified_scores.verifier=tests/demo_model/checker.py:verify_right --set model_pool.max_rouge_l=1
	$(PROVE) datasets/proof-pairs --after datasets/proof-raw --sft-weight 1
endif

test: install  ## the whole unmarked suite
	$(BIN)/python -m pytest -m "not slow" -n 3 --dist loadfile

test-slow: install  ## cluster, browser, servers
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile

real-model: install  ## fetch a small real model into the user's cache; prints what to give as --model
	@$(BIN)/python -m tests.real_servers.weights

real-servers: install  ## both pipelines on vLLM, llama.cpp and transformers serve, installed apart; an hour
	$(BIN)/python -m tests.real_servers

bench-vllm: install  ## our client and our engine against vLLM, installed apart
	$(BIN)/python -m tests.real_servers --server vllm --bench

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
	$(BIN)/python -m tests.benchmarks.filters --demo 500
	$(BIN)/python -m tests.benchmarks.endpoint
	$(BIN)/python -m tests.benchmarks.orchestration
	$(BIN)/python -m tests.benchmarks.pipeline
	$(BIN)/python -m tests.benchmarks.preview
	$(BIN)/python -m tests.benchmarks.start
	$(BIN)/python -m tests.benchmarks.served
	$(BIN)/python -m tests.benchmarks.curation
	$(BIN)/python -m tests.benchmarks.judges
	$(BIN)/python -m tests.benchmarks.report
	$(BIN)/python -m tests.benchmarks.fit
	$(BIN)/python -m tests.benchmarks.students

prompt-bench: install  ## how well MODEL=... follows each prompt of SET=full, a line a prompt; how varied its instructions are
	$(BIN)/python -m tests.benchmarks.prompt_bench --model "$(or $(MODEL),demo)" --set $(or $(SET),full)
	$(BIN)/python -m tests.benchmarks.variety --model "$(or $(MODEL),demo)"

demo-model: install  ## train the built-in models again: demo, the base of its students, demo-2
	$(BIN)/python -m tests.demo_model.train
	$(BIN)/python -m tests.demo_model.train --corpus base --start tasks/models/demo/weights --out tasks/models/demo/base --steps 120
	$(BIN)/python -m tests.demo_model.train --corpus recipes --start tasks/models/demo/weights --out tasks/models/demo/second --seed 2 --batch 1280 --steps 6000 --processes 1 --no-compiled --no-half

demo-eval: install  ## how good the built-in models are at their roles
	$(BIN)/python -m tests.benchmarks.demo_eval
	$(BIN)/python -m tests.benchmarks.demo_2_eval

install: .venv/.installed

# uv does not read pip's settings, so it is told which index and which folders of wheels pip takes packages from here
pip_setting = $(BIN)/python -m pip config list | sed -nE "s/^(:env:|global|install)\.$(1)='(\\\\n)?(.*)'$$/\3/p" | sed 's/\\n/,/g' | head -n 1

.venv/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@command -v $(UV) >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep ^uv== $<)"
	@export UV_FIND_LINKS="$${UV_FIND_LINKS-$$($(call pip_setting,find-links))}"; \
	export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX-$$($(call pip_setting,index-url))}"; \
	echo "installing requirements.lock into .venv with uv"; \
	$(UV) pip install --quiet --python .venv --requirement $< && $(UV) pip install --quiet --python .venv --no-deps --editable .
	@touch $@

# uv, where it is on the PATH, finds a Python that fits, or fetches one; else it has to be here, python3 or PYTHON=...
$(BIN)/python:
	@if command -v uv >/dev/null; then uv venv --quiet --seed --python "$(or $(PYTHON),$(FITTING))" .venv; \
	else $(or $(PYTHON),python3) -c "import sys; sys.version_info >= (3, 11) or sys.exit('Python 3.11 or later is needed: make PYTHON=python3.12, or install uv')" && \
	$(or $(PYTHON),python3) -m venv .venv; fi

docs: install  ## write the reference of the options into docs/config.md
	$(BIN)/python -m tests.docs.config_reference

example: demo  ## put the report and the card of what make demo has made into docs/example
	for name in demo-sft demo-dpo; do mkdir -p docs/example/$$name && cp datasets/$$name/report.html datasets/$$name/README.md docs/example/$$name/; done

lock: install  ## lock what pyproject.toml needs, for Linux and macOS and each Python; pins that fit stay, but for UPGRADE=--upgrade
	cp requirements.lock .venv/lock
	UV_FIND_LINKS= $(UV) pip compile --quiet --universal --python-version 3.11 --extra dev --extra prove --no-header --no-annotate \
		$(UPGRADE) --output-file .venv/lock pyproject.toml
	(echo "# By make lock, for Linux and macOS, Python 3.11 to 3.13. torch names its CUDA libraries itself: its CPU build has none."; \
	grep -vE "^(#|cuda-|nvidia-|triton)" .venv/lock) > requirements.lock
