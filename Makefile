# Every task has one door. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo check faults bench fuzz fmt costs up preflight images deploy ui smoke admin destroy

help: ## List the tasks
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

demo: ## Run a whole fleet on this machine until Ctrl-C (no AWS account)
	cargo build --locked --quiet -p gateway -p scaler -p bot -p demo
	@scripts/page.sh
	exec target/debug/demo up

check: ## Everything CI runs: formats, lints, documents, tests, official clients
	@scripts/check.sh

faults: ## Kill, stop and crowd a real fleet on this machine, ten minutes; a table of what it cost
	@FAULTS=long scripts/faults.sh $(ARGS)

bench: ## Measure the gateway beside nginx and HAProxy; `make bench ARGS=--quick`, `ARGS=--help`
	@scripts/bench.sh $(ARGS)

fuzz: ## Fuzz each parser for a minute, on nightly (SECONDS_EACH=60)
	@scripts/fuzz.sh

fmt: ## Format the code
	cargo fmt

# A fleet on AWS; ENV names its parameters (deployments/ENV.json, else a preset). docs/operate/deploy.md tells the whole of it.
costs: ## What a fleet costs a month, for each preset
	@scripts/costs.py

up: ## All of the following but admin and destroy: `make up ENV=dev`
	@scripts/deploy/up.sh

preflight: ## What is missing in the account, and what to do
	@scripts/deploy/preflight.sh

images: ## Build the golden images, if anything in them has changed
	@scripts/deploy/images.sh

deploy: ## Show what will change in the fleet, ask, do it
	@scripts/deploy/deploy.sh && scripts/deploy/edge.sh

ui: ## Build the page and put it up
	@scripts/deploy/ui.sh

smoke: ## Wake the fleet and stream a token: `make smoke TOKEN=...`
	@scripts/deploy/smoke.sh

admin: ## Make an administrator: `make admin EMAIL=...`
	@scripts/deploy/admin.sh

destroy: ## End a fleet; what people made stays: `make destroy NAME=...`
	@scripts/deploy/destroy.sh
