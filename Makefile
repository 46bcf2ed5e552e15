# Every target makes and reuses .venv and, where it needs one, a Pulumi CLI (see tools/engine/install).
PYTHON ?= python3
VENV := .venv
JOBS ?= 3
BIN := $(VENV)/bin
WITH_ENGINE := engine="$$(tools/engine/install | tail -n 1)" && test -n "$$engine" && PATH="$$engine:$$PATH"
WITH_SDKS := sdks="$$($(BIN)/python tools/sinks/install sdks | tail -n 1)" && test -n "$$sdks"

.DEFAULT_GOAL := help
.PHONY: help demo test check unit canaries protocol crash faults bench sinks engine clean

help:
	@echo 'make demo   see a real "pulumi up" create an OpenFunnel user, against a local simulator'
	@echo 'make test   everything that CI runs: the checks, and the unit, wire and end-to-end tests'
	@echo 'make check  lint, format, types, layers'
	@echo 'make unit   the tests that need no engine'
	@echo 'make canaries  what leans on internals of Pulumi SDK, with the newest one (or SDK=3.231.0)'
	@echo 'make protocol  every order of what two processes do with a ledger, with more going wrong; minutes'
	@echo 'make crash  the core killed at every system call, all of them; minutes'
	@echo 'make faults a campaign of kills and faults through the real CLI; minutes (ARGS="--seed 7 --runs 40 --ledger s3")'
	@echo 'make bench  the benchmarks; twenty minutes (ARGS=--quick, ARGS=--ledgers)'
	@echo 'make sinks  examples/kubernetes with the real provider; a quarter of an hour the first time'
	@echo 'make clean  remove .venv and what the tools left here'

demo: $(VENV)/installed
	@$(WITH_ENGINE) $(BIN)/python -m tools.demo

test: check
	@tools/strace/install
	@tools/servers/install >/dev/null
	$(WITH_ENGINE) $(BIN)/python -m pytest -n $(JOBS) --dist worksteal
	$(WITH_ENGINE) $(BIN)/python -m tools.faults --short --runs 2

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --scripts-are-modules tools/engine/install
	$(BIN)/mypy __main__.py
	$(BIN)/mypy --no-namespace-packages benchmarks/programs/*.py
	$(BIN)/mypy --scripts-are-modules tools/servers/install
	$(BIN)/mypy --scripts-are-modules tools/sinks/install
	$(WITH_SDKS) && for program in examples/*/__main__.py examples/*/*/__main__.py; do \
	    MYPYPATH="$$sdks" $(BIN)/mypy "$$(dirname "$$program")" || exit 1; done
	$(BIN)/lint-imports

unit: $(VENV)/installed
	$(BIN)/python -m pytest tests/unit tests/wire tests/canary

canaries:
	python="$$($(PYTHON) tools/sdk.py $(SDK) | tail -n 1)" && "$$python" -m pytest tests/canary tests/wire

protocol: $(VENV)/installed
	PROTOCOL=deep $(BIN)/python -m pytest tests/protocol

crash: $(VENV)/installed
	@tools/strace/install
	CRASH_POINTS=all CRASH_EXAMPLES=150 $(BIN)/python -m pytest tests/crash

faults: $(VENV)/installed
	$(WITH_ENGINE) $(BIN)/python -m tools.faults $(ARGS)

bench: $(VENV)/installed
	$(WITH_ENGINE) $(BIN)/python -m benchmarks $(ARGS)

sinks: $(VENV)/installed
	@$(BIN)/python tools/sinks/install sdks kubernetes >/dev/null
	$(WITH_ENGINE) $(BIN)/python -m pytest tests/sinks/real_kubernetes.py

engine:
	@tools/engine/install

clean:
	rm -rf $(VENV) venv examples/*/venv examples/*/*/venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed. Run: make PYTHON=python3.x $(MAKECMDGOALS)")'
	@echo 'Installing into $(VENV) ...' >&2
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m compileall -q pulumi_openfunnel
	@touch $@
