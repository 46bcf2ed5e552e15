# Every target makes and reuses .venv and, where it needs one, a Pulumi CLI (see tools/engine/install).
PYTHON ?= python3
VENV := .venv
JOBS ?= 3
BIN := $(VENV)/bin
WITH_ENGINE := engine="$$(tools/engine/install | tail -n 1)" && test -n "$$engine" && PATH="$$engine:$$PATH"
WITH_SDKS := sdks="$$($(BIN)/python tools/sinks/install sdks | tail -n 1)" && test -n "$$sdks"

FIRST_PATH := tests/unit/test_client.py tests/unit/test_transport.py tests/unit/test_sealing.py tests/unit/test_emails.py \
    tests/stores/test_contracts.py tests/e2e/test_examples.py::test_quickstart tests/e2e/test_examples.py::test_roster

# Coverage itself loads more.
LOADS_LITTLE := tests/unit/test_public.py::test_a_program_loads_nothing_that_only_the_provider_needs

.DEFAULT_GOAL := help
.PHONY: help demo docs test long check unit canaries newest links coverage dist picture pythons protocol crash faults bench sinks engine clean

help:
	@echo 'make demo   see a real "pulumi up" create an OpenFunnel user, against a local simulator'
	@echo 'make test   the checks, and the unit, wire and end-to-end tests; less than ten minutes on two cores'
	@echo 'make long   the longer tests: a year of a roster, pages followed word by word, CI jobs that are cancelled'
	@echo 'make check  lint, format, types, layers'
	@echo 'make docs   the documentation, into docs/_build/html'
	@echo 'make picture  the picture in the README, from a real pulumi up'
	@echo 'make unit   the tests that need no engine'
	@echo 'make canaries  what leans on internals of Pulumi SDK, with the newest one (or SDK=3.231.0)'
	@echo 'make newest  the canaries and the first path, with the newest of everything that the package stands on'
	@echo 'make links  every link to another site; needs the internet'
	@echo 'make coverage  which branches the unit, wire, store and end-to-end tests run; fails below 95 %'
	@echo 'make dist   the sdist and the wheel, built twice and compared, into dist'
	@echo 'make pythons  the wheel and the sdist with each Python of this machine, and a real "pulumi up"'
	@echo 'make protocol  every order of what two processes do with a ledger, with more going wrong; minutes'
	@echo 'make crash  the core killed at every system call, all of them; minutes'
	@echo 'make faults a campaign of kills and faults through the real CLI; minutes (ARGS="--seed 7 --runs 40 --ledger s3")'
	@echo 'make bench  the benchmarks; twenty minutes (ARGS=--quick, ARGS=--pairs, ARGS=--ledgers)'
	@echo 'make sinks  examples/kubernetes with the real provider; a quarter of an hour the first time'
	@echo 'make clean  remove .venv and what the tools left here'

demo: $(VENV)/installed
	@$(WITH_ENGINE) $(BIN)/python -m tools.demo

test: check docs
	@tools/strace/install
	@tools/servers/install >/dev/null
	$(WITH_ENGINE) $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not long"
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

long: $(VENV)/installed
	@tools/servers/install >/dev/null
	$(WITH_ENGINE) $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m long

docs: $(VENV)/installed
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d docs/_build/doctrees docs docs/_build/html
	@echo 'Open docs/_build/html/index.html'

unit: $(VENV)/installed
	$(BIN)/python -m pytest tests/unit tests/wire tests/canary

canaries:
	python="$$($(PYTHON) tools/sdk.py $(SDK) | tail -n 1)" && "$$python" -m pytest tests/canary tests/wire

newest: $(VENV)/installed
	@tools/servers/install >/dev/null
	$(WITH_ENGINE) && python="$$($(PYTHON) tools/sdk.py all | tail -n 1)" && \
	    "$$python" -m pytest tests/canary tests/wire $(FIRST_PATH)

links: $(VENV)/installed
	$(BIN)/python -m tools.links

coverage: $(VENV)/installed
	@tools/servers/install >/dev/null
	$(BIN)/python -m coverage erase
	$(WITH_ENGINE) $(BIN)/python -m coverage run -m pytest -q -n $(JOBS) -m "not long" --deselect $(LOADS_LITTLE) \
	    tests/unit tests/wire tests/stores tests/e2e
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report --fail-under=95

pythons: $(VENV)/installed
	@$(WITH_ENGINE) $(BIN)/python -m tools.pythons

picture: $(VENV)/installed
	@$(WITH_ENGINE) $(BIN)/python -m tools.picture

dist: $(VENV)/installed
	$(BIN)/python -m tools.release

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
	rm -rf $(VENV) venv dist docs/_build .coverage* examples/*/venv examples/*/*/venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed. Run: make PYTHON=python3.x $(MAKECMDGOALS)")'
	@echo 'Installing into $(VENV) ...' >&2
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m compileall -q pulumi_openfunnel
	@touch $@
