# Modeldeck. `make up` starts everything; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
SET_UP := @$(PYTHON) deploy/local/setup/set_up.py
PYTEST := $(BIN)/pytest
# Most tests wait for other processes. A file's tests stay together, and those of the browser, which time what it
# draws, stay alone.
WORKERS ?= 2
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
WEB := services/gateway/web
CODE := libs services deploy tests

.DEFAULT_GOAL := help
.PHONY: help up demo setup test check fix unit integration e2e screenshots faults bench api

help:  ## list what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | while IFS='	' read -r name does; do printf '  make %-12s %s\n' "$$name" "$$does"; done

up:  ## set up if needed, then run the whole product (ARGS="--port 9000 ...")
	$(SET_UP)
	@exec $(BIN)/modeldeck up $(ARGS)

demo:  ## the same with generated model files from a local origin, no internet needed
	$(SET_UP)
	@exec $(BIN)/modeldeck up --demo $(ARGS)

setup:  ## virtual environment, nats-server and dashboard build; quick when nothing changed
	$(SET_UP) --tests

test: setup check  ## everything: lint, types, architecture, unit, integration, browser
	$(SET_UP) --tests --browser
	$(PYTEST) $(SIDE_BY_SIDE) tests/integration tests/unit
	$(PYTEST) tests/e2e

check: setup  ## lint, format, types, architecture, dashboard types and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	@$(PYTHON) deploy/local/setup/web.py typecheck test

fix: setup  ## repair what ruff can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

unit: setup  ## unit and property tests
	$(PYTEST) $(SIDE_BY_SIDE) tests/unit $(ARGS)

integration: setup  ## tests on a real nats-server and real processes
	$(PYTEST) $(SIDE_BY_SIDE) tests/integration $(ARGS)

e2e: setup  ## browser tests (system Chromium)
	$(SET_UP) --tests --browser
	$(PYTEST) tests/e2e $(ARGS)

screenshots: setup  ## pictures of the page at work: each page's into docs/images, all the others into screenshots/
	$(SET_UP) --tests --browser
	PICTURES_DIR=docs/images $(PYTEST) tests/e2e/test_page_pictures.py

faults: setup  ## kill, freeze and restart real processes during installs; draw many requests from the API's document
	$(PYTEST) tests/faults -s $(ARGS)
	CONTRACT_EXAMPLES=100 $(PYTEST) tests/integration/gateway/test_contract.py --timeout 1800

bench: setup  ## measure; prints tables
	$(BIN)/python -m tests.bench $(ARGS)

api: setup  ## generate docs/api: OpenAPI, AsyncAPI and JSON Schema documents
	$(BIN)/python -m gateway.api_documents docs/api
	@$(PYTHON) deploy/local/setup/web.py api
	$(BIN)/python -m modeldeck_events.schemas docs/api/schemas
