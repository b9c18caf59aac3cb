# tiller: `make demo` shows the whole journey, `make test` checks everything.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
DEMONSTRATIONS ?= ../shared/data/pusht_human.zarr.zip

# Small networks and physics run on one thread a process; processes use the cores.
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Plugins of other packages in a shared (ROS) environment must not join in: ours are named.
export PYTEST_DISABLE_PLUGIN_AUTOLOAD = 1
PYTEST = $(BIN)/python -m pytest -p timeout -p xdist -p hypothesispytest
# Graphs of processes keep real time: their tests run one after the other, when nothing else does.
TOGETHER = $(PYTEST) -n $(JOBS) --dist worksteal -m "not alone $(WHICH)"
ALONE = $(PYTEST) tests/real -m "alone $(WHICH)"
# A host that takes a quarter of the processor's time, in pauses of 0.1 s (measured), makes a graph late that is not: what
# fails is run once more and must pass then. A fault fails twice; test-slow gives no second try.
AGAIN = { [ $$? -eq 1 ] && echo "Once more, what failed:" && $(ALONE) --last-failed --last-failed-no-failures none; }

comma := ,
# Beside a sourced ROS 2 the environment sees ROS's own packages and takes none of its wheels.
ROS_SOURCED := $(if $(and $(ROS_DISTRO),$(AMENT_PREFIX_PATH)),yes,)
EXTRAS := dev,formats,language,metaworld,pusht$(if $(ROS_SOURCED),,$(comma)ros$(comma)ros-dev)
VENV_OPTIONS := $(if $(ROS_SOURCED),--system-site-packages,)
PYTHON ?=
CANDIDATES := $(if $(PYTHON),$(PYTHON),$(if $(ROS_SOURCED),/usr/bin/python3) python3.11 python3.12 python3 python)

# The environment is made again when what it is made from has changed.
KEY := $(shell cat pyproject.toml setup.py constraints.txt 2>/dev/null | cksum | cut -d' ' -f1)$(ROS_SOURCED)
MADE := $(VENV)/.made-$(KEY)

.PHONY: help demo test test-slow bench lint format types docs artifacts clean environment

help: ## list the targets
	@echo "tiller: the targets of make"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

environment: $(MADE) ## make .venv (every other target does this by itself)

$(MADE): | pyproject.toml setup.py constraints.txt
	@for candidate in $(CANDIDATES); do \
	  if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
	      >/dev/null 2>&1; then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$${python:-}" ]; then \
	  echo "tiller needs Python 3.11 or 3.12 with venv, and none of these is one: $(CANDIDATES)"; \
	  echo "Get one with 'apt install python3.12 python3.12-venv', 'pyenv install 3.11' or 'uv python install 3.11',"; \
	  echo "then run: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; \
	fi; \
	started=$$(date +%s); \
	[ -x $(BIN)/python ] || { echo "Making $(VENV) with $$($$python --version)"; "$$python" -m venv $(VENV_OPTIONS) $(VENV); }; \
	echo "Installing torch"; \
	$(BIN)/python -m pip install -qq -c constraints.txt torch; \
	echo "Installing tiller and what it needs (some minutes the first time)"; \
	$(BIN)/python -m pip install -qq -c constraints.txt -e '.[$(EXTRAS)]'; \
	rm -f $(VENV)/.made-*; touch $@; \
	echo "$(VENV) is ready after $$(( $$(date +%s) - started )) s:" \
	  "$$($(BIN)/python --version), torch $$($(BIN)/python -c 'from importlib.metadata import version as v; print(v("torch"))')"

demo: $(MADE) ## twin/lift from demonstrations to a measured success rate, in minutes
	@$(BIN)/tiller demo

test: WHICH = and not slow
test: lint ## lint, types, import contracts and every test but the slow ones
	$(TOGETHER)
	$(ALONE) || $(AGAIN)

test-slow: lint ## every test
	$(TOGETHER)
	$(ALONE)

lint: $(MADE) types ## ruff, mypy and the table of rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "Not formatted: $$($(BIN)/ruff format --check . | head -n 5)"; \
	  echo "Way out: make format"; exit 1; }
	@found="$$($(BIN)/lint-imports)" || { echo "$$found"; exit 1; }; echo "$$found" | tail -n 1

types: $(MADE) ## mypy
	@$(BIN)/mypy

format: $(MADE) ## format, sort imports and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(MADE) ## measure speed side by side with peers
	@for name in inference networks training rollout kill_append edit 'kill_edit --folder outputs/kill_edit' 'twin --hand --cameras' realtime energy_filter maze_speed twin_energy page writer device_latency first_motion handover recorder recorder_requests kill_recorder recorded_expert foreign_formats view; do echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done
	@echo "== windows"; if [ -e "$(DEMONSTRATIONS)" ]; then $(BIN)/python -m benchmarks.windows $(DEMONSTRATIONS); \
	  else echo "skipped: no demonstrations at $(DEMONSTRATIONS); give others with DEMONSTRATIONS="; fi

docs: $(MADE) ## remake the pages that are generated from the code
	@$(BIN)/python -m sim.pages tasks > docs/tasks.md
	@$(BIN)/python -m sim.pages perturbations > docs/perturbations.md
	@echo "docs/tasks.md docs/perturbations.md"

artifacts: $(MADE) ## train the bases and remake the results in artifacts/ (hours)
	@$(BIN)/python benchmarks/artifacts.py

clean: ## remove the environment, caches and builds; outputs and artifacts stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
