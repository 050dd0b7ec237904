# The book and its library. `make help` lists what there is.
#
# PROFILE=full make book     the published run (the default, fast, needs two cores and no network)
# PYTHON=python3.12 make …   the interpreter that .venv is made with
# TORCH_BACKEND=cpu make …   install with uv, and torch for that backend (cpu, cu128, auto, …)

PROFILE ?= fast
PORT ?= 8000
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
export PYTHON TORCH_BACKEND
export PYTHONUNBUFFERED := 1

RUN := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help environment book test check-site journeys lint format serve zip measure reproduce clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

environment: ## .venv with the pinned packages (every other command makes it too)
	@sh tools/environment.sh

book: environment ## execute the chapters and build the site (PROFILE=fast|full)
	@$(RUN) -m tools.site --profile $(PROFILE)

test: environment ## the whole suite, chapters included (ARGS="-k landmarks" for a part)
	@$(RUN) -m pytest -n $(JOBS) $(ARGS)

check-site: environment ## open every built page in chromium: errors, outside requests, layout
	@VISAGE_SITE=_build/html $(RUN) -m pytest -n $(JOBS) tests/book/browser $(ARGS)

journeys: environment ## walk through every explorer, and let axe-core judge every page (half an hour)
	@VISAGE_JOURNEYS=1 VISAGE_SITE=_build/html $(RUN) -m pytest -n $(JOBS) \
		tests/book/browser/test_journeys.py tests/book/browser/test_pages.py $(ARGS)

lint: environment ## ruff, check and format
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

format: environment ## let ruff put the code in shape
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

serve: environment ## show the built site at http://127.0.0.1:8000/ (PORT=…)
	@$(RUN) -m tools.serve --port $(PORT)

zip: environment ## the built site as one file that opens without a network
	@$(RUN) -m tools.offline

reproduce: environment ## run an experiment (ID=recognition/lfw, PROFILE=fast|full); without ID, list them
	@.venv/bin/visage reproduce $(if $(ID),$(ID) --profile $(PROFILE),--list)

measure: environment ## time the tests and the book, and record book/build in the ledger
	@$(RUN) -m tools.measure

clean: ## remove everything that was built, but not .venv
	rm -rf _build .pytest_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
