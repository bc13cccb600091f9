# Every target does its own set-up and says what it does. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
say = @printf '\n== %s\n' "$(1)"

# The same selection, profile and features everywhere, so that one debug build serves them all.
BUILD := --workspace --all-targets --locked

.PHONY: help demo test bench bench-decide build package lint tidy unit reference fmt setup-build setup-test setup-bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup-build ## serve https://localhost:8443 in front of embedded apps
	$(call say,building portcullis (the first build takes some minutes))
	$(CARGO) build --locked --bin portcullis
	$(call say,running: portcullis demo (Ctrl-C ends it))
	exec $(TARGET_DIR)/debug/portcullis demo

test: setup-build setup-test lint tidy unit ## everything that CI runs

lint:
	$(call say,formatting and lints)
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(BUILD) -- -D warnings

build:
	$(call say,one debug build for all tests)
	$(CARGO) build $(BUILD)

tidy: build
	$(call say,the rules a machine can judge: cargo xtask tidy)
	$(TARGET_DIR)/debug/xtask tidy
	$(TARGET_DIR)/debug/xtask reference --check

unit: build
	$(call say,examples in the documentation of the code)
	$(CARGO) test --workspace --doc --locked
	$(call say,unit, property, golden, conformance and end-to-end tests)
	@if $(CARGO) nextest --version >/dev/null 2>&1; \
	then $(CARGO) nextest run --workspace --locked --no-fail-fast; \
	else $(CARGO) test --workspace --all-targets --locked --no-fail-fast; fi

bench: setup-build setup-bench ## side by side with Debian's nginx and HAProxy
	$(call say,release build)
	$(CARGO) build --release --locked --bin portcullis
	$(call say,measuring; arguments: make bench ARGS="--workloads W1,W4 --rounds 3")
	PORTCULLIS_BIN=$(TARGET_DIR)/release/portcullis tests/load/run.py --table $(TARGET_DIR)/bench.md $(ARGS)

bench-decide: setup-build ## instructions of one decision, by callgrind
	@tests/setup/packages.sh bench-decide
	$(CARGO) build --profile release-debug --locked --bin xtask
	@tests/load/decide.sh $(TARGET_DIR)/release-debug/xtask

reference: ## write docs/book/src/reference.md from the config schema
	$(CARGO) run --locked --bin xtask -- reference

package: setup-build ## build the Debian package into target/debian
	$(call say,release build)
	$(CARGO) build --release --locked --bin portcullis
	$(CARGO) run --locked --bin xtask -- package $(TARGET_DIR)/release/portcullis $(TARGET_DIR)/debian

fmt: ## format the code
	$(CARGO) fmt --all

setup-build:
	@tests/setup/packages.sh build

setup-test:
	@tests/setup/packages.sh test
	@tests/setup/python.sh $(TARGET_DIR)/test-tools
	@tests/setup/promtool.sh $(TARGET_DIR)/test-tools

setup-bench:
	@tests/setup/packages.sh bench
