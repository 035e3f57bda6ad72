# The two commands a newcomer needs are `make demo` and `make test`; both set everything up first.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo test check unit nightly bench bench-correlation lock lock-jars clean

help:
	@echo "make setup   the environment in .venv, with Apache Kafka and a Java runtime"
	@echo "make demo    setup, then play an incident from fault to repair"
	@echo "make test    setup, then every check and every test"
	@echo "make check   setup, then ruff and mypy"
	@echo "make unit    setup, then the tests that need no broker"
	@echo "make nightly setup, then correlation against its oracles for 100,000 random steps"
	@echo "make bench   setup, then figures of this machine"
	@echo "make bench-correlation   setup, then those of correlation alone, beside Vitrage"

setup: .venv/.installed .venv/.fetched

# The environment is made anew whenever what it should hold has changed.
.venv/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no python3.11 found; say PYTHON=/path/to/it" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "make: Python 3.11 or later is needed, $(PYTHON) is older; say PYTHON=/path/to/it" >&2; exit 1; }
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Kafka's jars, each checked against its sum, and the broker's start-up archive.
.venv/.fetched: .venv/.installed infra/kafka/jars.lock
	$(BIN)/python -c 'import logging; logging.basicConfig(level="INFO", format="%(message)s"); \
		from pipeline.local import broker; broker.prepare()'
	@touch $@

demo: setup
	$(BIN)/faultline demo

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	$(BIN)/pytest

unit: setup
	$(BIN)/pytest -m "not broker" tests/unit tests/properties

nightly: setup
	FAULTLINE_CORRELATION_STEPS=100000 $(BIN)/pytest tests/properties/test_correlation.py tests/properties/test_waiting.py

bench: setup
	$(BIN)/python -m pytest -s -m "" tests/benchmarks
	$(BIN)/python tests/benchmarks/pipeline/run.py
	$(BIN)/python tests/benchmarks/workflow/run.py
	$(BIN)/python tests/benchmarks/correlation/run.py

# Correlation alone, in full, beside Vitrage, which is installed for this in .cache/vitrage.
bench-correlation: setup
	$(BIN)/python tests/benchmarks/correlation/run.py --write tests/benchmarks/correlation/FIGURES.md

# Newest versions that pyproject.toml allows, written down exactly. Read the difference before committing it.
lock:
	rm -rf .cache/lock
	"$(PYTHON)" -m venv .cache/lock
	.cache/lock/bin/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb")); \
		print(*p["project"]["dependencies"], *sum(p["project"]["optional-dependencies"].values(), []), \
		*p["build-system"]["requires"], "editables", sep="\n")' > .cache/lock/wanted
	.cache/lock/bin/python -m pip install --quiet --requirement .cache/lock/wanted
	( echo '# Every package of the environment, exactly; `make lock` writes it from pyproject.toml.'; \
		.cache/lock/bin/python -m pip freeze ) > requirements.lock
	rm -rf .cache/lock

# Newly resolves the jars and their sums.
lock-jars: setup
	$(BIN)/python -c 'from pipeline.local import java; java.write_lock("infra/kafka/jars.lock")'

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .cache build dist
