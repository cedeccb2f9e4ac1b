# make demo    get the runtime, build, quantize a real network with real pictures, print the summary
# make test    build and run every test that this machine can run
SHELL   := /bin/bash
GO      ?= go
PYTHON  ?= python3
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)
export CGO_ENABLED = 0

MODEL   ?= testdata/models/fashion_resnet.onnx
TARGET  ?= ort
PREP    := --scale 1/255 --mean 0.286 --std 0.353 --color gray
RUN     := bin/onnxpass

.PHONY: build runtime demo test lint fuzz interop bench release clean

build:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/onnxpass ./cmd/onnxpass

# Nothing is fetched when a library is there already. Without a client that can fetch it the tests that execute models skip.
runtime: build
	@$(RUN) runtime status --quiet || $(RUN) runtime install

demo: runtime
	$(RUN) -p quant $(MODEL) -d testdata/fashion/calib $(PREP) -o bin/demo.int8.onnx --target $(TARGET) --force
	$(RUN) verify bin/demo.int8.onnx --against $(MODEL) -d testdata/fashion/test $(PREP) --labels testdata/fashion/labels.csv

test: build
	@$(RUN) runtime status --quiet || $(RUN) runtime install || echo "no runtime library: tests that execute models will skip"
	$(GO) test ./...

# Linters run by version, from the module proxy; the first run builds them.
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VULN     := golang.org/x/vuln/cmd/govulncheck@latest
lint:
	$(GO) vet ./...
	$(GO) run $(GOLANGCI) run ./...
	.ci/vulncheck $(VULN)

# Every fuzz target for FUZZTIME each.
FUZZTIME ?= 20s
fuzz:
	.ci/fuzz $(FUZZTIME)

# The Python side of the interop tests: the onnx checker, ONNX Runtime, OpenVINO, TensorRT-RTX.
.venv/ready: testdata/interop/requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q -r testdata/interop/requirements.txt
	.venv/bin/pip install -q --no-deps -r testdata/interop/requirements-tensorrt.txt
	touch $@

interop: build .venv/ready
	ONNXPASS_INTEROP_PYTHON=$(CURDIR)/.venv/bin/python ONNXPASS_INTEROP=require $(GO) test ./cmd/onnxpass -run Interop -count=1 -timeout 60m -v

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

release:
	.ci/release $(VERSION)

clean:
	rm -rf bin dist .venv
