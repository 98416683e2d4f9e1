# Two commands on a fresh machine with Python 3.11, git and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
WORKERS ?= 2
VERSION ?=

# uv does not read pip's setting: pass on where this machine keeps wheels of its own.
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif
export UV_LINK_MODE ?= hardlink

.PHONY: demo test test-unit test-rest test-gpu lint bench soak fuzz examples questions release clean

$(VENV)/ready: pyproject.toml runtime_lib/pyproject.toml
	@echo "== making the environment in $(VENV)"
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check 'uv>=0.7'
	$(BIN)/uv pip install --python $(RUN) --editable '.[dev]' --editable runtime_lib
	@touch $@

demo: $(VENV)/ready ## Make a service, start it, ask it, drain it
	$(RUN) examples/demo.py

test: lint test-unit test-rest ## Everything

test-unit: $(VENV)/ready ## Pure logic, no processes: under a minute
	@echo "== unit tests"
	$(RUN) -m pytest tests/unit -n $(WORKERS) -q

test-rest: $(VENV)/ready ## Real processes, real renders, real faults
	@echo "== integration, fault, template and end-to-end tests"
	$(RUN) -m pytest tests/integration tests/faults tests/template tests/e2e tests/gpu tests/laws tests/fuzz \
		-m "not long" -n $(WORKERS) --dist loadgroup -q --durations 10

test-gpu: $(VENV)/ready ## On a machine with an NVIDIA GPU, and a torch with CUDA installed into the environment
	@echo "== tests of a real GPU"
	$(RUN) -m pytest tests/gpu -q

lint: $(VENV)/ready ## Format, lint, types
	@echo "== lint"
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/ready ## Side by side with peers; writes docs/benchmarks.md
	$(RUN) -m tests.benchmarks

soak: $(VENV)/ready ## 10,000 random faults, and 32 kills and restarts over 10,000 jobs; writes docs/soak.md (SEED=…: the same ones again)
	$(RUN) -m tests.soak --write docs/soak.md $(if $(SEED),--seed $(SEED))
	$(RUN) -m pytest tests/faults -m long -q

fuzz: $(VENV)/ready ## 1,000 random edit sets, a random command on each, and every law (SEED=…: the same ones again)
	$(RUN) -m tests.fuzz --jobs $(WORKERS) $(if $(SEED),--seed $(SEED))
	$(RUN) -m pytest tests/laws -n $(WORKERS) -q

examples: $(VENV)/ready ## Render the examples again
	$(RUN) -m tests.template.golden --write

questions: $(VENV)/ready ## Write template/questions.yml from the answers' model
	$(RUN) -m litgen_generator.answers.questions

release: $(VENV)/ready ## make release VERSION=0.1.0, or the next development version: VERSION=0.2.0.dev0
	$(RUN) -m litgen_generator.release $(VERSION)

clean: ## Remove what these commands made
	rm -rf $(VENV) .litgen-cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
