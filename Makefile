# The front door. Every target sets up what it needs in .venv; nothing is installed outside this folder.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv installs from the hashed lock files in seconds; it lives inside the virtual environment (docs/decisions/0002).
UV_VERSION := 0.13.8
RUN_STAMP := $(VENV)/.run-$(shell cksum requirements/run.lock 2>/dev/null | cut -d' ' -f1)
DEV_STAMP := $(VENV)/.dev-$(shell cksum requirements/dev.lock 2>/dev/null | cut -d' ' -f1)
BENCH_STAMP := $(VENV)/.bench-$(shell cksum requirements/bench.lock 2>/dev/null | cut -d' ' -f1)
TRAIN_STAMP := $(VENV)/.train-$(shell cksum requirements/train.lock 2>/dev/null | cut -d' ' -f1)
export UV_PYTHON := $(CURDIR)/$(BIN)/python
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
# Compiled once at installation: five processes that compile what they import at each start take seconds for it.
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z][a-zA-Z0-9_-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}'

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit("Cakegate needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(RUN_STAMP): $(BIN)/uv pyproject.toml requirements/run.lock
	$(BIN)/uv pip install --quiet --require-hashes -r requirements/run.lock
	$(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

$(DEV_STAMP): $(RUN_STAMP) requirements/dev.lock
	$(BIN)/uv pip install --quiet --require-hashes -r requirements/dev.lock
	@touch $@

$(BENCH_STAMP): $(DEV_STAMP) requirements/bench.lock
	$(BIN)/uv pip install --quiet --require-hashes -r requirements/bench.lock
	@touch $@

$(TRAIN_STAMP): $(DEV_STAMP) requirements/train.lock
	$(BIN)/uv pip install --quiet --require-hashes -r requirements/train.lock
	@touch $@

.PHONY: install
install: $(DEV_STAMP) ## Install everything for development into .venv

.PHONY: demo
demo: $(RUN_STAMP) ## Start the whole stack, submit pictures, print what each client got; stays up
	@exec $(BIN)/cakegate up --demo $(ARGS)

.PHONY: up
up: $(RUN_STAMP) ## Start the whole stack on this machine, without containers
	@exec $(BIN)/cakegate up $(ARGS)

.PHONY: run
run: up ## The same as up

.PHONY: test
test: $(DEV_STAMP) ## Run the test suite (starts its own Postgres and Valkey)
	$(BIN)/pytest $(ARGS)

.PHONY: fuzz
fuzz: $(DEV_STAMP) ## Mutate pictures for minutes and feed them to decoding children: make fuzz SECONDS=600 SEED=7
	CAKEGATE_TESTS_FUZZ_SECONDS=$(or $(SECONDS),120) CAKEGATE_TESTS_FUZZ_SEED=$(SEED) $(BIN)/pytest -m fuzz -s $(ARGS)

.PHONY: contract
contract: $(DEV_STAMP) ## Hold the gateway against its OpenAPI document with 10,000 requests (minutes)
	$(BIN)/pytest tests/contract -m contract $(ARGS)

.PHONY: lint
lint: $(DEV_STAMP) ## Check format, lint rules, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(DEV_STAMP) ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(BENCH_STAMP) ## Run the benchmarks (minutes; figures depend on the machine)
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench-smoke
bench-smoke: $(BENCH_STAMP) ## Run each benchmark once at its smallest, so that none rots
	$(BIN)/pytest -m bench tests/measuring $(ARGS)

.PHONY: load
load: $(DEV_STAMP) ## Offer the whole stack twice what it can judge, and hold it to its promises (4 minutes)
	$(BIN)/python -m benchmarks load $(ARGS)

.PHONY: soak
soak: $(DEV_STAMP) ## Run mixed load for 15 minutes and fail on growth (ARGS="--minutes N")
	$(BIN)/python -m benchmarks soak $(ARGS)

.PHONY: chaos
chaos: $(DEV_STAMP) ## Kill and freeze the whole stack at random for minutes: SEED=n replays; ARGS="--kills 20" and more
	PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

.PHONY: chaos-smoke
chaos-smoke: $(DEV_STAMP) ## The chaos run in its short form: 40 submissions, 7 kills
	$(BIN)/pytest tests/chaos -m slow $(ARGS)

.PHONY: migrate
migrate: $(RUN_STAMP) ## Bring the database of CAKEGATE_DATABASE_URL up to date
	$(BIN)/cakegate migrate $(ARGS)

.PHONY: migrations
migrations: $(RUN_STAMP) ## List the schema's migrations and say which are applied
	$(BIN)/cakegate migrate --list $(ARGS)

.PHONY: docs
docs: $(RUN_STAMP) ## Regenerate docs/configuration.md and .env.template from the settings
	$(BIN)/cakegate settings --markdown > docs/configuration.md
	$(BIN)/cakegate settings --env > .env.template

.PHONY: goldens
goldens: $(DEV_STAMP) ## Write the objects that the operator's builders make of each sample anew; read the difference
	PYTHONPATH=operator $(BIN)/python tests/operator/builders/goldens.py

# Any builder that takes the same words: BUILDER="buildah bud".
BUILDER ?= docker build
IMAGE ?= ghcr.io/cakegate/cakegate:$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
HELM ?= helm

.PHONY: image
image: ## Build the container image: make image IMAGE=... ARGS="--build-arg PYTHON_IMAGE=..."
	$(BUILDER) --tag $(IMAGE) --build-arg REVISION=$(shell git rev-parse --short HEAD 2>/dev/null || echo unknown) $(ARGS) .

.PHONY: manifests
manifests: $(DEV_STAMP) ## Regenerate the chart's files and manifests/install.yaml (needs helm)
	$(BIN)/python -m cakegate_operator.crd > charts/cakegate/files/crd.yaml
	$(BIN)/python -m cakegate_operator.monitoring.files charts/cakegate/files
	HELM=$(HELM) manifests/render > manifests/install.yaml.new && mv manifests/install.yaml.new manifests/install.yaml

.PHONY: chart
chart: manifests ## Check the chart and pack it into dist/ (needs helm)
	$(HELM) lint --strict charts/cakegate
	$(HELM) package charts/cakegate --destination dist

.PHONY: apiserver
apiserver: $(DEV_STAMP) ## Hold the operator against the etcd and kube-apiserver in KUBEBUILDER_ASSETS
	$(BIN)/pytest tests/operator -m "apiserver and not slow" $(ARGS)

.PHONY: e2e
e2e: $(DEV_STAMP) ## Run the scenarios on the cluster of KUBECONFIG (docs: tests/e2e/conftest.py)
	$(BIN)/pytest tests/e2e -m e2e $(ARGS)

.PHONY: model
model: $(TRAIN_STAMP) ## Train a model pack: make model ARGS="train --data DIR --out DIR"
	$(BIN)/cakegate model $(ARGS)

.PHONY: lock
lock: $(BIN)/uv ## Resolve the dependencies again and rewrite the lock files
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command 'make lock' pyproject.toml --extra local --extra objectstore -o requirements/run.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command 'make lock' pyproject.toml --extra local --extra objectstore --extra operator --group dev \
	  -c requirements/run.lock -o requirements/dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command 'make lock' pyproject.toml --extra objectstore --extra operator \
	  -c requirements/dev.lock -o requirements/image.lock
	echo 'hatchling>=1.27' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --custom-compile-command 'make lock' - -o requirements/build.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command 'make lock' pyproject.toml --extra train -c requirements/run.lock -o requirements/train.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command 'make lock' pyproject.toml --group bench -c requirements/run.lock -o requirements/bench.lock

.PHONY: clean
clean: ## Remove the virtual environment, caches and the default state folder
	rm -rf $(VENV) .cakegate .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
