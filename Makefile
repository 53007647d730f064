# tinytrain: everything a developer or a first-time user types.
#
#   make demo                              # the whole way on the watch data, into demo/
#   make demo-keywords                     # spoken words on an emulated board, into demo-keywords/
#   make test                              # all tests, fifteen minutes; the first fills VENV, too
#   make quick                             # two: no training, the host and one Cortex-M
#   make firmware TARGET=cortex-m4 MODEL=demo/project
#   make qemu     TARGET=cortex-m4 MODEL=demo/project
#   make size     TARGET=cortex-m4 MODEL=demo/project
#   make bench                             # MLPerf Tiny's networks beside TFLite Micro's
#   make bench-watch                       # the figures of the watch task
#   make lint setup clean
#   make fuzz SECONDS=600                  # the link's parser under libFuzzer
#
# PYTHON  the Python to make the virtual environment with, python3 (3.10 or later)
# VENV    where it goes, .venv
# TARGET  host, cortex-m0, cortex-m4 (default), cortex-m33 or cortex-m55
# MODEL   a converted project, demo/project
# DRAWS   random models that each kernel is tested with, 100
# SECONDS how long to fuzz, 600
# MODELS  of bench: a folder with MLPerf Tiny's kws_ref_model.tflite and ad01_int8.tflite
# SOUNDS  of demo-keywords: a folder of WAV files, WORD/PERSON/*.wav, in place of the data set

PYTHON ?= python3
VENV   ?= .venv
TARGET ?= cortex-m4
MODEL  ?= demo/project
DEMO   ?= demo
DRAWS  ?= 100
SECONDS ?= 600
MODELS ?=
SOUNDS ?=

BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Debian's and Ubuntu's packages: program that shows they are there, then names.
TOOLCHAIN := gcc:gcc make:make arm-none-eabi-gcc:gcc-arm-none-eabi,libnewlib-arm-none-eabi \
             qemu-system-arm:qemu-system-arm cppcheck:cppcheck ccache:ccache

.DEFAULT_GOAL := help
.PHONY: help setup toolchain demo demo-keywords test quick lint project firmware qemu size bench \
        bench-watch fuzz clean

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

setup: toolchain $(READY)

# Installs missing programs where apt-get is at hand and we may use it; else says what is missing.
toolchain:
	@missing=''; \
	for pair in $(TOOLCHAIN); do \
	    command -v "$${pair%%:*}" >/dev/null || missing="$$missing $$(echo "$${pair#*:}" | tr , ' ')"; \
	done; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	root=''; if [ "$$(id -u)" != 0 ]; then root='sudo -n'; fi; \
	if command -v apt-get >/dev/null && $$root true 2>/dev/null; then \
	    echo "installing$$missing"; \
	    $$root apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive $$root apt-get install -y -qq --no-install-recommends $$missing \
	        >/dev/null && exit 0; \
	fi; \
	echo "missing:$$missing" >&2; \
	echo "install them (on Debian or Ubuntu: sudo apt-get install$$missing);" \
	     "without them only the host target works" >&2

$(READY): pyproject.toml | toolchain
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[train,serial,bench,dev]'
	@touch $@

demo: setup
	$(BIN)/tinytrain run watch --out $(DEMO)

demo-keywords: setup
	$(BIN)/python benchmarks/demo_keywords.py --out demo-keywords $(if $(SOUNDS),--sounds '$(SOUNDS)')

test: setup
	DRAWS=$(DRAWS) $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

quick: setup
	$(BIN)/pytest --numprocesses 2 -m 'not slow'

lint: setup
	$(BIN)/ruff format --check tinytrain converters tests benchmarks
	$(BIN)/ruff check tinytrain converters tests benchmarks
	$(BIN)/mypy
	$(BIN)/python -m tinytrain.generate --check
	$(BIN)/clang-format --dry-run -Werror $$(git ls-files 'firmware/*.c' 'firmware/*.h')
	cppcheck --quiet --std=c99 --enable=warning,performance,portability --inline-suppr \
	    --error-exitcode=1 --suppress=missingIncludeSystem -Ifirmware/include -Ifirmware/src/learn \
	    firmware/src

# MODEL means another thing inside a project, so it is not handed down.
firmware: project
	$(MAKE) -C '$(MODEL)' TARGET=$(TARGET) MODEL=model

qemu: project
	$(MAKE) -C '$(MODEL)' TARGET=$(TARGET) MODEL=model selftest

size: project
	$(MAKE) -C '$(MODEL)' TARGET=$(TARGET) MODEL=model size

project:
	@test -f '$(MODEL)/manifest.json' || { echo 'no project at $(MODEL): run `make demo`, or' \
	    '`tinytrain convert MODEL.tflite --out DIR` and give MODEL=DIR' >&2; exit 2; }

bench: setup
	$(BIN)/python benchmarks/mlperf_tiny.py $(if $(MODELS),--models-folder '$(MODELS)')

bench-watch: setup
	$(BIN)/python benchmarks/watch.py

# The device application under libFuzzer and sanitizers, on a model that fits small inputs; what it
# finds interesting stays in tests/firmware/corpus. Needs clang (Debian: clang libclang-rt-14-dev).
fuzz:
	@mkdir -p build/fuzz tests/firmware/corpus
	clang -std=c99 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	    -Itests/firmware/tiny -Ifirmware/include -Ifirmware/app -Ifirmware/port \
	    -o build/fuzz/serve tests/firmware/fuzz_serve.c firmware/app/serve.c \
	    firmware/app/answer_*.c tests/firmware/tiny/tiny.c firmware/src/*.c firmware/src/*/*.c
	build/fuzz/serve -max_total_time=$(SECONDS) -max_len=1024 -print_final_stats=1 \
	    tests/firmware/corpus

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
