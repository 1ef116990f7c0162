# Two commands do everything on a bare machine:  make demo   make test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check tree translations lock clean

demo: $(VENV)/ready
	$(BIN)/autocontour demo

test: $(VENV)/ready check
	$(BIN)/pytest -q -n 2 --dist loadscope -m "not gui"
	xvfb-run -a -s "-screen 0 1280x1024x24" $(BIN)/pytest -q -m gui

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
