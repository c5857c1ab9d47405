# Two-stage transfer learning. `make help` lists the targets.

PYTHON   ?= python3
VENV     ?= .venv
DATA     ?= builtin:digits
BACKBONE ?= vgg16
# The embedded demo data must run offline; everything else asks for real filters.
WEIGHTS  ?= $(if $(filter builtin:%,$(DATA)),auto,imagenet)
HEAD     ?= logreg
SPLIT    ?= test

PIPELINE := $(VENV)/bin/pipeline
STAGE    := --data "$(DATA)" --backbone "$(BACKBONE)"
READY    := $(VENV)/.ready
PEERS    := $(VENV)/.peers-ready
# Folder of JPEG photographs to measure with; empty = made ones.
BENCH_IMAGES ?=

# Folders of data sets and of filters for `make seeds`, see benchmarks/recipe_list.py.
SEEDS_DATA    ?= data
SEEDS_WEIGHTS ?= weights

.DEFAULT_GOAL := help
.PHONY: help install demo extract train-head evaluate test coverage torture lint docs bench seeds traps clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14
	@echo "Variables: DATA=$(DATA) BACKBONE=$(BACKBONE) WEIGHTS=$(WEIGHTS) HEAD=$(HEAD) SPLIT=$(SPLIT)"

install: $(READY) ## Create .venv and install the package with its tools

$(READY): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: extract train-head evaluate ## Both stages and the figures on embedded images, nothing to download

extract: $(READY) ## Stage one: images -> cached features
	$(PIPELINE) extract $(STAGE) --weights "$(WEIGHTS)"

train-head: $(READY) ## Stage two: cached features -> a trained HEAD
	$(PIPELINE) train-head $(STAGE) --weights "$(WEIGHTS)" --head "$(HEAD)"

evaluate: $(READY) ## Figures of HEAD on SPLIT
	$(PIPELINE) evaluate $(STAGE) --weights "$(WEIGHTS)" --head "$(HEAD)" --split "$(SPLIT)"

test: $(READY) ## Run all tests, on up to four cores
	$(VENV)/bin/python -m pytest -q -n logical --maxprocesses 4 --dist loadgroup --no-loadscope-reorder

coverage: $(READY) ## Run all tests and fail below the floor that setup.cfg sets
	$(VENV)/bin/python -m pytest -q -n logical --maxprocesses 4 --dist loadgroup --no-loadscope-reorder --cov

torture: $(READY) ## Kill, fill and race on purpose: minutes, and figures for docs/reliability.md
	$(VENV)/bin/python -m pytest -q -m torture

lint: $(READY) ## Check style, types and which package imports which
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo

docs: $(READY) ## Build the documentation site into site/: guides, the reference, the tour with its outputs
	$(VENV)/bin/python docs/building/build.py

bench: $(PEERS) ## Measure stage one against its peers; renews benchmarks/results and the table in the README
	$(VENV)/bin/python benchmarks/everything.py $(if $(BENCH_IMAGES),--images "$(BENCH_IMAGES)")

seeds: $(READY) ## Published experiments on their own data, below SEEDS_DATA and SEEDS_WEIGHTS: hours, but it goes on
	$(VENV)/bin/python benchmarks/recipes.py --data "$(SEEDS_DATA)" --weights "$(SEEDS_WEIGHTS)" --pages

traps: $(READY) ## Wrong figures of notebooks beside right ones, from SEEDS_DATA and SEEDS_WEIGHTS: ten minutes
	$(VENV)/bin/python benchmarks/trap_figures.py --data "$(SEEDS_DATA)" --weights "$(SEEDS_WEIGHTS)" --pages

$(PEERS): $(READY)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

clean: ## Remove the virtual environment; features and trained heads stay
	rm -rf $(VENV) build site *.egg-info
