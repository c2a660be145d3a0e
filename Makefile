# `make` says what there is. Each line is a command that also works by hand, in an environment of your own.
.DEFAULT_GOAL := help
.PHONY: help setup run test fast mutants lint format docs wheel image ci

help:  ## this list
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */\1\t/' | expand -t 10

setup:  ## install what the app, the tests and the checks need, and the hooks of pre-commit if it is there
	pip install -r requirements-dev.txt
	if command -v pre-commit >/dev/null; then pre-commit install; fi

run:  ## open the app at http://localhost:8501
	streamlit run streamlit_app.py

test:  ## all tests
	pytest

fast:  ## the fast half of the tests: everything that opens no page and is not slow
	pytest -m fast -n 2 --dist worksteal

mutants:  ## change the code in 150 places, one at a time, and see which changes no test notices; see CONTRIBUTING.md
	pip install --quiet -r requirements-mutation.txt
	nice python -m tests.mutants $(ARGS)

lint:  ## style, types and the order of imports
	ruff check .
	ruff format --check .
	mypy
	lint-imports

format:  ## put the code into the usual form
	ruff check --fix .
	ruff format .

docs:  ## build the pages under docs/ into site/
	mkdocs build --strict

wheel:  ## build the package for `pip install`, into dist/
	pip wheel . --no-deps --wheel-dir dist

image:  ## build the container of a lab that trains on the CPU; CUDA: see the Dockerfile
	docker build --tag architecture-lab .

ci:  ## all checks as they run for a pull request, in an environment of their own
	.ci/run
