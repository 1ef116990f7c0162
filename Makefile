# Two commands do everything on a bare machine:  make demo   make test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Statements that the tests must run, in %: outside the viewer, and within it.
FLOOR := 97
GUI_FLOOR := 85

.PHONY: demo test check tree translations lock clean

demo: $(VENV)/ready
	$(BIN)/autocontour demo

test: $(VENV)/ready check
	rm -f .coverage .coverage.*
	$(BIN)/pytest -q -n 2 --dist loadscope -m "not gui" --cov --cov-report=
	xvfb-run -a -s "-screen 0 1280x1024x24" $(BIN)/pytest -q -m gui --cov --cov-append --cov-report=
	$(BIN)/coverage report --omit "gui/*" --fail-under $(FLOOR)
	$(BIN)/coverage report --include "gui/*" --fail-under $(GUI_FLOOR)

check: $(VENV)/ready tree
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd build/tree && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml -p autocontour
	cd build/tree && $(CURDIR)/$(BIN)/lint-imports --config $(CURDIR)/pyproject.toml

# One package as the wheel lays it out, by links, for the tools that want to see it whole.
tree:
	@mkdir -p build/tree/autocontour && find build/tree/autocontour -type l -delete
	@ln -s $(CURDIR)/autocontour/* $(addprefix $(CURDIR)/,gui models rtstruct qa) build/tree/autocontour/

# What the viewer says in other languages: find its words, update gui/translations, compile.
translations: $(VENV)/ready
	$(BIN)/python installer/translations.py

$(VENV)/ready: pyproject.toml requirements.lock requirements-dev.lock installer/setup.py
	$(PYTHON) installer/setup.py
	touch $@

# Pin every version with its hashes; torch is pinned in pyproject.toml, its build depends on the machine.
lock: $(VENV)/ready
	$(BIN)/python installer/lock.py

clean:
	rm -rf build dist $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
