# Every tool lives in .venv; what takes more than a line lives in .ci/.

RUN := .venv/bin/python -m

.DEFAULT_GOAL := help
.PHONY: help .venv demo test test-long test-fast lint format site bench clients clean

help: ## Show this list
	@awk -F ':.*## ' '/^[.a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

.venv: ## Make or refresh .venv: the package, editable, and the tools to work on it
	@.ci/venv .venv

demo: .venv ## Show what the program does, in a throw-away home
	@.venv/bin/python examples/demo.py

test: lint ## Run everything: lint, the tests on the oldest and the newest Python here, the built wheel
	@.ci/test
	@.ci/wheel

test-long: .venv ## Run everything once more in its long version: more of all that is random, and the planted faults
	@KIMI_PROFILES_LONG=1 $(RUN) pytest -n auto

test-fast: .venv ## Run the unit tests alone
	@$(RUN) pytest tests/unit

lint: .venv ## Check format, style and types
	$(RUN) ruff format --check
	$(RUN) ruff check
	$(RUN) mypy

format: .venv ## Rewrite the code in the project's format
	$(RUN) ruff check --fix
	$(RUN) ruff format

site: .venv ## Build the documentation as a site, into build/site
	@.venv/bin/python docs/generate.py
	@.ci/site

bench: .venv ## Measure, beside other tools, and write docs/performance.md (ONLY=startup, large, many, others: print)
	@$(RUN) pip install --quiet --group bench
	@PYTHONPATH=tests $(RUN) benchmarks $(ONLY)

clients: ## Fetch the two Claude Code versions that tests/real_client runs (needs npm)
	@.ci/clients

clean: ## Remove what this Makefile made; .cache, with the fetched clients, stays
	rm -rf build .venv .venv-3.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find kimi_profiles tests examples -name __pycache__ -prune -exec rm -rf {} +
