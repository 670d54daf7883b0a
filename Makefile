# Everything stays inside this folder, except for Go's own caches. `make help` lists the targets.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help setup build test test-all race fuzz mutate large crash soak lint zoo gradients bench gobench demo peers clean

# How long make fuzz takes for each of its tests, such as 30m, or how many inputs each tries, such as 100000x.
FUZZTIME ?= 1m

# What make mutate does: N mutants of the package PKG, 0 for all, drawn by SEED; TESTS names further packages whose tests run,
# and SKIP is a regular expression for tests that do not.
N ?= 200
SEED ?= 1
TESTS ?=
SKIP ?=

# What make crash tries, as it prints it: ONLY='convert/new kill-after rename#1' or the first part of that. All without.
ONLY ?=

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

setup: ## get the ONNX Runtime library into .cache/onnxruntime
	@scripts/setup.sh

build: ## build ./rcfreeze, and ./rcfreeze-second-opinion for its --second-opinion (needs cgo: a C compiler)
	CGO_ENABLED=1 go build -o . ./cmd/...

test: setup ## gofmt, go vet and the tests that need nothing else; RCFREEZE_MODELS may name a folder of further models
	@scripts/gofmt.sh
	go vet ./...
	go test -timeout 60m ./...

test-all: export RCFREEZE_TEST_ALL = 1
test-all: test ## all tests: also those beside peers (see make peers), which take long, and those that measure memory

race: setup ## all that make test runs, in random order: under Go's race detector, then three times; half an hour on two cores
	go test -race -shuffle on -timeout 3h ./...
	go test -shuffle on -count 3 -timeout 3h ./...

fuzz: ## damage files of every kind at random, and read them; FUZZTIME=30m is for how long each, FUZZ=NPY for those of that name
	@FUZZTIME=$(FUZZTIME) FUZZ=$(FUZZ) scripts/fuzz.sh

mutate: setup ## tell what no test of a package would notice: PKG=./transform [N=200] [SEED=1] [TESTS=./other] [SKIP=regexp]
	@: $${PKG:?'name a package: make mutate PKG=./transform'}
	@nice -n 15 go run ./internal/mutate -n $(N) -seed $(SEED) -tests '$(TESTS)' -skip '$(SKIP)' $(PKG)

large: setup ## convert and export a model of 3 GB; takes 15 GB of disk in TMPDIR, and some minutes
	RCFREEZE_LARGE=1 go test -timeout 3h -v -run TestLargeModel ./cmd/rcfreeze

crash: setup build ## let system calls fail, and kill commands, at hundreds of places: files must stay whole; Linux; a quarter of an hour on two cores
	go run ./internal/crash -only '$(ONLY)'

soak: setup ## train for 100,000 steps, and compare 200 runs: memory, files and threads must not grow; Linux; some minutes
	RCFREEZE_SOAK=1 go test -count 1 -timeout 3h -v -run '^TestSoak$$' ./runtime/train ./runtime/compare

lint: ## gofmt, go vet and staticcheck
	@scripts/gofmt.sh
	go vet ./...
	go run $(STATICCHECK) ./...

zoo: setup ## take one model of every family that torchvision has through inspect, convert and export; half an hour on two cores
	RCFREEZE_TEST_ALL=1 RCFREEZE_TORCHVISION=all go test -count 1 -timeout 12h -v -run '^TestTorchvision$$' ./cmd/rcfreeze

gradients: setup ## compare the gradients of torchvision's models with PyTorch's, into gradients.md; an hour on two cores
	@rm -f gradients.md
	RCFREEZE_TEST_ALL=1 RCFREEZE_GRADIENTS="$(CURDIR)/gradients.md" go test -count 1 -timeout 12h -run '^TestGradients$$' ./runtime/train >&2
	@cat gradients.md

bench: setup build ## measure beside PyTorch, and what else is named there, into bench/RESULTS.md; half an hour on two cores
	RCFREEZE_ORT_LIB=$${RCFREEZE_ORT_LIB:-$(CURDIR)/.cache/onnxruntime} go run ./bench -o bench/RESULTS.md

gobench: setup ## run the Go benchmarks of the inner parts, shortly
	go test -run '^$$' -bench . -benchtime 200ms ./...

demo: setup build ## inspect, convert, train, compare and export a small CNN on MNIST, into demo/
	@scripts/demo.sh

peers: ## install what the tests compare with where it is there (Debian, as root)
	@scripts/peers.sh

clean: ## remove what build and demo made; downloads stay
	rm -rf rcfreeze rcfreeze-second-opinion demo gradients.md
