# Every target makes its own environment when there is none; nothing has to be installed by hand but Python 3.11+ and make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Three test processes on two cores: while one waits for a service that it started, the others work. Files are handed out in
# the order of tests/conftest.py, the longest first, and compiled Python is kept, which saves several seconds of every run where
# the environment forbids it.
TEST_JOBS ?= 3
PYTEST    := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q
# Where there is room in memory, the tests' files lie there: they make some 25,000, and removing those of earlier runs from a
# disk takes several seconds.
MEMORY    := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 {print "TMPDIR=/dev/shm"}')
SPREAD    := -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint types cluster floors wheel bench gpu notebooks page pictures docs site lowest newest light migration soak postgres clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

$(READY): pyproject.toml constraints.txt
	@echo "Making the environment in $(VENV) (once; a minute or two) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip 2>/dev/null || true
	@sh tools/install_torch.sh $(BIN)/python
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

demo: $(READY)  ## the whole tour: data, models side by side, recommendations, similar items, a saved model
	@$(BIN)/cofactor demo

test: $(READY)  ## the test suite (three to four minutes on two cores)
	$(MEMORY) $(PYTEST) $(SPREAD) -m "not slow and not cluster and not notebooks and not checkers and not browser"

test-all: $(READY)  ## the test suite with the slow tests (accuracy on real data)
	$(PYTEST) $(SPREAD)

lint: $(READY)  ## ruff: rules and format
	$(BIN)/ruff check src tests benchmarks tools
	$(BIN)/ruff format --check --quiet src tests benchmarks tools

types: $(READY)  ## mypy, strict; then mypy, pyright and ruff over examples of use and of extension
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -m checkers tests/test_public_types.py tests/test_add_a_model.py tests/test_add_a_loss.py tests/test_docs_howto.py

cluster: $(READY)  ## the tests on a Ray cluster of this machine (two minutes)
	$(BIN)/python -m pytest -q -m cluster tests/engine

floors: $(READY)  ## the floors test alone: who may import whom, and what importing costs
	$(BIN)/python -m pytest -q tests/test_floors.py

wheel: $(READY)  ## build the wheel, install it in a clean environment, and try it
	@sh tests/smoke_wheel.sh $(PYTHON) $(BIN)/python

bench: $(READY)  ## the benchmarks against peers (makes their environments on demand); BENCH="ials bpr --rounds 3" for some
	@$(BIN)/python -m benchmarks $(BENCH)

page: $(READY)  ## the tests of the page in a real browser, Chromium (asks for root to install it where it is missing)
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || test -n "$$CHROMIUM" || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || echo "no Chromium: the tests are skipped"
	$(PYTEST) -m browser tests/service/http

pictures: $(READY)  ## the docs' pictures of the page, taken anew in Chromium
	taken=$$(mktemp -d) && COFACTOR_SCREENSHOTS=$$taken $(PYTEST) -m browser tests/service/http/test_http_page.py tests/service/http/test_http_page_views.py && \
	  for picture in docs/images/*.png; do cp "$$taken/$${picture##*/}" "$$picture" || exit; done; rm -rf "$$taken"

notebooks: $(READY)  ## run the tutorial notebooks (python -m tools.notebooks writes their outputs again)
	$(BIN)/python -m pytest -q -m notebooks tests/test_notebooks.py

gpu: $(READY)  ## check and measure implicit ALS on a GPU (without one, the check alone)
	@PYTHONPATH=src $(BIN)/python benchmarks/gpu.py

docs: $(READY)  ## run every example of the docs
	$(BIN)/python -m pytest -q tests/test_docs.py

site: $(READY)  ## the documentation as a site, in site/; works offline
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt ".[docs]" 2>/dev/null || $(BIN)/python -m pip install --quiet "mkdocs-material>=9.5" "mkdocstrings[python]>=0.26"
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "site/index.html"

# What runs on the lowest versions; `.ci/run` takes a part of it.
LOWEST_TESTS ?= tests/cli tests/field tests/test_packaging.py tests/data/test_readers.py tests/data/test_ids.py tests/artifact/test_artifact.py tests/properties tests/parity

lowest: $(READY)  ## the tests without PyTorch, on the lowest versions that pyproject.toml allows
	@$(PYTHON) -m venv $(VENV)-lowest
	$(BIN)/python tools/lowest_versions.py serve big tune excel dev:pandas dev:polars > $(VENV)-lowest/wanted.txt
	cmp -s $(VENV)-lowest/wanted.txt $(VENV)-lowest/versions.txt || { $(VENV)-lowest/bin/python -m pip install --quiet -r $(VENV)-lowest/wanted.txt pytest pytest-timeout hypothesis httpx && cp $(VENV)-lowest/wanted.txt $(VENV)-lowest/versions.txt; }
	PYTHONPATH=src $(VENV)-lowest/bin/python -m pytest -q -o filterwarnings=default $(LOWEST_TESTS)

# Spotlight isn't on the package index: its block runs where PEERS has a peers-spotlight that was made by hand from its source.
PEERS ?= .venv-peers

migration: $(READY)  ## run the other libraries' code of docs/migrate against the libraries (makes their environments)
	@for peer in "implicit implicit" "lightfm rectools-lightfm" "surprise scikit-surprise pandas" "rectools rectools" "recbole recbole setuptools<80 numpy<2 scipy<1.13 pandas<3"; do \
	  set -- $$peer; name=$$1; shift; test -x $(PEERS)/peers-$$name/bin/python && continue; \
	  $(PYTHON) -m venv $(PEERS)/peers-$$name && $(PEERS)/peers-$$name/bin/python -m pip install --quiet "$$@" || rm -rf $(PEERS)/peers-$$name; done
	COFACTOR_PEERS=$(abspath $(PEERS)) $(BIN)/python -m pytest -q -rs tests/test_migration.py

# What runs on the newest versions; `.ci/run` takes a part of it. PRE=--pre takes pre-releases too.
NEWEST_TESTS ?= tests

newest: $(READY)  ## the tests on the newest versions that can be had (PRE=--pre: pre-releases too)
	@$(PYTHON) -m venv $(VENV)-newest
	@sh tools/install_torch.sh $(VENV)-newest/bin/python
	$(VENV)-newest/bin/python -m pip install --quiet --upgrade $(PRE) --editable ".[dev]"
	$(VENV)-newest/bin/python -m pytest -q $(SPREAD) -m "not slow and not cluster and not notebooks and not checkers and not browser" -W default $(NEWEST_TESTS)

light: ## install without extras, compiler and caches, and measure it: seconds, megabytes, a cold demo
	@$(PYTHON) tools/light_install.py

# Mutated files that `make soak` reads.
FUZZ ?= 100000

soak: $(READY)  ## the long form of the service's tests: 1,000 kills, 20,000 power cuts, 1,000,000 mutated models, 100 promotions under load, an hour of HTTP, fuzzing, 120 kills of shard and recommend, other draws of every property (hours)
	PYTHONPATH=src:tests $(BIN)/python -W ignore tests/soak/mutate_models.py --count 1000000
	COFACTOR_EXPLORE=1 $(BIN)/python -m pytest -q --timeout 14400 tests/properties tests/parity tests/data/test_readers_large.py tests/data/test_data_filter.py
	COFACTOR_SOAK=1 $(BIN)/python -m pytest -q --timeout 14400 tests/store/test_store_kill.py tests/store/test_store_power.py tests/store/test_store_faults.py -s
	COFACTOR_EXPLORE=1 COFACTOR_SOAK=1 $(BIN)/python -m pytest -q --timeout 3600 tests/service/http/test_http_rules.py tests/service/http/test_http_fuzz.py tests/service/http/test_http_reload.py
	COFACTOR_SOAK=1 $(BIN)/python -m pytest -q --timeout 3600 -s tests/service/http/test_http_soak.py
	PYTHONPATH=src:tests $(BIN)/python -W ignore tests/soak/fuzz_http.py --seconds 3600
	PYTHONPATH=src:tests $(BIN)/python -W ignore tests/soak/fuzz_readers.py --count $(FUZZ)
	PYTHONPATH=src:. $(BIN)/python -W ignore tests/soak/kill_folders.py

postgres:  ## install PostgreSQL's server from the system's packages, so that the store's tests run on it too (asks for root)
	@command -v apt-get >/dev/null || { echo "no apt-get here; install PostgreSQL's server as your system does"; exit 1; }
	@if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y postgresql; else sudo apt-get update -qq && sudo apt-get install -y postgresql; fi

clean:  ## remove what was built (not the environment)
	rm -rf dist build .pytest_cache .mypy_cache .ruff_cache
