# Every target runs in .venv, which make builds by itself from requirements.lock.
# ARGS goes to the command behind a target:  make test ARGS="-k windows"

# Without bytecode each start would parse thousands of library files again.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs lint format lock clean proof-backfill proof-crash proof-alerts proof-playbooks proof-drills

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## a made-up platform under attack, live, with pages; in a pipe once, with a table
	@$(BIN)/tocsin demo $(ARGS)

test: $(READY) ## unit tests, property tests and doctests
	@$(BIN)/python -m pytest -n auto $(ARGS)

check: lint test ## all that CI runs

proof-backfill: $(READY) ## a day live against its backfill, 200,000 malformed lines, rows and answers
	@$(BIN)/python -m pytest -m slow tests/pipeline/backfill tests/pipeline/stream/test_intake_fuzz.py $(ARGS)

proof-crash: $(READY) ## a day of all streams killed a hundred times, disk full, database locked, a file damaged
	@$(BIN)/python -m pytest -m slow tests/pipeline/stream/test_loop_crash.py $(ARGS)

proof-alerts: $(READY) ## the alert engine and the outbox killed fifty times, channels failing
	@$(BIN)/python -m pytest -m slow tests/serving/proof/test_alerts_proof.py $(ARGS)

proof-playbooks: $(READY) ## the runner killed a hundred times, actions on a chain
	@$(BIN)/python -m pytest -m slow tests/serving/playbooks/test_runner_proof.py $(ARGS)

proof-drills: $(READY) ## every playbook drilled, every benign twin left alone
	@$(BIN)/python -m pytest -m slow tests/serving/playbooks/test_drill.py tests/serving/playbooks/test_start_scenarios.py $(ARGS)

bench: $(READY) ## ours against its peers, to benchmarks/results.json
	@$(BIN)/python -m benchmarks.run $(ARGS)

docs: $(READY) ## write docs/views.md and docs/reference.md from the code
	$(BIN)/python docs/generate.py

lint: $(READY) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(READY) ## write requirements.lock from pyproject.toml; ARGS=--upgrade for newer versions
	$(BIN)/uv pip compile pyproject.toml --quiet --output-file requirements.lock \
	    --extra kafka --extra postgres --extra apprise --extra sigma --extra demo --extra dev \
	    --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --custom-compile-command "make lock" $(ARGS)

clean: ## remove .venv and all caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml .ci/bootstrap
	@PYTHON="$(PYTHON)" sh .ci/bootstrap
	@touch $@
