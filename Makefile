# `make help` lists the targets. Everything runs in .venv, made by `make install`.

PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
WITH_SERVICES := $(PYTHON) -m scripts.services run
# What `make demo` passes on: "--exit" to stop instead of serving, "--log FILE" for a log of yours.
DEMO_ARGS ?=
# How many tests run at the same time; they share the servers.
TEST_WORKERS ?= 4
# What the test targets pass on to pytest, such as "-k robots".
TEST_ARGS ?=
BENCH_ARGS ?=
# What the audit takes: "--strict" to fail where it can't be done, "--advisories URL" for a mirror.
AUDIT_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow coverage check lint audit bench services-up services-down clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv and install the package with its tools (again only after a change)

$(INSTALLED): pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: Python 3.11 or newer is needed; say which: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "make: $(PYTHON) can't make environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: install ## Send a month of traffic through the whole chain, then serve the numbers
	$(VENV)/bin/python -m stats_pipeline.demo $(DEMO_ARGS)

test: install ## Run all tests but the slow ones, on real servers (started if none are given)
	$(WITH_SERVICES) $(VENV)/bin/pytest -n $(TEST_WORKERS) -m "not slow" $(TEST_ARGS)

test-slow: install ## Run the tests that take minutes: about an hour in all
	$(WITH_SERVICES) $(VENV)/bin/pytest -n $(TEST_WORKERS) --dist worksteal -m slow $(TEST_ARGS)

coverage: install ## Run the tests and say which lines and branches they leave out
	$(WITH_SERVICES) $(VENV)/bin/pytest -m "not slow" --cov --cov-report=term $(TEST_ARGS)

check: lint ## Lint, the fast tests and the audit
	$(VENV)/bin/pytest -q -n auto -m "not servers and not processes and not slow" $(TEST_ARGS)
	@# Last, so that nobody overlooks that it could not be done.
	$(VENV)/bin/python -m scripts.audit $(AUDIT_ARGS)

lint: install ## Style, types, layers and spelling, in seconds
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/codespell

audit: install ## Look for known vulnerabilities and broken requirements in .venv
	$(VENV)/bin/python -m scripts.audit $(AUDIT_ARGS)

bench: install ## Measure
	$(VENV)/bin/python -m benchmarks $(BENCH_ARGS)

services-up: ## Start RabbitMQ and Elasticsearch for this checkout, or say where they are
	$(PYTHON) -m scripts.services up

services-down: ## Stop the servers that this checkout has started
	$(PYTHON) -m scripts.services down

clean: ## Remove all that was installed, built or started here
	$(PYTHON) -m scripts.services clean
	rm -rf $(VENV) build dist demo-data *.egg-info .coverage htmlcov
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
