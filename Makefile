# The whole developer life of Seawall. `make` alone lists the targets.
#
# Nothing needs to be prepared: the first target that needs Python makes .venv and fills it. Python 3.11 or
# newer is looked for on PATH (or say PYTHON=/path/to/python). A C compiler is used when there is one (CC is
# honoured) and not missed when there is none.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.seawall-dev
STAMP_BENCH := $(VENV)/.seawall-bench
STAMP_FUZZ := $(VENV)/.seawall-fuzz
PIP := $(PY) -m pip --disable-pip-version-check --no-input
CHECKED := $(wildcard hatch_build.py scripts proxy control clients/python tests benchmarks examples)
say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help setup build demo test interop check format proto bench bench-control efficacy simulate mutants fuzz flood faults soak clean distclean

help: ## this list
	@printf 'Seawall. Targets:\n\n'
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nSettings: PYTHON=python3.12  CC=clang  SEAWALL_INTERPRETED=1 (run the uncompiled source)  ARGS="-k breaker" (for test)\n'

setup: $(STAMP) ## make .venv and install everything that development needs

# The venv is filled again when pyproject.toml changes. Compiling is the next step's work (build), where it
# can be seen.
$(STAMP): pyproject.toml
	@bash scripts/make_venv.sh $(VENV)
	$(call say,installing Seawall and its development tools into $(VENV) (a minute or two on the first run))
	@SEAWALL_SKIP_NATIVE=1 $(PIP) install --progress-bar off --editable '.[dev]' 2>&1 | bash scripts/brief_pip.sh
	@touch $@

# atheris has no wheel for every platform; the targets run without it too.
$(STAMP_FUZZ): $(STAMP)
	@SEAWALL_SKIP_NATIVE=1 $(PIP) install --progress-bar off --editable '.[dev,fuzz]' 2>&1 | bash scripts/brief_pip.sh || true
	@touch $@

$(STAMP_BENCH): $(STAMP)
	$(call say,installing the benchmark's peers into $(VENV))
	@SEAWALL_SKIP_NATIVE=1 $(PIP) install --progress-bar off --editable '.[dev,bench]' 2>&1 | bash scripts/brief_pip.sh
	@touch $@

build: $(STAMP) ## compile the hot modules with mypyc, if a C compiler is there and the sources changed
	@$(PY) scripts/build_native.py

demo: build ## run three services, the proxy, the control plane and a load, break things, and watch (KEEP=1 stays up)
	$(call say,starting the shop demonstration)
	@$(PY) -m examples.shop.demo

test: build ## run every test on the compiled code, then the quick ones on the same source interpreted (ARGS=... for pytest)
	@PYTHON=$(PY) bash scripts/test.sh $(ARGS)

simulate: build ## hours of virtual time through the engine, with invariants checked at each step (SEEDS=40, SEED=7 for one)
	@SEEDS=$(or $(SEEDS),40) $(if $(SEED),SEED=$(SEED)) $(PY) -m pytest -q tests/simulation $(ARGS)

mutants: $(STAMP) ## break each mechanism on purpose and see that its tests notice (ARGS="hedge" for one list)
	@$(PY) -m tests.mutants.run $(ARGS)

interop: build ## gRPC interoperability: every client with every server, direct and through the proxy, with and without TLS
	@bash scripts/interop_peers.sh
	@$(PY) -m tests.interop.matrix $(ARGS)
	@$(PY) -m tests.interop.soak

check: $(STAMP) ## lint, format, types, layers, protos, freshness of the stubs
	@PYTHON=$(PY) bash scripts/check.sh $(CHECKED)

format: $(STAMP) ## format the tree and apply ruff's safe fixes
	@$(PY) -m ruff check --fix --quiet . || true
	@$(PY) -m ruff format .

proto: $(STAMP) ## regenerate the Python stubs and the reference pages from proto/
	@$(PY) scripts/gen_proto.py
	@$(PY) scripts/gen_policy_reference.py

bench: build $(STAMP_BENCH) ## measure the proxy beside its peers
	$(call say,measuring (peers that are not installed are skipped with a line))
	@$(PY) -m benchmarks $(ARGS)

bench-control: $(STAMP) ## measure the control plane's store beside its database alone (ARGS="--events 10000000 --upkeep"), and the push to a fleet
	$(call say,measuring the store on SQLite and PostgreSQL)
	@$(PY) -m benchmarks.control $(ARGS)
	@$(PY) -m benchmarks.control.push

efficacy: build $(STAMP_BENCH) ## break the services behind Seawall and Envoy, and see what callers notice (ARGS="--quick")
	$(call say,measuring what callers notice of failures (peers that are not installed are skipped with a line))
	@$(PY) -m benchmarks.efficacy $(ARGS)

MINUTES := 60

soak: build ## run the proxy through an hour of trouble and see whether it is where it was (MINUTES=60)
	$(call say,soaking for $(MINUTES) minutes)
	@$(PY) -m benchmarks.soak --minutes $(MINUTES) $(ARGS)

fuzz: $(STAMP_FUZZ) ## fuzz the parsers, MINUTES=5 in all (ARGS="hpack policy-yaml" for some targets)
	@SEAWALL_INTERPRETED=1 $(PY) -m tests.fuzz.run --minutes $(or $(MINUTES),5) $(ARGS)

flood: build ## attack a proxy for MINUTES=5, beside a good client, and see that nothing stays
	@$(PY) -m tests.integration.hardening.flood --minutes $(or $(MINUTES),5)

faults: build ## break processes, disks, networks, clocks and files on purpose, and judge what is left (ARGS="--quick", --write)
	@$(PY) -m tests.faults.run $(ARGS)

clean: ## remove what was built (compiled modules, caches); .venv stays
	$(call say,removing compiled modules, build output and caches)
	@if [ -x $(PY) ]; then $(PY) scripts/build_native.py --clean; fi
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

distclean: clean ## clean, and remove .venv too
	@rm -rf $(VENV)
