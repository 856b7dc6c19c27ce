# Every task has one door. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo check bench fuzz fmt

help: ## List the tasks
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: ## Run a whole fleet on this machine until Ctrl-C (no AWS account)
	cargo build --locked --quiet -p gateway -p scaler -p demo
	@scripts/page.sh
	exec target/debug/demo up

check: ## Everything CI runs: formats, lints, documents, tests, official clients
	@scripts/check.sh

bench: ## Measure the gateway beside nginx and HAProxy; `make bench ARGS=--quick`, `ARGS=--help`
	@scripts/bench.sh $(ARGS)

fuzz: ## Fuzz each parser for a minute, on nightly (SECONDS_EACH=60)
	@scripts/fuzz.sh

fmt: ## Format the code
	cargo fmt
