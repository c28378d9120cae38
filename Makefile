# The front door for people; tools/bootstrap.py does the setting up, radit and tox do the work.

PYTHON ?= python3.11
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test clean distclean python

help:
	@echo "make demo       set up, then run the demo: images through the RTL, dense and skipping -> build/demo/"
	@echo "make test       set up, then lint, format, types, documentation and all tests (TOX='-e py311' for the tests alone)"
	@echo "make setup      only create .venv with the pinned packages"
	@echo "make clean      remove build/ and the caches"
	@echo "make distclean  remove .venv and .tox as well"

python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "$(PYTHON) is missing: install it (on Debian: sudo apt-get install python3.11 python3.11-venv)," \
	       "or name another Python 3.11 with make PYTHON=/path/to/python3.11"; exit 1; } >&2

setup: python
	@$(PYTHON) tools/bootstrap.py venv

demo: python
	@$(PYTHON) tools/bootstrap.py demo
	@$(BIN)/radit demo $(ARGS)

test: python
	@$(PYTHON) tools/bootstrap.py test
	@$(BIN)/tox run $(TOX)

clean:
	rm -rf build .mypy_cache .pytest_cache .ruff_cache
	find . -path ./.venv -prune -o -path ./.tox -prune -o -name __pycache__ -type d -print | xargs rm -rf

distclean: clean
	rm -rf .venv .tox *.egg-info
