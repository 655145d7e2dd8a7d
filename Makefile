# The project's commands. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
DEMO_OUT ?= demo-out
export JOBS

.PHONY: help packages build build-tests runtime demo wheel test test-long test-peers test-aarch64 test-reproducible conformance bench bench-peers lint install clean

help:  ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

packages:  ## install the Debian packages that are missing (as root or with sudo)
	@scripts/install-packages full

build: packages  ## the program build/medurwkv and its training library
	@scripts/build release

build-tests: packages
	@scripts/build release -DMEDURWKV_TESTS=ON

runtime:  ## what needs no LibTorch, in build-runtime/: all but training
	@scripts/install-packages runtime
	@scripts/build runtime

demo: build  ## train and judge on the bundled images, about 5 minutes after the build
	@scripts/demo "$(DEMO_OUT)"

test: build-tests  ## every test that Debian's packages allow, at most 20 minutes
	@scripts/run-tests build

test-long: packages  ## sanitizers, 20 kills, damaged files, large images and models, pages in a browser
	@scripts/test-long

test-peers: packages  ## the tests that compute, against a recent LibTorch from PyPI; the judge against its peers
	@scripts/test-peers

test-aarch64:  ## the runtime on 64-bit ARM: cross-compiled, unit tests and nano golden files under qemu
	@scripts/test-aarch64

test-reproducible: packages  ## two builds of the runtime in two folders give the same bytes: program, libraries, packages
	@scripts/test-reproducible

conformance: packages  ## docs/conformance.md: the judge's profiles beside the packages of their names
	@scripts/test-peers conformance

wheel: packages  ## a Python wheel with every library inside, in build-wheel/dist, tested in an empty environment
	@scripts/build-wheel

bench: packages  ## kernels and networks against their peers, about an hour; BENCH_ARGS narrows it
	@scripts/build release -DMEDURWKV_BENCH=ON
	@build/medurwkv_bench --out=bench/results/latest.json $(BENCH_ARGS)

bench-peers: packages  ## the native engine beside ONNX Runtime and OpenVINO from PyPI, about 10 minutes
	@scripts/build release
	@scripts/bench-peers --precisions float32,auto --out bench/results/latest-peers.json

lint: packages  ## clang-format and clang-tidy, warnings as errors; the pages of results are made of their rows
	@scripts/install-packages lint
	@scripts/build release -DMEDURWKV_TESTS=ON -DMEDURWKV_BENCH=ON
	@scripts/lint
	@scripts/results-page --check
	@scripts/pretraining-page --check
	@scripts/scale check

install: build  ## program and training library into PREFIX (default /usr/local)
	@cmake --install build --prefix "$(PREFIX)"

clean:  ## remove what was built
	rm -rf build build-*
