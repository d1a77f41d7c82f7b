# Every target sets up what it needs. PORT, HOST: where `make serve` listens.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000
# torch goes first and alone: a range anywhere else would bring a build with gigabytes of GPU libraries.
TORCH := torch==2.13.0
# One more than there are cores, as tests of crashes and restarts mostly wait, and not more than eight, as each loads the models.
TEST_PROCESSES ?= $(shell n=`nproc 2>/dev/null || getconf _NPROCESSORS_ONLN || echo 2`; expr $$(( n < 7 ? n : 7 )) + 1)

.PHONY: serve test lint fix schema checksums fit benchmark clean

serve: $(VENV)/.installed
	$(BIN)/grader prepare
	$(BIN)/grader serve --host $(HOST) --port $(PORT)

# Products on one core each: those of several processes would wait for each other.
test: $(VENV)/.installed-dev
	$(BIN)/grader prepare
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy grader api training benchmarks tests
	$(BIN)/lint-imports
	$(BIN)/codespell

fix: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(VENV)/.installed
	$(BIN)/grader schema > reference_answers/schema/item.schema.json

checksums: $(VENV)/.installed
	$(BIN)/grader bank checksums --bank reference_answers

# Needs GRADER_DATA_DIR: the folder with the marked sets.
fit: $(VENV)/.installed
	$(BIN)/python -m training.fit_scoring_model

benchmark: $(VENV)/.installed
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m benchmarks.latency
	$(BIN)/python -m benchmarks.throughput
	$(BIN)/python -m benchmarks.footprint
	$(BIN)/python -m benchmarks.scaling

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
