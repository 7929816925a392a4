# onebell: run · test · test-all · check · bench · web
# Everything is set up by these targets; each can be run again.

SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
DATA ?= data
HOST ?= 127.0.0.1
PORT ?= 8080
WEB := src/onebell/console/web
SERVERS := $(VENV)/servers.ok
MSYNC := src/onebell/dialects/easemob/msync/msync_pb2.py
CLIENTS := tests/clients/node_modules/.package-lock.json
WORKERS ?= 3

# Tests start dozens of processes: without kept bytecode each of them compiles everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-all check bench web setup lock clean

run: setup web
	@$(PY) -m onebell serve --demo --host $(HOST) --port $(PORT) --data $(DATA)

test: setup web $(SERVERS) $(CLIENTS)
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal -m "not all" tests

test-all: setup web $(SERVERS) $(CLIENTS)
	@ONEBELL_TEST_ALL=1 $(PY) -m pytest --timeout 900 -n $(WORKERS) --dist worksteal tests

check: setup
	@$(VENV)/bin/ruff format --check src tests bench
	@$(VENV)/bin/ruff check src tests bench
	@$(VENV)/bin/mypy
	@$(PY) -m tools.check_web

bench: setup web $(SERVERS)
	@bash tools/apt.sh wrk
	@$(PY) -m bench

setup: $(VENV)/ok $(MSYNC)

# A bare Debian has no ensurepip; its package python3-venv brings it.
$(VENV)/ok: requirements/dev.txt pyproject.toml
	@echo "onebell: installing Python packages into $(VENV) (a minute or two)"
	@python3 -m venv $(VENV) 2>/dev/null || (bash tools/apt.sh python3-venv && python3 -m venv $(VENV))
	@$(PY) -m pip install --quiet --require-hashes -r requirements/dev.txt
	@$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(MSYNC): $(MSYNC:_pb2.py=.proto) hatch_build.py | $(VENV)/ok
	@$(PY) hatch_build.py

# What tests need beyond Python: installed when it may be, else those tests are skipped in one clear line.
$(SERVERS): tools/apt.sh
	@echo "onebell: installing Chromium, PostgreSQL and nats-server for the tests"
	@bash tools/apt.sh chromium fonts-noto-cjk postgresql nats-server && touch $@ || true

$(CLIENTS): tests/clients/package.json tests/clients/package-lock.json | setup
	@bash tools/test-clients.sh

web: $(WEB)/index.html

$(WEB)/index.html: $(shell find web -type f -not -path 'web/node_modules/*' 2>/dev/null)
	@echo "onebell: building the web app (a minute)"
	@bash tools/build-web.sh

lock:
	@$(PY) -m pip install --quiet uv
	@$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 pyproject.toml -o requirements/run.txt
	@$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 pyproject.toml --group dev -o requirements/dev.txt

clean:
	@rm -rf $(VENV) $(WEB) web/node_modules
