# Every command of the project. CI runs `make test`.
# Clippy, the tests and the binary share the dev profile, so that nothing is compiled twice.

CARGO ?= cargo
CARGO_FLAGS ?= --locked
PYTHON ?= python3
VENV := .tools/venv
BINARY := $(or $(CARGO_TARGET_DIR),target)/debug/latchpay

.PHONY: test lint fmt fmt-check build test-rust template readme model deny demo run clean-data

test: fmt-check lint build test-rust template readme

fmt:
	$(CARGO) fmt --all

fmt-check:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings

build:
	$(CARGO) build $(CARGO_FLAGS) -p local

test-rust:
	$(CARGO) test $(CARGO_FLAGS) --workspace

template: $(VENV)/ready
	$(VENV)/bin/cfn-lint template.yaml
	SAM_CLI_TELEMETRY=0 $(VENV)/bin/sam validate --lint --template template.yaml

readme: build
	$(PYTHON) scripts/check-readme.py $(BINARY)

# Every state of the small worlds: see docs/model.md. `make test` visits a part of them.
model:
	$(CARGO) run $(CARGO_FLAGS) --profile simulate -p model

# Licences, advisories and sources; needs cargo-deny and the network, so it is not part of `test`.
deny:
	$(CARGO) deny check

demo:
	$(CARGO) run $(CARGO_FLAGS) -- demo

run:
	$(CARGO) run $(CARGO_FLAGS)

clean-data:
	rm -rf .latchpay

$(VENV)/ready: scripts/requirements.txt scripts/make-venv.sh
	PYTHON=$(PYTHON) sh scripts/make-venv.sh $(VENV) scripts/requirements.txt
