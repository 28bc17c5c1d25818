# Everything needs Go, git and make only; tools come by go.mod and tools/go.mod.

BUILD := build
GO ?= go
# The rooms whose code every validator must execute alike.
REPLICATED := ./units ./protocol ./state/... ./module ./x/... ./app/...
PERIODS ?= 24

# One set of flags for all, so that programs and tests share what was compiled.
# Without the tag gRPC, which the engine brings along, holds on to every method of the
# program, for pages that nobody serves: 8 MB of each validator's memory.
export GOFLAGS := $(GOFLAGS) -trimpath -tags=grpcnotrace

.PHONY: all build test race simulate mutants lint gen gen-check paper paper-check demo e2e determinism cross deb bench bench-meters ci clean

all: build

build:
	$(GO) build -o $(BUILD)/ ./cmd/...

# Quick: no networks of processes.
test:
	$(GO) test -short ./...

race:
	$(GO) test -short -race ./...

# 1000 random sequences of operations against a plain model of the money.
simulate:
	$(GO) test -count=1 -run TestSimulation ./internal/testkit/simulation

# Bugs that the tests must find, one at a time; minutes.
mutants:
	$(GO) test -count=1 -v -timeout 20m ./internal/testkit/mutants

lint: build $(BUILD)/golangci-lint
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted (gofmt -w): $$unformatted"; exit 1; fi
	$(GO) vet -vettool=$(CURDIR)/$(BUILD)/energyvet $(REPLICATED)
	$(BUILD)/golangci-lint run --timeout 15m ./...

# Built from the versions in tools/go.mod; minutes the first time.
$(BUILD)/golangci-lint: tools/go.mod
	$(GO) build -modfile=tools/go.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# What the state stores gets codecs of its own as well (docs/adr/001-state.md).
STORED := $(patsubst %,--path %,$(wildcard proto/energy/*/v1/state.proto) proto/energy/tx/v1/envelope.proto)
gen:
	$(GO) tool -modfile=tools/go.mod buf lint
	$(GO) tool -modfile=tools/go.mod buf generate
	$(GO) tool -modfile=tools/go.mod buf generate --template buf.gen.state.yaml $(STORED)

# Generated code is checked in and never edited.
gen-check: gen
	@changed=$$(git status --porcelain -- gen); \
	if [ -n "$$changed" ]; then echo "gen differs from proto, run make gen: $$changed"; exit 1; fi

# The papers' figures beside ours.
paper: build
	$(BUILD)/energycli market papers > docs/papers.md

paper-check: build
	@$(BUILD)/energycli market papers | cmp - docs/papers.md || { echo "docs/papers.md is not what the program writes, run make paper"; exit 1; }

demo: build
	$(BUILD)/energyd demo --periods $(PERIODS)

# Networks of real processes, killed and restarted.
e2e:
	$(GO) test -count=1 -timeout 20m ./testnet/... ./demo/... ./meter/gateway

# The golden files again, as other processors compute them.
determinism:
	GOARCH=386 CGO_ENABLED=0 $(GO) test -count=1 -run Golden ./app ./state
	@if grep -qs avx2 /proc/cpuinfo; then \
		echo "GOAMD64=v3 $(GO) test -run Golden ./app"; GOAMD64=v3 $(GO) test -count=1 -run Golden ./app; \
	else echo "SKIPPED: this processor cannot run GOAMD64=v3"; fi

# energymeter for gateways: static, at most 20 MB; fails otherwise.
cross:
	$(GO) run ./internal/release -out $(BUILD)/release

# The same as Debian packages.
deb:
	rm -f $(BUILD)/release/*.deb
	$(GO) run ./internal/release -out $(BUILD)/release -deb

# A gateway's memory and missed polls; minutes.
bench-meters:
	$(GO) test -timeout 15m -run '^$$' -bench Meters -benchtime 1x ./bench

# One package at a time: they would disturb each other (bench/README.md).
bench:
	$(GO) test -p 1 -timeout 30m -run '^$$' -bench . -benchmem ./...

ci: lint cross gen-check paper-check test simulate mutants determinism e2e
	$(MAKE) demo PERIODS=4

clean:
	rm -rf $(BUILD)
