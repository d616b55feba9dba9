# Everything a user or developer calls. Needs Python 3.11 or newer with venv, and make; the network for pip alone.
# Another Python than the first that fits: make PYTHON=/usr/bin/python3.12 ...

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup demo run once install instance uninstall test test-faults test-kills test-protections fuzz lint test-lowest bench soak lock clean
# Another program's Python settings must not leak into the environments made here.
unexport PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
MINUTES ?= 10
BIN := .venv/bin
BUILD := hatchling editables setuptools
EDITABLE := -e '.[test,dev]'

# Where `make install` puts the service. Its Python must lie where a service may look: in no home.
PREFIX := /opt/tapewatch
SYSTEM_PYTHON ?= /usr/bin/python3
UNITS := /usr/local/lib
INSTANCES := /etc/systemd/system

# $(call environment,FOLDER): an empty environment, or the word why there can be none.
define environment
@test -n "$(PYTHON)" || { echo "tapewatch needs Python 3.11 or newer; found: $$(python3 --version 2>&1)." \
	"If there is one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tapewatch needs Python 3.11 or newer;" \
	"$(PYTHON) is $$($(PYTHON) --version 2>&1)" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks the venv module;" \
	"on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
@echo "setting up $(1) with $$($(PYTHON) --version)"
@$(PYTHON) -m venv $(1)
@echo '*' > $(1)/.gitignore
endef

# What builds is pinned as all else is, installed first and used as it is: hatchling for tapewatch, setuptools for
# what comes as a source alone (PIMS).
define install
@$(1)/bin/python -m pip install --quiet -c $(2) $(BUILD)
@$(1)/bin/python -m pip install --quiet -c $(2) --no-build-isolation $(3)
@touch $@
endef

# What pyproject.toml asks for at least, as exact versions.
LOWEST := import pathlib, tomllib; \
	project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]; \
	print(*(need.replace(">=", "==") for need in project["dependencies"]), sep="\n")

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .venv/.installed ## set up .venv (the other targets do so by themselves)
	@:

.venv/.installed: pyproject.toml constraints.txt
	$(call environment,.venv)
	$(call install,.venv,constraints.txt,$(EDITABLE))

demo: .venv/.installed ## a simulated night in demo-night/, live, in under a minute
	@sh docs/demo.sh

run: .venv/.installed ## watch and calibrate: make run PAR=/path/tape.par
	@test -n "$(PAR)" || { echo "which parameter file? make $@ PAR=/path/tape.par" >&2; exit 2; }
	@exec $(BIN)/tapewatch run --par "$(PAR)"

once: .venv/.installed ## calibrate what is there and end: make once PAR=/path/tape.par
	@test -n "$(PAR)" || { echo "which parameter file? make $@ PAR=/path/tape.par" >&2; exit 2; }
	@exec $(BIN)/tapewatch once --par "$(PAR)"

install: ## as root: the service's program, unit and user (/opt/tapewatch)
	@case "$$($(SYSTEM_PYTHON) -c 'import os, sys; print(os.path.realpath(sys.executable))')" in \
		/home/*|/root/*) echo "a service cannot use a Python in a home; make install" \
			"SYSTEM_PYTHON=/usr/bin/python3" >&2; exit 1;; esac
	@rm -f $(PREFIX)/.installed
	@$(MAKE) --no-print-directory PYTHON=$(SYSTEM_PYTHON) $(PREFIX)/.installed
	@$(PREFIX)/bin/python -m compileall -q $(PREFIX)/lib
	@install -D -m 644 -t $(UNITS)/systemd/system systemd/tapewatch@.service
	@install -D -m 644 systemd/tapewatch.sysusers $(UNITS)/sysusers.d/tapewatch.conf
	@install -D -m 644 systemd/tapewatch.tmpfiles $(UNITS)/tmpfiles.d/tapewatch.conf
	@install -D -m 644 systemd/tapewatch.logrotate /etc/logrotate.d/tapewatch
	@systemd-sysusers $(UNITS)/sysusers.d/tapewatch.conf
	@systemd-tmpfiles --create $(UNITS)/tmpfiles.d/tapewatch.conf
	@ln -sf $(PREFIX)/bin/tapewatch /usr/local/bin/tapewatch
	@! test -d /run/systemd/system || systemctl daemon-reload
	@echo "installed in $(PREFIX); next: make instance NAME=dome PAR=/path/to/tape.par"

$(PREFIX)/.installed:
	$(call environment,$(PREFIX))
	$(call install,$(PREFIX),constraints.txt,.)

instance: ## as root: a service for a camera: make instance NAME=dome PAR=/path/tape.par
	@test -n "$(NAME)" -a -n "$(PAR)" || { \
		echo "which camera, which parameters? make $@ NAME=dome PAR=/path/tape.par" >&2; exit 2; }
	@install -D -m 644 "$(PAR)" "/etc/tapewatch/$(NAME)/tape.par"
	@folders=$$($(PREFIX)/bin/tapewatch check --par "/etc/tapewatch/$(NAME)/tape.par" --unit) && \
		printf '%s\n' "$$folders" && printf '%s\n' "$$folders" | \
		install -D -m 644 /dev/stdin "$(INSTANCES)/tapewatch@$(NAME).service.d/folders.conf"
	@! test -d /run/systemd/system || systemctl daemon-reload
	@echo "next: systemctl enable --now tapewatch@$(NAME); journalctl -fu tapewatch@$(NAME)"

uninstall: ## as root: what `make install` brought; parameters, states and data stay
	@systemctl stop 'tapewatch@*' 2>/dev/null || true
	@rm -rf $(PREFIX) $(UNITS)/systemd/system/tapewatch@.service $(UNITS)/sysusers.d/tapewatch.conf \
		$(UNITS)/tmpfiles.d/tapewatch.conf /etc/logrotate.d/tapewatch /usr/local/bin/tapewatch
	@! test -d /run/systemd/system || systemctl daemon-reload
	@echo "removed; left: /etc/tapewatch, $(INSTANCES)/tapewatch@*, /var/lib/tapewatch, /var/log/tapewatch"

test: .venv/.installed ## run the tests
	@$(BIN)/python -m pytest

test-faults: .venv/.installed ## what can go wrong, with a real systemd where root can boot one
	@$(BIN)/python -m pytest tests/faults

KILLS ?= 1000
test-kills: .venv/.installed ## kill the daemon a thousand times at random moments; half an hour
	@KILLS=$(KILLS) $(BIN)/python -m pytest tests/faults/test_random_kills.py

test-protections: .venv/.installed ## take out one protection after the other: a test must fail; some minutes
	@$(BIN)/python -m pytest tests/protections

fuzz: .venv/.installed ## a fuzzer's bytes through all that reads headers: make fuzz MINUTES=10
	@$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[fuzz]'
	@PYTHONPATH=tests $(BIN)/python tests/fuzz/fuzz_headers.py -max_total_time=$$(($(MINUTES) * 60))

lint: .venv/.installed ## ruff (rules and format) and mypy
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy

test-lowest: .venv-lowest/.installed ## run all tests with the oldest dependencies allowed (Python 3.11 or 3.12)
	@.venv-lowest/bin/python -m pytest

.venv-lowest/.installed: pyproject.toml constraints.txt
	$(call environment,.venv-lowest)
	@.venv-lowest/bin/python -c '$(LOWEST)' > .venv-lowest/lowest.txt
	@{ cat .venv-lowest/lowest.txt; sed 's/==.*/==/' .venv-lowest/lowest.txt | \
		grep -v -i -f - constraints.txt; } > .venv-lowest/constraints.txt
	$(call install,.venv-lowest,.venv-lowest/constraints.txt,-e '.[test]')

bench: .venv/.installed ## measure speed, latency and memory (docs/performance.md); some minutes, on a quiet machine
	@for script in master_bias latency backlog planning; do $(BIN)/python bench/$$script.py || exit 1; done

soak: .venv/.installed ## 5,000 frames through one daemon: does anything grow, is anything lost? some minutes
	@PYTHONPATH=tests $(BIN)/python bench/soak.py

lock: ## write constraints.txt anew, with the newest releases
	@rm -rf .venv-lock
	$(call environment,.venv-lock)
	@.venv-lock/bin/python -m pip install --quiet $(BUILD)
	@.venv-lock/bin/python -m pip install --quiet --no-build-isolation -e '.[test,dev,fuzz]'
	@{ echo '# Exact versions that make installs; written by `make lock` (pip freeze of a fresh environment).'; \
		.venv-lock/bin/python -m pip freeze --all --exclude pip --exclude-editable | LC_ALL=C sort -f; } > constraints.txt
	@rm -rf .venv-lock

clean: ## remove environments, caches and the demo's night
	@rm -rf .venv .venv-lowest .venv-lock .fuzz demo-night dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find daemon tests bench -name __pycache__ -type d -exec rm -rf {} +
