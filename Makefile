# The project's commands. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
DEMO_OUT ?= demo-out

.PHONY: help packages runtime-packages build runtime demo test test-peers lint install clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

packages:  ## install Debian's packages (as root or with sudo)
	@scripts/install-packages full

runtime-packages:
	@scripts/install-packages runtime

build: packages  ## the program build/medurwkv and its training library (Release)
	@cmake --preset release -DMEDURWKV_TESTS=$(if $(filter test lint,$(MAKECMDGOALS)),ON,OFF) > build.log 2>&1 || (cat build.log; exit 1)
	@cmake --build build -j $(JOBS)

runtime: runtime-packages  ## what needs no LibTorch, in build-runtime (data, inspect, doctor)
	@cmake --preset runtime
	@cmake --build build-runtime -j $(JOBS)

demo: build  ## train and judge on the bundled images, about 8 minutes
	@scripts/demo $(DEMO_OUT)

test: build  ## every test that Debian's packages allow, at most 20 minutes
	@cd build && ctest --output-on-failure -j $(JOBS)

lint: build  ## clang-format and clang-tidy, warnings as errors
	@scripts/lint

install: build  ## into PREFIX (default /usr/local)
	@cmake --install build --prefix $(PREFIX)

clean:  ## remove what was built
	rm -rf build build-*
