# Everything a person types. `make help` lists it.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := $(CURDIR)/.bin
GO  ?= go
# The modules of the workspace; `./...` stops at a module's edge.
PACKAGES := ./... ./e2e/...
# How long the end-to-end tests may take: three times what they take on two processors that others keep busy.
E2E_LIMIT ?= 30m

# What contracts are compared with.
BASE ?= $(shell git rev-parse -q --verify origin/main || git rev-parse HEAD)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: ## the whole system with simulators: 43 paid sales that no webhook announced settle by themselves
	$(GO) run ./cmd/baixa demo

.PHONY: up
up: ## the whole system for real, with its own PostgreSQL when BAIXA_DSN is not set
	$(GO) run ./cmd/baixa up

.PHONY: test
test: ## everything that must hold: format, vet, rules, unit, SQL, conformance and end-to-end tests, race detector on
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' | grep -v '^gen/')); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	$(GO) vet $(PACKAGES)
	$(GO) test -race -timeout 20m ./...
	$(GO) test -race -count 1 -timeout $(E2E_LIMIT) ./e2e/...
	@$(MAKE) --no-print-directory fuzz FUZZTIME=20s

FUZZTIME ?= 20s
.PHONY: fuzz
fuzz: ## every fuzz target of the gateways, one after the other, FUZZTIME (20s) each
	@n=0; for file in $$(grep -rl '^func Fuzz' --include='*_test.go' services/gateways | sort); do \
	  for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' $$file); do \
	    n=$$((n+1)); echo "fuzz $(FUZZTIME) $$(dirname $$file) $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file) || exit 1; \
	  done; done; test $$n -gt 10 && echo "fuzz: $$n targets, nothing found"

.PHONY: race
race: ## the tests with the race detector, three times
	$(GO) test -race -count 3 -timeout 40m $(PACKAGES)

.PHONY: e2e
e2e: ## only the end-to-end tests, in both deployments
	$(GO) test -race -count 1 -timeout $(E2E_LIMIT) ./e2e/...

.PHONY: lint
lint: $(BIN)/buf $(BIN)/golangci-lint proto-deps ## format, vet, golangci-lint, buf lint and breaking changes
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' | grep -v '^gen/')); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	$(GO) vet $(PACKAGES)
	$(BIN)/golangci-lint run $(PACKAGES)
	$(BIN)/buf lint
	@old=$$(mktemp -d) && git archive $(BASE) proto buf.yaml | tar -x -C $$old && cp -R .proto-deps $$old && \
	$(BIN)/buf breaking --against $$old; code=$$?; rm -rf $$old; exit $$code

.PHONY: generate
generate: $(BIN)/buf proto-deps ## gen/ and the generated documents from their sources
	$(BIN)/buf generate
	$(GO) generate ./...

.PHONY: proto-deps
proto-deps: # google/api lies inside a Go module; it is copied, never committed
	@dir=$$(GOWORK=off $(GO) mod download -json github.com/grpc-ecosystem/grpc-gateway@v1.16.0 | sed -n 's/^\t"Dir": "\(.*\)",*$$/\1/p'); \
	mkdir -p .proto-deps/google/api && cp -f $$dir/third_party/googleapis/google/api/{annotations,http}.proto .proto-deps/google/api/ && chmod -R u+w .proto-deps

$(BIN)/buf: tools/go.mod tools/go.sum
	GOWORK=off GOBIN=$(BIN) $(GO) -C tools install tool
	@touch $@

$(BIN)/golangci-lint: $(BIN)/buf

.PHONY: tidy
tidy: ## go.mod, go.sum and go.work of all modules
	GOWORK=off $(GO) mod tidy
	GOWORK=off $(GO) -C e2e mod tidy
	GOWORK=off $(GO) -C tools mod tidy
	$(GO) work sync

.PHONY: verify
verify: generate tidy ## regenerating and tidying change nothing
	git diff --exit-code

.PHONY: clean
clean: ## what builds and runs left here; data of `baixa up` stays where it says
	rm -rf $(BIN) .proto-deps
