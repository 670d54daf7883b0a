# Everything stays inside this folder, except for Go's own caches. `make help` lists the targets.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help setup build test lint bench demo peers clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

setup: ## get the ONNX Runtime library into .cache/onnxruntime
	@scripts/setup.sh

build: ## build ./rcfreeze (needs cgo: a C compiler)
	CGO_ENABLED=1 go build -o rcfreeze ./cmd/rcfreeze

test: setup ## gofmt, go vet and all tests; RCFREEZE_MODELS may name a folder of further models
	@scripts/gofmt.sh
	go vet ./...
	go test -timeout 30m ./...

lint: ## gofmt, go vet and staticcheck
	@scripts/gofmt.sh
	go vet ./...
	go run $(STATICCHECK) ./...

bench: setup ## run all benchmarks, shortly
	go test -run '^$$' -bench . -benchtime 200ms ./...

demo: setup build ## inspect, convert, train, compare and export a small CNN on MNIST, into demo/
	@scripts/demo.sh

peers: ## install what the tests compare with where it is there (Debian, as root)
	@scripts/peers.sh

clean: ## remove what build and demo made; downloads stay
	rm -rf rcfreeze demo
