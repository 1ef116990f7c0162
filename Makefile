# Two commands do everything on a bare machine:  make demo   make test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check tree clean

demo: $(VENV)/ready
	$(BIN)/autocontour demo --open

test: $(VENV)/ready check
	$(BIN)/python installer/run_tests.py

check: $(VENV)/ready tree
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd build/tree && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml -p autocontour
	cd build/tree && $(CURDIR)/$(BIN)/lint-imports --config $(CURDIR)/pyproject.toml

# One package as the wheel lays it out, by links, for the tools that want to see it whole.
tree:
	@mkdir -p build/tree/autocontour && find build/tree/autocontour -type l -delete
	@ln -s $(CURDIR)/autocontour/* $(addprefix $(CURDIR)/,gui models rtstruct qa) build/tree/autocontour/

$(VENV)/ready: pyproject.toml requirements.lock installer/setup.py
	$(PYTHON) installer/setup.py
	touch $@

clean:
	rm -rf build dist $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
