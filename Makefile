# All targets write only into this folder and into Go's own caches. `make help` lists the targets.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help setup build test test-all race fuzz mutate large crash soak lint zoo gradients bench gobench demo peers clean

# How long `make fuzz` runs each test, such as 30m, or how many inputs each test tries, such as 100000x.
FUZZTIME ?= 1m

# `make mutate` makes N mutants of the package PKG (0 means all), drawn at random from SEED. TESTS names more packages whose tests
# run. Tests whose names match the regular expression SKIP do not run.
N ?= 200
SEED ?= 1
TESTS ?=
SKIP ?=

# The injections that `make crash` tries: ONLY='convert/new kill-after rename#1', as a failure prints it, or only the first part.
# Without ONLY it tries all.
ONLY ?=

help: ## list all targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

setup: ## download the ONNX Runtime library to .cache/onnxruntime
	@scripts/setup.sh

build: ## build ./rcfreeze and ./rcfreeze-second-opinion, which export --second-opinion starts (needs a C compiler)
	CGO_ENABLED=1 go build -o . ./cmd/...

test: setup ## run gofmt, go vet and all tests that need no other program; RCFREEZE_MODELS=FOLDER also tries the models there
	@scripts/gofmt.sh
	go vet ./...
	go test -timeout 60m ./...

test-all: export RCFREEZE_TEST_ALL = 1
test-all: test ## run all tests, also slow comparisons with other programs (see make peers) and measurements of memory

race: setup ## run the tests in random order, once with Go's race detector and three times without; half an hour on two cores
	go test -race -shuffle on -timeout 3h ./...
	go test -shuffle on -count 3 -timeout 3h ./...

fuzz: ## read randomly damaged files of every kind; FUZZTIME=30m sets the time per test, FUZZ=NPY selects tests by name
	@FUZZTIME=$(FUZZTIME) FUZZ=$(FUZZ) scripts/fuzz.sh

mutate: setup ## list random changes of a package that its tests miss: PKG=./transform [N=200] [SEED=1] [TESTS=./other] [SKIP=regexp]
	@: $${PKG:?'name a package: make mutate PKG=./transform'}
	@nice -n 15 go run ./internal/mutate -n $(N) -seed $(SEED) -tests '$(TESTS)' -skip '$(SKIP)' $(PKG)

large: setup ## convert and export a model of 3 GB; needs 15 GB of disk in TMPDIR and a few minutes
	RCFREEZE_LARGE=1 go test -timeout 3h -v -run TestLargeModel ./cmd/rcfreeze

crash: setup build ## kill commands and make system calls fail at hundreds of points, and check the files; Linux; 15 minutes on two cores
	go run ./internal/crash -only '$(ONLY)'

soak: setup ## check that memory, files and threads do not grow in 100,000 training steps and 200 runs; Linux; a few minutes
	RCFREEZE_SOAK=1 go test -count 1 -timeout 3h -v -run '^TestSoak$$' ./runtime/train ./runtime/compare

lint: ## run gofmt, go vet and staticcheck
	@scripts/gofmt.sh
	go vet ./...
	go run $(STATICCHECK) ./...

zoo: setup ## inspect, convert and export one model of every torchvision family; half an hour on two cores
	RCFREEZE_TEST_ALL=1 RCFREEZE_TORCHVISION=all go test -count 1 -timeout 12h -v -run '^TestTorchvision$$' ./cmd/rcfreeze

gradients: setup ## compare gradients of torchvision's models with PyTorch's and write gradients.md; an hour on two cores
	@rm -f gradients.md
	RCFREEZE_TEST_ALL=1 RCFREEZE_GRADIENTS="$(CURDIR)/gradients.md" go test -count 1 -timeout 12h -run '^TestGradients$$' ./runtime/train >&2
	@cat gradients.md

bench: setup build ## compare speed and memory with PyTorch and others and write bench/RESULTS.md; half an hour on two cores
	RCFREEZE_ORT_LIB=$${RCFREEZE_ORT_LIB:-$(CURDIR)/.cache/onnxruntime} go run ./bench -o bench/RESULTS.md

gobench: setup ## run the Go benchmarks of single functions, each for a short time
	go test -run '^$$' -bench . -benchtime 200ms ./...

demo: setup build ## inspect, convert, train, compare and export a small CNN on MNIST; writes to demo/
	@scripts/demo.sh

peers: ## install the programs, models and data that make test-all compares with (Debian, as root)
	@scripts/peers.sh

clean: ## remove the results of build, demo and gradients; downloads stay
	rm -rf rcfreeze rcfreeze-second-opinion demo gradients.md
