# Everything needs Go, git and make only; tools come by go.mod and tools/go.mod.

BUILD := build
GO ?= go
# The rooms whose code every validator must execute alike.
REPLICATED := ./units ./protocol ./state/... ./module ./x/... ./app/...
PERIODS ?= 24

# One set of flags for all, so that programs and tests share what was compiled.
export GOFLAGS := $(GOFLAGS) -trimpath

.PHONY: all build test race lint gen gen-check demo e2e bench ci clean

all: build

build:
	$(GO) build -o $(BUILD)/ ./cmd/...

# Quick: no networks of processes.
test:
	$(GO) test -short ./...

race:
	$(GO) test -short -race ./...

lint: build
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted (gofmt -w): $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -vettool=$(CURDIR)/$(BUILD)/energyvet $(REPLICATED)
	$(GO) tool staticcheck ./...

gen:
	$(GO) tool -modfile=tools/go.mod buf lint
	$(GO) tool -modfile=tools/go.mod buf generate

# Generated code is checked in and never edited.
gen-check: gen
	@changed=$$(git status --porcelain -- gen); \
	if [ -n "$$changed" ]; then echo "gen differs from proto, run make gen: $$changed"; exit 1; fi

demo: build
	$(BUILD)/energyd demo --periods $(PERIODS)

# Networks of real processes, killed and restarted.
e2e:
	$(GO) test -count=1 -v ./testnet/...

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

ci: lint gen-check test e2e
	$(MAKE) demo PERIODS=4

clean:
	rm -rf $(BUILD)
