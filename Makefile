# Set-up on a new machine:  make demo   make test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Required statement coverage in %: outside the viewer, and of the viewer.
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

# The package with the layout of the wheel, as links, for tools that need it.
tree:
	@mkdir -p build/tree/autocontour && find build/tree/autocontour -type l -delete
	@ln -s $(CURDIR)/autocontour/* $(addprefix $(CURDIR)/,gui models rtstruct qa) build/tree/autocontour/

# Translations of the viewer: collect its texts, update gui/translations, compile.
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
