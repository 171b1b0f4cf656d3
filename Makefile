# The commands of Carillon; `make help` lists them. They need Rust and make; what else is missing they install.

export PATH := $(PATH):$(HOME)/.cargo/bin

# Conformance cases are not part of Carillon: CASES names the folder where they lie.
CASES ?= ../shared/conformance/suites

SPEED := cargo bench --locked -p carillon-tests --bench speed --

.DEFAULT_GOAL := help
.PHONY: help run test conformance lint bench bench-calendar bench-check chaos soak clean-data need

help: ## Show this list
	@sed -n 's/^\([a-z%-]*\):.*## /\1\t/p' Makefile | expand -t 16

run: need ## Build and start everything: a Redis, a scheduler, a worker, sample entries; Ctrl-C stops it all
	@cargo build --release --locked --bins -p carillon-scheduler -p carillon-worker
	@exec target/release/carillon-scheduler dev

test: need ## Run all tests against Redis servers of their own
	@cargo test --workspace --locked --no-fail-fast

conformance: need ## Run the Open Job Spec cases in the folder CASES against schedulers of its own
	@cargo run --quiet --locked -p carillon-tests --example conformance -- "$(CASES)"

lint: need ## Check format, lints, documentation and licences
	@.ci/lint

bench: need ## Measure everything, each figure beside its limit in the same run (FULL=1: nothing scaled down)
	@cargo bench --locked -p carillon-shared --bench calendar
	@$(SPEED) $(if $(FULL),--full)

bench-calendar: need ## Measure the calendar
	@cargo bench --locked -p carillon-shared --bench calendar -- --check

bench-check: need ## Compare ratios to the limits with tests/benches/baseline.json; fails when one has fallen far
	@$(SPEED) --check $(CURDIR)/tests/benches/baseline.json

bench-%: need ## Measure one: drain enqueue fire latency depth entries http memory
	@$(SPEED) $* $(if $(FULL),--full)

chaos: need ## Kill everything at random for SECONDS=300, then count what is left
	@CHAOS_SECONDS=$(or $(SECONDS),300) cargo test --locked -p carillon-tests --test chaos -- --nocapture

soak: need ## Do everything over and over for SECONDS=300, and show that nothing grows
	@SOAK_SECONDS=$(or $(SECONDS),300) cargo test --locked -p carillon-tests --test memory -- --nocapture

clean-data: ## Delete the data that `make run` keeps in .carillon
	@rm -rf .carillon

need:
	@.ci/need
