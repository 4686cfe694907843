# Everything that can be done here; `make help` lists it. The steps are in scripts/.
.DEFAULT_GOAL := help
.PHONY: help up test check fix bench docs messages lock clean
PY := .venv/bin/python
ENV := @scripts/env.sh

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
up: ## start two nodes on this machine (ARGS="--fresh --base-port 9000"); Ctrl-C stops them
	$(ENV) runtime && exec .venv/bin/renkei up $(ARGS)
test: ## run every check and every test, as the continuous integration does
	$(ENV) dev && exec $(PY) scripts/test.py
check: ## lint, types, import contracts, catalogues: what needs no test
	$(ENV) dev && exec $(PY) scripts/test.py --checks-only
fix: ## format the code and mend what can be mended
	$(ENV) dev && .venv/bin/ruff check --fix . ; .venv/bin/ruff format .
bench: ## measure (ROOM=record for one room) and print what misses its target
	$(ENV) bench && exec $(PY) bench/run.py $(ROOM)
docs: ## build the documentation into docs/_build
	$(ENV) docs && exec .venv/bin/sphinx-build -q -W -b html docs docs/_build
messages: ## collect the sentences to translate and compile the catalogues
	$(ENV) dev && exec $(PY) scripts/messages.py
lock: ## compile the lock files anew (needs uv)
	@scripts/lock.sh
clean: ## remove what can be made again; nodes in var/ are kept
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist docs/_build
