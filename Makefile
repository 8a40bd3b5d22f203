# fstc: one command per intention. `make` lists them.
# Paths are relative throughout, so that a checkout may lie in a folder whose path has spaces.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
FSTC   := $(PY) -m fstc
EXTRAS ?=
READY  := $(VENV)/.installed$(EXTRAS:%=-%)
TESTS  := $(PY) -m pytest -n 2
OUT    := out
ARGS   ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-full check fuzz golden bench accuracy gpu bench-gpu kernels-diff wheel clean

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done

# EXTRAS=frontends also installs the frameworks that the importers' tests compare with; those tests are skipped without.
$(READY): pyproject.toml .ci/venv.py .ci/constraints.txt
	@echo "environment: $(VENV)"
	@$(PYTHON) .ci/venv.py $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -c .ci/constraints.txt \
	  --editable ".[dev$(EXTRAS:%=,%)]"
	@touch $(READY)

demo: $(READY) ## build bert_layer for an H200 and for the host, show the plan, check every tensor
	@$(PY) bench/demo.py $(ARGS)

test: $(READY) ## the tests, sampled where there are many (two processes, no GPU)
	@$(TESTS) -m "not slow" $(ARGS)

test-full: $(READY) ## everything that `test` samples
	@HYPOTHESIS_PROFILE=full $(TESTS) $(ARGS)

check: $(READY) ## ruff, mypy strict, house rules
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m mypy bench .ci
	@$(PY) -m pytest -q tests/test_house.py

fuzz: $(READY) ## random graphs until interrupted; MINUTES=5 for a limit
	@$(PY) bench/fuzz.py $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

golden: $(READY) ## rewrite the goldens and what documents show, then list what changed
	@$(TESTS) -q --update $(ARGS) || true
	@git --no-pager diff --stat -- tests README.md docs

bench: $(READY) ## the compiler's own speed; ARGS=--scale for how it grows with the graph
	@$(PY) bench/speed.py $(ARGS)

accuracy: $(READY) ## the cost model against the compiler, over samples and random patterns
	@$(PY) bench/accuracy.py $(ARGS)

gpu: $(READY) ## the tests that need a GPU
	@$(PY) -m pytest -m gpu $(ARGS)

bench-gpu: $(READY) ## kernels against torch and JAX, on a machine with a GPU
	@$(PY) bench/peers.py $(ARGS)

kernels-diff: $(READY) ## generated CUDA of every sample here against BASE (default main)
	@$(PY) bench/kernels_diff.py $(if $(BASE),--base $(BASE)) $(ARGS)

wheel: $(READY) ## dist/fstc-VERSION-py3-none-any.whl
	@$(PY) -m build --wheel --no-isolation --outdir dist .

clean: ## remove what the targets made, the environment too
	@rm -rf $(VENV) $(OUT) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
