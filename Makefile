# `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help run show test nightly check types contracts fast-tests golden bench measurements docs notebooks pictures lock clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# The environment: exactly the versions of the lock file, and the four folders in editable form.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

run: $(READY)  ## the report's explosion, the same law in a lab with a GPU cluster, and the kernels that it uses
	$(BIN)/asara run toy-explosion --out $(OUT)/toy-explosion --fresh
	$(BIN)/asara run lab --out $(OUT)/lab --fresh
	$(BIN)/asara kernels report --out $(OUT)/kernels

show: $(READY)  ## the window: step through a lab in the browser
	$(BIN)/asara show

# Python keeps the compiled tests: compiling them takes about 4 s for each process of tests.
unexport PYTHONDONTWRITEBYTECODE

# A file runs in one process; the longest files come first (tests/conftest.py).
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
# Markers that `make check` leaves out. `make check FAST_TESTS=` runs no test: CI has run all of them before.
FAST_TESTS ?= not statistical and not browser and not kernels and not docs and not slow

test: $(READY)  ## all tests
	$(PYTEST)

nightly: $(READY)  ## all tests, with ten times as many random examples of each property
	HYPOTHESIS_PROFILE=nightly $(PYTEST) --timeout 3600

check: $(READY)  ## linters, strict types, import contracts and the fast tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory --jobs 3 types contracts $(if $(FAST_TESTS),fast-tests)

# The slow parts of `make check`, which runs them at the same time.
types: $(READY)
	$(BIN)/mypy

contracts: $(READY)
	$(BIN)/lint-imports

fast-tests: $(READY)
	$(PYTEST) -q -m "$(FAST_TESTS)"

golden: $(READY)  ## renew the golden run; say why in the commit
	$(BIN)/python -m tests.golden.renew

bench: $(READY)  ## speed, as ratios against peers in the same run
	$(BIN)/python benchmarks/run_all.py

measurements: $(READY)  ## search for kernels on this machine for an hour, into out/measurements
	$(BIN)/python benchmarks/measurements.py

docs: $(READY)  ## renew the pages and pictures of docs/ that commands make
	$(BIN)/python -m experiments.docs_build.cli_reference docs
	$(BIN)/asara run toy-explosion --out $(OUT)/docs/toy-explosion --fresh
	$(BIN)/asara run lab --out $(OUT)/docs/lab --fresh
	mkdir -p docs/pictures
	cp $(OUT)/docs/toy-explosion/run.png docs/pictures/toy-explosion.png
	cp $(OUT)/docs/lab/run.png docs/pictures/lab.png
	$(BIN)/asara run lab --stop-at-researchers 1048576 --out $(OUT)/docs/lab-to-a-million --fresh
	cp $(OUT)/docs/lab-to-a-million/run.png docs/pictures/lab-to-a-million.png
	$(BIN)/asara kernels report --only causal/bf16/both --out $(OUT)/docs/kernels
	cp $(OUT)/docs/kernels/searches.png docs/pictures/kernels.png
	$(BIN)/python -m experiments.docs_build.variability_page docs/explanation/simulation-vs-theory.md docs/pictures/run-to-run-variability.png
	$(BIN)/python -m experiments.docs_build.policy_picture docs/pictures/lab-policies.png
	$(BIN)/python -m experiments.docs_build.knife_edge_picture docs/pictures/knife-edge.png
	$(BIN)/asara bottleneck --out $(OUT)/docs/bottleneck
	cp $(OUT)/docs/bottleneck/bottleneck.png docs/pictures/bottleneck.png
	$(BIN)/asara detect --set regulator__measured=discovered --set regulator__reading_days=5 --out $(OUT)/docs/detect
	cp $(OUT)/docs/detect/detect.png docs/pictures/detect.png
	$(BIN)/asara milestones road-to-asara --out $(OUT)/docs/milestones
	cp $(OUT)/docs/milestones/milestones.png docs/pictures/milestones.png
	$(BIN)/asara race leader-and-followers --out $(OUT)/docs/race
	cp $(OUT)/docs/race/race.png docs/pictures/race.png
	$(BIN)/asara mc successor --out $(OUT)/docs/mc
	cp $(OUT)/docs/mc/mc.png docs/pictures/mc-successor.png
	$(BIN)/asara sweep quick --out $(OUT)/docs/quick
	$(BIN)/asara analyse $(OUT)/docs/quick
	cp $(OUT)/docs/quick/analysis/fan.png docs/pictures/sweep-fan.png
	cp $(OUT)/docs/quick/analysis/probability-growth__r-training__required.png docs/pictures/sweep-explosion.png
	$(BIN)/asara sweep road --out $(OUT)/docs/road
	$(BIN)/asara analyse $(OUT)/docs/road
	cp $(OUT)/docs/road/analysis/tornado-asara_day.png docs/pictures/sweep-road.png

	$(MAKE) notebooks

notebooks: $(READY)  ## run the notebooks; renew their pages in docs/notebooks and the files that Jupyter opens
	$(BIN)/python -m experiments.docs_build.notebook_pages docs

pictures: $(READY)  ## photograph the window, at 1280 and 390 pixels, light and dark (wants chromium)
	$(BIN)/python -m tests.browser.pictures docs/pictures

# torch stands apart: its metadata on the index name gigabytes of CUDA that a machine without a GPU can do without.
TORCH := torch==2.13.0
TORCH_NEEDS := filelock fsspec jinja2 networkx sympy typing-extensions

lock: $(READY)  ## renew requirements.lock from pyproject.toml
	printf '%s\n' $(TORCH_NEEDS) | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --extra dask --extra llm --extra policy --extra triton --extra viz \
		--no-header --upgrade pyproject.toml - --output-file requirements.lock
	echo "$(TORCH)" >> requirements.lock

clean:  ## remove the environment and what runs left behind
	rm -rf $(VENV) $(OUT) .hypothesis .mypy_cache .ruff_cache .import_linter_cache *.egg-info build
